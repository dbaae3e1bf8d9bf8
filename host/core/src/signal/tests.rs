use super::*;
use crate::{Candle, CandleWindow, ParameterLevels, Strength, Timeframe, parameters::tests::rsi_schema};

fn settings() -> ApplicationSettings {
    ApplicationSettings {
        symbols: vec![],
        timeframes: vec![],
        enabled_strategies: None,
        min_confidence: 0.6,
        max_confidence: 0.95,
        accepted_holes: vec![],
    }
}

fn decision() -> Decision {
    Decision {
        action: Action::Buy,
        confidence: 0.74,
        price: None,
        stop_loss: Some(98.0),
        take_profit: Some(104.0),
        strength: Strength::Medium,
        rationale: None,
        metadata: vec![
            ("rsi".to_owned(), Value::Number(28.1)),
            ("gap".to_owned(), Value::Number(f64::NAN)),
            ("kind".to_owned(), Value::Text("cross".to_owned())),
        ],
    }
}

/// Builds a signal from a decision on twenty candles that close at 100.
fn signal(decision: Decision, change: impl FnOnce(&mut Job, &mut ResolvedParameters)) -> Result<Signal, DropReason> {
    written(decision, change, MessageRules::default(), None)
}

/// Like [`signal`], by these rules and on this trace.
fn written(
    decision: Decision,
    change: impl FnOnce(&mut Job, &mut ResolvedParameters),
    rules: MessageRules,
    traceparent: Option<&str>,
) -> Result<Signal, DropReason> {
    let candle = |i| Candle {
        open_time: Timestamp::from_millis(i),
        open: 100.0,
        high: 101.0,
        low: 99.0,
        close: 100.0,
        volume: 1.0,
    };
    let window = CandleWindow::new((0..20).map(candle)).unwrap();
    let mut job = Job {
        symbol: "BTCUSDT".parse().unwrap(),
        timeframe: Timeframe::M15,
        candle_close: Timestamp::from_millis(1_767_226_500_000),
    };
    let mut parameters = ResolvedParameters::resolve(&rsi_schema(), &ParameterLevels::default());
    change(&mut job, &mut parameters);
    let evaluated = Evaluated {
        job: &job,
        strategy: &"rsi".parse().unwrap(),
        module: ModuleDigest::of(b"module"),
        wit_version: "1.0.0",
        parameters: &parameters,
        parameter_store: "sqlite",
        window: window.newest(20),
        window_hash: CandleSlice::hash(&[window.newest(20)]),
        holes: &[],
        host_version: "0.1.0",
        derived: &[],
        traceparent,
        rules,
        decision: &decision,
    };
    Signal::new(&evaluated, &settings())
}

#[test]
fn the_message_is_the_contracts() {
    let signal = signal(decision(), |_, _| ()).unwrap();
    let message = &signal.message;
    let id = signal.id.as_str();
    assert_eq!(message["timestamp"], "2026-01-01T00:15:00+00:00");
    assert_eq!(message["signal_id"], id);
    assert_eq!(message["intent_id"], id[..32]);
    assert_eq!(message["indicators"], json!({"rsi": 28.1, "gap": null}));
    assert_eq!(message["metadata"]["kind"], "cross");
    assert_eq!(message["metadata"]["strategy_config"]["source"], "default");
    assert_eq!(message["metadata"]["provenance"]["parameter_version"], 0);
    assert_eq!(message["rationale"], Json::Null);
    assert_eq!((&message["price"], &message["quantity"]), (&json!(100.0), &json!(0.0)));
    for field in ["source", "strategy_mode", "order_type", "time_in_force", "action", "strength", "current_price"] {
        assert!(!message[field].is_null(), "{field}");
    }
}

#[test]
fn the_id_follows_from_what_was_evaluated_and_nothing_else() {
    let id = |change: fn(&mut Job, &mut ResolvedParameters)| signal(decision(), change).unwrap().id;
    let plain = id(|_, _| ());
    assert_eq!(plain, id(|_, parameters| parameters.version = 9));
    assert_ne!(plain, id(|job, _| job.timeframe = Timeframe::H1));
    assert_ne!(plain, id(|job, _| job.candle_close = job.candle_close.plus_millis(1)));
    assert_ne!(plain, id(|_, parameters| parameters.hash = crate::ParameterHash::of(b"other")));
    // A frozen value: changing it would break every consumer that has seen the id.
    assert_eq!(plain.as_str(), "63e19037d0ebd990113e0b3dd133eba43de8d5b87a6a52fd63c59850c86550c0");
}

#[test]
fn an_id_is_read_as_it_is_written() {
    let id = signal(decision(), |_, _| ()).unwrap().id;
    assert_eq!(id.to_string().parse(), Ok(id.clone()));
    assert_eq!(id.as_str().to_uppercase().parse(), Ok(id));
    for wrong in ["", "ab", &"g".repeat(64), &"ä".repeat(32), &"a".repeat(65), &"a".repeat(1_000_000)] {
        let error = wrong.parse::<SignalId>().unwrap_err().to_string();
        assert!(error.contains("64 hex digits") && error.len() < 300, "{error}");
    }
}

