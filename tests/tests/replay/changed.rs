//! Changes behind the service's back are detected.

use std::{collections::BTreeMap, fs};

use serde_json::{Value as Json, json};
use ta_bot_core::{MessageTexts, ModuleDigest, StrategyId, Timestamp};
use ta_bot_engine::signals::{outbox::StoredSignal, replay::Verdict};
use ta_bot_tests::root;
use tokio::task::JoinSet;

use crate::store::{BASE, HIGHER, Store, hours, jobs, market, symbol};

/// The opening time of the candle of a signal.
fn open_time(signal: &StoredSignal) -> i64 {
    let close = Timestamp::from_date(signal.json()["timestamp"].as_str().unwrap()).unwrap();
    close.plus_millis(-BASE.millis()).millis()
}

#[tokio::test(flavor = "multi_thread")]
async fn candles_that_changed_are_told_and_others_do_not_matter() {
    let store = Store::with_signals().await;
    let signals = store.signals().await;
    let (id, open) = (&signals[0].id, open_time(&signals[0]));
    assert!(store.is_equal(id).await);

    // Later candles, and those before any window.
    store.sql(&format!("UPDATE candles SET close = close + 1 WHERE open_time > {open}")).await;
    let base = "series = (SELECT id FROM series WHERE timeframe = '15m')";
    store.sql(&format!("UPDATE candles SET close = close + 1 WHERE open_time = 0 AND {base}")).await;
    assert!(store.is_equal(id).await);

    let at = format!("WHERE open_time = {open} AND {base}");
    store.sql(&format!("UPDATE candles SET high = high * 2 {at}")).await;
    let replay = store.replay(id).await;
    assert_eq!(replay.cause.as_ref().map(ta_bot_engine::signals::replay::Cause::code), Some("candles_changed"));
    assert!(replay.windows[0].candles > 10 && replay.answer.is_some(), "{replay:?}");
    assert!(
        replay
            .cause
            .unwrap()
            .to_string()
            .contains(signals[0].json()["metadata"]["provenance"]["window_hash"].as_str().unwrap())
    );
    store.sql(&format!("UPDATE candles SET high = high / 2 {at}")).await;
    assert!(store.is_equal(id).await, "as it was");

    // No strategy is shown a row that is no candle any more.
    let negated = format!("UPDATE candles SET volume = -volume {at}");
    store.sql(&negated).await;
    assert_eq!(store.cause(id).await, "candles_changed");
    let replay = store.replay(id).await;
    assert!(replay.windows.is_empty() && replay.answer.is_none(), "{replay:?}");
    store.sql(&negated).await;

    // A missing candle leaves a gap, and the window reaches one candle further back.
    let before = open - 3 * BASE.millis();
    store.sql(&format!("DELETE FROM candles WHERE open_time = {before} AND {base}")).await;
    assert_eq!(store.cause(id).await, "candles_changed");
    store.sql(&format!("DELETE FROM candles {at}")).await;
    assert_eq!(store.cause(id).await, "candles_missing");
    store.sql("DELETE FROM candles").await;
    assert_eq!(store.cause(id).await, "candles_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_that_was_imported_since_is_left_out() {
    let base = market();
    let store = Store::with(&base[base.len() - 200..], &[]).await;
    let signals = store.analyse(jobs()).await;
    store.app.candles.insert(&symbol(), BASE, &base).await.unwrap();
    let mut left_out = 0;
    for signal in &signals {
        let replay = store.replay(signal.id.as_str()).await;
        assert_eq!(replay.verdict(), Verdict::Equal, "{replay:?}");
        left_out += replay.windows[0].stored_since;
    }
    assert!(signals.len() > 20 && left_out > 0, "{} signals, {left_out} candles since", signals.len());
}

/// Versions before there were bounds stored texts of any length.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_with_longer_texts_than_are_kept_today_is_made_again_as_it_was_stored() {
    let store = Store::with(&market(), &hours()).await;
    let bytes = fs::read(root().join("target/components/faulty_long_answers.wasm")).unwrap();
    let mut jobs = jobs();
    for (texts, bytes_of_message) in [(MessageTexts::AsGiven, 500_000..2_000_000), (MessageTexts::Cut, 10_000..60_000)]
    {
        let signal = store.signal_of(&bytes, jobs.next().unwrap(), texts).await;
        let length = signal.message.to_string().len();
        assert!(bytes_of_message.contains(&length), "{texts:?}: {length} bytes");
        let replay = store.replay(signal.id.as_str()).await;
        assert_eq!(replay.verdict(), Verdict::Equal, "{texts:?}: {:?} {:?}", replay.cause, replay.differences);
    }
}

