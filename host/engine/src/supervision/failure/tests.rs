//! Documents are read back as they were written, and changed documents are refused with the reason.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use ta_bot_core::{Candle, CandleWindow, Parameters, Timeframe, Timestamp, Value};

use super::{
    FailedWindow, Failure,
    contract::failure,
    document::{DocumentError, LARGEST_DOCUMENT},
    packed::{LARGEST_PACKED, Packed, unpacked},
};

fn simple() -> Failure {
    failure("rsi", b"module", "BTCUSDT", 1)
}

fn read(json: &Json) -> Result<Failure, DocumentError> {
    Failure::read(json.to_string().as_bytes())
}

fn with(parameters: impl IntoIterator<Item = (String, Value)>, mut failure: Failure) -> Failure {
    failure.parameters.values = parameters.into_iter().collect::<Parameters>();
    failure.parameters.hash = failure.parameters.values.hash();
    failure
}

/// Returns the error of a document to which `change` was applied.
fn problem(change: impl FnOnce(&mut Json)) -> String {
    let mut json: Json = serde_json::from_str(&simple().to_json()).unwrap();
    change(&mut json);
    read(&json).unwrap_err().to_string()
}

/// Any number but NaN, which equals itself only when compared by its bits.
fn number() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits).prop_filter("a number", |number| !number.is_nan())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Boolean),
        any::<i32>().prop_map(Value::Integer),
        number().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Number),
        any::<String>().prop_map(Value::Text),
    ]
}