#[test]
fn stops_are_filled_in_or_refused() {
    let made = |change: &dyn Fn(&mut Decision)| {
        let mut decision = decision();
        change(&mut decision);
        signal(decision, |_, _| ())
    };
    let filled = made(&|d| (d.stop_loss, d.take_profit) = (None, None)).unwrap();
    assert!((filled.message["stop_loss"].as_f64().unwrap() - 96.0).abs() < 1e-9);
    assert!((filled.message["take_profit"].as_f64().unwrap() - 106.0).abs() < 1e-9);
    assert_eq!(made(&|d| d.stop_loss = Some(100.5)), Err(DropReason::StopLossWrong));
    assert_eq!(made(&|d| d.stop_loss = Some(-1.0)), Err(DropReason::StopLossWrong));
    assert_eq!(made(&|d| d.take_profit = Some(99.0)), Err(DropReason::TakeProfitWrong));
    assert_eq!(made(&|d| d.price = Some(0.0)), Err(DropReason::PriceNotPositive));
    let sell = |d: &mut Decision| (d.action, d.stop_loss, d.take_profit) = (Action::Sell, Some(102.0), Some(97.0));
    assert!(made(&sell).is_ok());
    let hold = |d: &mut Decision| (d.action, d.stop_loss) = (Action::Hold, None);
    assert_eq!(made(&hold).unwrap().message["stop_loss"], Json::Null);
}

#[test]
fn the_bounds_of_confidence_are_inclusive() {
    let made = |confidence| signal(Decision { confidence, ..decision() }, |_, _| ());
    assert!(made(0.6).is_ok() && made(0.95).is_ok());
    assert_eq!(made(0.599), Err(DropReason::BelowMinConfidence));
    assert_eq!(made(0.951), Err(DropReason::AboveMaxConfidence));
}

/// A message that `rules` make, on this trace.
fn message_by(rules: MessageRules, traceparent: Option<&str>) -> Json {
    let decision = Decision { rationale: Some("it fell".to_owned()), ..decision() };
    written(decision, |_, _| (), rules, traceparent).unwrap().message
}

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn a_senders_trace_goes_on_with_its_own_flag() {
    let traced = |parent: &str| message_by(MessageRules::default(), Some(parent))["_otel_trace_headers"].clone();
    for flags in ["00", "01"] {
        let parent = format!("{}{flags}", &PARENT[..PARENT.len() - 2]);
        let continued = traced(&parent)["traceparent"].as_str().unwrap().to_owned();
        assert!(continued.starts_with(&PARENT[..36]) && continued.ends_with(&format!("-{flags}")), "{continued}");
        assert_ne!(continued, parent, "the span is the signal's own");
        assert_eq!(traced(&continued)["traceparent"], continued.as_str(), "a replay says the same");
    }
}

#[test]
fn without_a_trace_none_is_named() {
    let absent = format!("00-{}-b7ad6b7169203331-01", "0".repeat(32));
    let no_span = format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", "0".repeat(16));
    for parent in [None, Some(""), Some("nonsense"), Some(absent.as_str()), Some(no_span.as_str())] {
        assert_eq!(message_by(MessageRules::default(), parent).get("_otel_trace_headers"), None, "{parent:?}");
    }
}

#[test]
fn the_rationale_is_the_summary_and_an_absent_one_is_none() {
    assert_eq!(message_by(MessageRules::default(), None)["signal_summary"], "it fell");
    assert_eq!(signal(decision(), |_, _| ()).unwrap().message.get("signal_summary"), None);
}

#[test]
fn a_message_of_a_simulated_market_says_so() {
    let simulated = MessageRules { is_simulated: true, ..MessageRules::default() };
    assert_eq!(message_by(simulated, None)["simulated"], true);
    assert_eq!(message_by(MessageRules::default(), None).get("simulated"), None);
}

#[test]
fn the_timestamp_is_the_close_or_the_commit_and_the_close_is_always_there() {
    let committed = Timestamp::from_millis(1_767_226_501_234);
    let made = |timestamp| {
        let rules = MessageRules { timestamp, ..MessageRules::default() };
        let signal = written(decision(), |_, _| (), rules, None).unwrap();
        assert_eq!(signal.message["timestamp"], "2026-01-01T00:15:00+00:00", "until it is committed");
        let message = signal.message_at(committed).into_owned();
        assert_eq!(message["candle_close"], "2026-01-01T00:15:00+00:00");
        message["timestamp"].clone()
    };
    assert_eq!(made(SignalTimestamp::CandleClose), "2026-01-01T00:15:00+00:00");
    assert_eq!(made(SignalTimestamp::Emitted), "2026-01-01T00:15:01.234+00:00");
    assert_eq!("emitted".parse(), Ok(SignalTimestamp::Emitted));
    assert_eq!("candle_close".parse(), Ok(SignalTimestamp::CandleClose));
    assert!("now".parse::<SignalTimestamp>().is_err());
}

/// Frozen: stored messages of these versions are replayed, and compared byte for byte.
#[test]
fn messages_before_version_2_have_what_they_had() {
    let first = MessageRules { form: MessageForm::First, ..MessageRules::default() };
    let message = message_by(first, None);
    for newer in ["candle_close", "signal_summary", "simulated"] {
        assert_eq!(message.get(newer), None, "{newer}");
    }
    assert_eq!(
        message["_otel_trace_headers"]["traceparent"],
        "00-63e19037d0ebd990113e0b3dd133eba4-3de8d5b87a6a52fd-00"
    );
    let traced = message_by(first, Some(PARENT));
    assert_eq!(traced["_otel_trace_headers"]["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-3de8d5b87a6a52fd-01");
    assert_eq!(message_by(first, Some("nonsense")), message);
}