/// The built-in strategy that reads a longer timeframe.
fn reader() -> StrategyId {
    "multi_timeframe_trend_continuation".parse().unwrap()
}

/// Version 0.1.0 asked strategies whatever the state of their longer series was. This version does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_longer_candle_that_came_late_is_left_out() {
    let (base, hours) = (market(), hours());
    // The longer series lacks the newest hours.
    let there = &hours[..hours.len() - 20];
    let store = Store::with(&base, there).await;
    let next = HIGHER.close_of(HIGHER.close_of(there[there.len() - 1].open_time));
    let now = store.analyse(jobs()).await;
    assert!(now.iter().filter(|signal| signal.strategy == reader()).all(|signal| signal.job.candle_close < next));
    let signals = store.decided_by_version_0_1(&reader(), jobs()).await;
    store.app.candles.insert(&symbol(), HIGHER, &hours).await.unwrap();
    let mut late = 0;
    for signal in &signals {
        let replay = store.replay(signal.id.as_str()).await;
        assert_eq!(replay.verdict(), Verdict::Equal, "{replay:?}");
        late += usize::from(replay.windows.iter().skip(1).any(|window| window.stored_since > 0));
    }
    assert!(late > 0, "none of {} signals reads a longer candle that came late", signals.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_changed_is_told_field_by_field() {
    let store = Store::with_signals().await;
    let signals = store.signals().await;
    // A signal that has every field.
    let signal = signals.iter().find(|signal| signal.json()["action"] == "buy").unwrap();
    let id = signal.id.as_str();
    let stored = signal.json();
    let set = async |pointer: &str, value: Json| {
        let mut message = stored.clone();
        *message.pointer_mut(pointer).unwrap() = value;
        store.rewrite(id, &message.to_string()).await;
    };
    for (pointer, value, field) in [
        ("/confidence", json!(0.111), "confidence"),
        ("/action", json!("close"), "action"),
        ("/stop_loss", Json::Null, "stop_loss"),
        ("/symbol", json!("ETHUSDT"), "symbol"),
        ("/strategy_id", json!("other"), "strategy_id"),
        ("/signal_id", json!("00"), "signal_id"),
        ("/timestamp", json!("2020-01-01T00:00:00+00:00"), "timestamp"),
        ("/metadata/strategy_config/version", json!(77), "metadata.strategy_config.version"),
        ("/metadata/provenance/wit_version", json!("0.9.0"), "metadata.provenance.wit_version"),
        ("/candle_close", json!("2020-01-01T00:00:00+00:00"), "candle_close"),
        ("/signal_summary", json!("because"), "signal_summary"),
        ("/indicators", json!([]), "indicators"),
    ] {
        set(pointer, value).await;
        assert_eq!(store.differences(id).await, [field], "{pointer}");
    }
    let mut more = stored.clone();
    more["quantity_2"] = json!(1);
    more.as_object_mut().unwrap().remove("rationale");
    store.rewrite(id, &more.to_string()).await;
    assert_eq!(store.differences(id).await, ["quantity_2", "rationale"]);
    let mut traced = stored.clone();
    traced["_otel_trace_headers"] = json!({"traceparent": 5});
    store.rewrite(id, &traced.to_string()).await;
    assert_eq!(store.differences(id).await, ["_otel_trace_headers"], "it was on no trace");
    // The same values with different bytes.
    store.rewrite(id, &serde_json::to_string_pretty(&stored).unwrap()).await;
    assert_eq!(store.differences(id).await, ["*"]);
    for (pointer, value, cause) in [
        ("/metadata/provenance/module_digest", json!(ModuleDigest::of(b"other").to_string()), "other_identity"),
        ("/metadata/provenance/parameter_hash", json!("00".repeat(32)), "other_identity"),
        ("/metadata/provenance/candle_close", json!(0), "other_identity"),
        ("/metadata/provenance/window_hash", json!("00".repeat(32)), "candles_changed"),
        ("/metadata/provenance/window_hash", json!("none"), "unreadable_message"),
        ("/metadata/provenance", Json::Null, "unreadable_message"),
        ("/metadata", json!([[]]), "unreadable_message"),
        ("/metadata/strategy_config/parameters", json!({}), "unknown_parameters"),
        ("/metadata/strategy_config/parameters", json!({"period": "14", "wrong": 1}), "unknown_parameters"),
    ] {
        set(pointer, value).await;
        assert_eq!(store.cause(id).await, cause, "{pointer}");
    }
    for message in ["", "null", "no JSON", "[]", &"[".repeat(100_000)] {
        store.rewrite(id, message).await;
        assert_eq!(store.cause(id).await, "unreadable_message", "{message:.10}");
    }
    store.rewrite(id, &signal.message).await;
    assert!(store.is_equal(id).await);
    store.sql(&format!("UPDATE signals SET symbol = 'ETHUSDT' WHERE signal_id = '{id}'")).await;
    assert_eq!(store.cause(id).await, "other_identity");
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_that_are_gone_or_damaged_are_told() {
    let store = Store::with_signals().await;
    let signals = store.signals().await;
    let by_strategy: BTreeMap<StrategyId, &StoredSignal> =
        signals.iter().map(|signal| (signal.strategy.clone(), signal)).collect();
    let mut of_each = by_strategy.values();
    let (gone, damaged) = (of_each.next().unwrap(), of_each.next().unwrap());
    let digest =
        |signal: &StoredSignal| signal.json()["metadata"]["provenance"]["module_digest"].as_str().unwrap().to_owned();
    store.sql(&format!("DELETE FROM strategy_modules WHERE digest = '{}'", digest(gone))).await;
    let zeroes = "UPDATE strategy_modules SET bytes = zeroblob(size)";
    store.sql(&format!("{zeroes} WHERE digest = '{}'", digest(damaged))).await;
    assert_eq!(store.cause(&gone.id).await, "unknown_module");
    assert_eq!(store.cause(&damaged.id).await, "damaged_module");
    let (code, answer) = store.command(&[&damaged.id]);
    assert_eq!((code, &answer["cause"]["code"]), (Some(4), &json!("damaged_module")));
    assert_eq!((&answer["module_digest"], &answer["outcome"]), (&json!(digest(damaged)), &Json::Null));
    let told = answer["cause"]["message"].as_str().unwrap();
    assert!(told.contains(&digest(damaged)) && told.contains("STRATEGIES_DIR"), "{told}");

    // A failure is not remembered: the next replay tries again.
    let bytes = ta_bot_tests::built_in::bytes(gone.strategy.as_str()).unwrap();
    let modules = ta_bot_drivers::sqlite::modules::SqliteModules::new(
        ta_bot_drivers::sqlite::Database::open(store.folder.path()).await.unwrap(),
    );
    ta_bot_engine::modules::module_store::ModuleStore::put(&modules, &bytes).await.unwrap();
    assert!(store.is_equal(&gone.id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_all_answered() {
    let store = Store::with_signals().await;
    let signals = store.signals().await;
    let mut replays = JoinSet::new();
    for id in signals.iter().chain(&signals).map(|signal| signal.id.clone()) {
        let replayer = std::sync::Arc::clone(&store.app.replayer);
        replays.spawn(async move { replayer.replay(&id.parse().unwrap()).await.unwrap().unwrap() });
    }
    let all = replays.join_all().await;
    assert_eq!(all.len(), 2 * signals.len());
    for replay in all {
        assert_eq!(replay.verdict(), Verdict::Equal, "{replay:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_tells_its_verdict_by_its_exit_code() {
    let store = Store::with_signals().await;
    let signals = store.signals().await;
    let id = signals[0].id.as_str();
    let (code, answer) = store.command(&[id]);
    assert_eq!((code, &answer["verdict"], &answer["signal_id"]), (Some(0), &json!("equal"), &json!(id)));
    let text = store.run(&[id]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("EQUAL") && text.contains(id) && text.contains("BTCUSDT 15m"), "{text}");

    let mut message = signals[0].json();
    message["rationale"] = json!("\u{1b}[31m because\nit said so");
    store.rewrite(id, &message.to_string()).await;
    let (code, answer) = store.command(&[id]);
    assert_eq!((code, &answer["verdict"]), (Some(3), &json!("different")));
    let text = String::from_utf8(store.run(&[id]).stdout).unwrap();
    assert!(text.contains("DIFFERENT") && text.contains("rationale") && !text.contains('\u{1b}'), "{text}");

    store.sql("DELETE FROM candles").await;
    let (code, answer) = store.command(&[id]);
    assert_eq!((code, &answer["cause"]["code"]), (Some(4), &json!("candles_missing")));
    let text = String::from_utf8(store.run(&[id]).stdout).unwrap();
    assert!(text.contains("IMPOSSIBLE (candles_missing)"), "{text}");

    let (code, answer) = store.command(&[&"ab".repeat(32)]);
    assert_eq!((code, &answer["error"]["code"]), (Some(1), &json!("unknown_signal")));
    // Neither an id nor a file.
    let (code, answer) = store.command(&["ab"]);
    assert_eq!((code, &answer["error"]["code"]), (Some(1), &json!("unreadable_file")));
    for wrong in [&[][..], &["", ""]] {
        let (code, answer) = store.command(wrong);
        assert_eq!((code, &answer["error"]["code"]), (Some(2), &json!("usage")));
    }
}