fn window() -> impl Strategy<Value = CandleWindow> {
    let row = (1..1_000_000_000_000_i64, number(), number(), number(), number(), number());
    prop::collection::vec(row, 0..20).prop_map(|rows| {
        let mut millis = -1_000_000_000_000_i64;
        let candles = rows.into_iter().map(|(step, open, high, low, close, volume)| {
            millis += step;
            Candle { open_time: Timestamp::from_millis(millis), open, high, low, close, volume }
        });
        CandleWindow::new(candles).unwrap()
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was(
        parameters in prop::collection::btree_map("[a-z][a-z0-9_]{0,20}", value(), 0..6),
        windows in prop::collection::vec(window(), 1..9),
        (message, log) in (any::<String>(), any::<String>()),
    ) {
        let mut failure = with(parameters, simple());
        let series = failure.windows[0].series.clone();
        failure.windows = windows.into_iter().map(|candles| FailedWindow { series: series.clone(), candles }).collect();
        failure.error.message = message;
        failure.log[0].message = log;
        let text = failure.to_json();
        let back = Failure::read(text.as_bytes()).unwrap();
        prop_assert_eq!(&back, &failure);
        // Negative and positive zero are equal, but not the same, so the JSON is compared too.
        prop_assert_eq!(back.to_json(), text.clone());
        prop_assert_eq!(back.window_hash(), failure.window_hash());
        prop_assert_eq!(unpacked("test", &Packed::new(&failure).unwrap().bytes).unwrap(), text);
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
        prop_assert!(Failure::read(&bytes).is_err());
        // The bytes replace some in the middle of a valid document.
        let mut document = simple().to_json().into_bytes();
        let at = at.index(document.len());
        document.splice(at..(at + bytes.len()).min(document.len()), bytes);
        let _ = Failure::read(&document);
    }
}

#[test]
fn numbers_without_a_word_in_json_come_back_by_their_bits() {
    let mut failure = simple();
    let odd = [f64::NAN, -f64::NAN, f64::from_bits(0x7ff0_0000_0000_0001), f64::INFINITY, f64::NEG_INFINITY, -0.0];
    let candle = |(index, close): (i64, f64)| Candle {
        open_time: Timestamp::from_millis(index),
        open: close,
        high: close,
        low: close,
        close,
        volume: close,
    };
    failure.windows[0].candles = CandleWindow::new((0..).zip(odd).map(candle)).unwrap();
    let back = Failure::read(failure.to_json().as_bytes()).unwrap();
    assert_eq!(back.window_hash(), failure.window_hash());
    assert!(failure.to_json().contains("\"0x7ff0000000000000\""));
}

#[test]
fn an_input_without_a_series_is_empty() {
    let mut failure = simple();
    failure.windows.push(FailedWindow { series: None, candles: CandleWindow::default() });
    assert_eq!(Failure::read(failure.to_json().as_bytes()).unwrap(), failure);
    let mut full = failure.clone();
    full.windows[1].candles = full.windows[0].candles.clone();
    let told = Failure::read(full.to_json().as_bytes()).unwrap_err().to_string();
    assert!(told.contains("windows.series[1]: 20 candles: 0 at most"), "{told}");
}

#[test]
fn the_id_follows_from_what_failed_and_not_from_when() {
    let one = simple();
    let mut changed: Vec<Failure> = vec![
        failure("rsi", b"other", "BTCUSDT", 1),
        failure("rsi", b"module", "ETHUSDT", 1),
        failure("rsi", b"module", "BTCUSDT", 2),
        with([("period".to_owned(), Value::Integer(5))], simple()),
    ];
    let mut code = simple();
    code.error.code = "timeout".to_owned();
    let mut windows = simple();
    windows.windows.push(windows.windows[0].clone());
    changed.extend([code, windows]);
    let mut ids: Vec<String> = changed.iter().chain([&one]).map(|failure| failure.id().to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 7);
    let mut same = simple();
    (same.at, same.error.message) = (Timestamp::now(), "in other words".to_owned());
    assert_eq!(same.id(), one.id());
}

#[test]
fn what_was_changed_is_told() {
    for (pointer, value, field) in [
        ("/windows/series/0/close/3", json!(1.25), "windows.hash"),
        ("/parameters/hash", json!("00"), "parameters.hash"),
        ("/module_digest", json!("00".repeat(32)), "id is"),
        ("/outcome/code", json!("timeout"), "id is"),
        ("/job/candle_close", json!("2026-01-02T00:00:00Z"), "id is"),
    ] {
        let told = problem(|json| *json.pointer_mut(pointer).unwrap() = value);
        assert!(told.starts_with(field) && told.contains("it was changed after it was written"), "{pointer}: {told}");
    }
    // A field that is not part of the id may change.
    let mut json: Json = serde_json::from_str(&simple().to_json()).unwrap();
    json["outcome"]["message"] = json!("in other words");
    assert_eq!(read(&json).unwrap().error.message, "in other words");
}

#[test]
fn what_can_not_be_is_refused_by_its_name() {
    for (pointer, value, told) in [
        ("/format", json!("ta-bot-failure/2"), "its format is \"ta-bot-failure/2\", and this version reads"),
        ("/format", json!(7), "its format is 7"),
        ("/strategy", json!("no strategy"), "strategy: "),
        ("/at", json!("yesterday"), "at: give a moment"),
        ("/job/symbol", json!("B"), "job.symbol: "),
        ("/job/symbol", json!("ETHUSDT"), "it is not the job's own series"),
        ("/job/timeframe", json!("7m"), "job.timeframe: "),
        ("/module_digest", json!("rsi"), "module_digest: \"rsi\" is no SHA-256"),
        ("/limits/timeout_ms", json!(0), "limits.timeout_ms: 0: give 1 to 60000"),
        ("/limits/memory_bytes", json!(1_u64 << 40), "limits.memory_bytes: "),
        ("/limits/result_bytes", json!(-1), "invalid value"),
        ("/limits/log_lines", json!(null), "invalid type: null"),
        ("/windows/series", json!([]), "0 windows: a strategy has 1 to 9"),
        ("/windows/series/0/open/0", json!("0x3ff0000000000000"), "invalid value"),
        ("/windows/series/0/open/0", json!(null), "invalid type: null"),
        ("/windows/series/0/open", json!([1.0]), "different lengths"),
        ("/windows/series/0/open_time/0", json!(0.5), "invalid type"),
        ("/windows/series/0/open_time/0", json!(i64::MIN), "give milliseconds"),
        ("/windows/series/0/open_time/0", json!(1_767_225_600_000_000_i64), "not after the one before it"),
        ("/windows/series/0/timeframe", json!(null), "null together or not at all"),
        ("/log/0/level", json!("loud"), "\"loud\" is no level"),
        ("/parameters/values", json!([{"name": "a", "type": "integer", "value": 1.5}]), "1.5 is not a whole number"),
        ("/parameters/values", json!([{"name": "a", "type": "list", "value": 1}]), "unknown variant"),
        ("/parameters/values", json!([[]]), "no document"),
    ] {
        let problem = problem(|json| *json.pointer_mut(pointer).unwrap() = value);
        assert!(problem.contains(told), "{pointer}: {problem}");
        assert!(problem.len() < 700, "{pointer}: {problem}");
    }
    let twice = json!({"name": "a", "type": "integer", "value": 1});
    let problem_of_two = problem(|json| json["parameters"]["values"] = json!([twice, twice]));
    assert!(problem_of_two.contains("parameters.a: it is there twice"), "{problem_of_two}");
    assert!(problem(|json| json["windows"]["more"] = json!(1)).contains("unknown field `more`"));
    assert!(problem(|json| drop(json.as_object_mut().unwrap().remove("job"))).contains("missing field `job`"));
    assert!(problem(|json| drop(json.as_object_mut().unwrap().remove("format"))).contains("missing field `format`"));
}

#[test]
fn huge_and_deep_documents_are_refused() {
    let text = "x".repeat(LARGEST_DOCUMENT + 1);
    assert!(matches!(Failure::read(text.as_bytes()), Err(DocumentError::TooLarge)));
    for text in ["[".repeat(1 << 20), "{\"format\":".repeat(1 << 18), String::new(), "null".to_owned()] {
        assert!(matches!(Failure::read(text.as_bytes()), Err(DocumentError::Json(_))), "{text:.20}");
    }
    let mut many = simple();
    let candle = |index| Candle {
        open_time: Timestamp::from_millis(index * Timeframe::M1.millis()),
        open: 1.0,
        high: 1.0,
        low: 1.0,
        close: 1.0,
        volume: 1.0,
    };
    many.windows[0].candles = CandleWindow::new((0..10_001).map(candle)).unwrap();
    let told = Failure::read(many.to_json().as_bytes()).unwrap_err().to_string();
    assert!(told.contains("10001 candles: 10000 at most"), "{told}");
}

#[test]
fn what_does_not_fit_a_statement_is_not_packed() {
    let mut failure = simple();
    let mut state = 1_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from((state >> 57) as u8)
    };
    failure.error.message = (0..12 << 20).map(|_| draw()).collect();
    let error = Packed::new(&failure).unwrap_err();
    assert!(error.given > LARGEST_PACKED, "{error}");
}

#[test]
fn a_stored_bundle_that_is_damaged_is_told() {
    let bytes = Packed::new(&simple()).unwrap().bytes;
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), 1 << 30), &mut bomb).unwrap();
    for damaged in [&bytes[..bytes.len() / 2], &flipped, b"", b"no gzip", &bomb.finish().unwrap()] {
        let told = unpacked("test", damaged).unwrap_err().to_string();
        assert!(told.contains("a bundle of a failure"), "{told}");
    }
}
