//! Replays of signals by the rules of the host that made them.

use ta_bot_core::{Candle, CandleWindow, Job, LevelsOfLog, MessageForm, MessageRules, SettingsPatch, SignalTimestamp};
use ta_bot_wasm::{Limits, Sandbox};

use super::*;
use crate::{
    evaluation::{HOST_VERSION, Origin},
    testing::{BEGIN, Engine, author, falling, settings, symbol},
};

const M15: Timeframe = Timeframe::M15;

/// A market in which RSI buys the last candle, with a row in it that is no candle.
async fn market() -> (Engine, Job) {
    let engine = Engine::with_strategies(settings(), &["rsi"]).await;
    let mut candles = falling(M15, 300);
    candles[280].low = 0.0;
    engine.candles.insert(&symbol("BTCUSDT"), M15, &candles).await.unwrap();
    let job = Job { symbol: symbol("BTCUSDT"), timeframe: M15, candle_close: BEGIN.plus_millis(300 * M15.millis()) };
    (engine, job)
}

/// How many candles RSI looks at.
fn lookback(engine: &Engine) -> u32 {
    engine.registry.get(&"rsi".parse().unwrap()).unwrap().description().lookback
}

/// Stores the signal that a host of this version makes of these candles.
async fn stored(engine: &Engine, job: &Job, host_version: &str, candles: Vec<Candle>) -> SignalId {
    stored_by(engine, job, Origin { host_version, ..Origin::NONE }, candles).await
}

/// Stores the signal of this origin that follows from these candles.
async fn stored_by(engine: &Engine, job: &Job, origin: Origin<'_>, candles: Vec<Candle>) -> SignalId {
    let module = engine.registry.get(&"rsi".parse().unwrap()).unwrap();
    let parameters = engine.analyst.parameters.resolve(&module, &job.symbol, &LevelsOfLog::default()).parameters;
    let window = CandleWindow::new(candles).unwrap();
    let inputs = Inputs {
        module: &module,
        parameters: &parameters,
        job,
        base: window.newest(usize::MAX),
        extra: &[],
        settings: &everything_goes_out(),
        origin,
    };
    let Outcome::Signal(signal) = inputs.evaluate().outcome else { panic!("RSI buys what has fallen") };
    engine.outbox.add(std::slice::from_ref(&signal), Timestamp::now()).await.unwrap();
    signal.id
}

async fn replay(engine: &Engine, id: &SignalId) -> Replay {
    let sandbox = Sandbox::new(Limits::default(), None).unwrap();
    let replayer = Replayer::new(Sources {
        outbox: Arc::clone(&engine.outbox),
        candles: Arc::clone(&engine.candles),
        modules: Arc::new(ModuleLoader::new(engine.modules.clone(), Arc::clone(&engine.registry), sandbox)),
        threads: Arc::clone(&engine.analyst.threads),
    });
    replayer.replay(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn signals_of_the_version_that_took_every_row_are_replayed_from_every_row() {
    let (engine, job) = market().await;
    let rows = engine.candles.as_stored(&job.symbol, M15, job.candle_close, lookback(&engine)).await.unwrap();
    assert!(rows.iter().any(|candle| candle.low == 0.0));
    let id = stored(&engine, &job, "0.1.0", rows).await;
    assert_eq!(replay(&engine, &id).await.verdict(), Verdict::Equal);
}

#[tokio::test]
async fn signals_of_this_version_are_replayed_from_sound_candles_only() {
    let (engine, job) = market().await;
    let sound = engine.candles.newest(&job.symbol, M15, job.candle_close, lookback(&engine)).await.unwrap().candles;
    assert!(sound.len() == lookback(&engine) as usize && sound.iter().all(|candle| candle.low > 0.0));
    let id = stored(&engine, &job, HOST_VERSION, sound).await;
    assert_eq!(replay(&engine, &id).await.verdict(), Verdict::Equal);
}

#[tokio::test]
async fn a_signal_of_this_version_that_was_made_of_a_bad_row_is_not_called_equal() {
    let (engine, job) = market().await;
    let rows = engine.candles.as_stored(&job.symbol, M15, job.candle_close, lookback(&engine)).await.unwrap();
    let id = stored(&engine, &job, HOST_VERSION, rows).await;
    let replay = replay(&engine, &id).await;
    assert!(matches!(replay.cause, Some(Cause::CandlesChanged { .. })), "{replay:?}");
}

#[tokio::test]
async fn a_signal_of_accepted_holes_is_made_again_after_they_are_accepted_no_more() {
    let (engine, job) = market().await;
    let accept = async |series: &[&str]| {
        let accepted_holes = Some(series.iter().map(|one| one.parse().unwrap()).collect());
        let patch = SettingsPatch { accepted_holes, ..SettingsPatch::default() };
        engine.books.settings.change(patch, None, false, &author()).await.unwrap();
    };
    let signals = async || engine.analyst.analyse(&job).await.unwrap().signals().cloned().collect::<Vec<_>>();
    assert_eq!(signals().await, []);
    accept(&["BTCUSDT 15m"]).await;
    let made = signals().await;
    assert_eq!(made[0].provenance.holes[0].missing, 1);
    engine.outbox.add(&made, Timestamp::now()).await.unwrap();
    accept(&[]).await;
    assert_eq!(signals().await, []);
    assert_eq!(replay(&engine, &made[0].id).await.verdict(), Verdict::Equal);
}

/// The candles that RSI sees.
async fn sound(engine: &Engine, job: &Job) -> Vec<Candle> {
    engine.candles.newest(&job.symbol, M15, job.candle_close, lookback(engine)).await.unwrap().candles
}

#[tokio::test]
async fn a_signal_that_says_when_it_was_emitted_is_replayed_with_the_moment_of_its_commit() {
    let (engine, job) = market().await;
    let rules = MessageRules { timestamp: SignalTimestamp::Emitted, ..MessageRules::default() };
    let id = stored_by(&engine, &job, Origin { rules, ..Origin::NONE }, sound(&engine, &job).await).await;
    let message = engine.outbox.signal(&id).await.unwrap().unwrap().json();
    assert_ne!(message["timestamp"], message["candle_close"]);
    assert_eq!(replay(&engine, &id).await.verdict(), Verdict::Equal);
}

#[tokio::test]
async fn a_simulated_market_and_a_trace_are_taken_from_the_message() {
    let (engine, job) = market().await;
    let rules = MessageRules { is_simulated: true, ..MessageRules::default() };
    let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let id = stored_by(&engine, &job, Origin { traceparent, rules, ..Origin::NONE }, sound(&engine, &job).await).await;
    let message = engine.outbox.signal(&id).await.unwrap().unwrap().json();
    assert!(message["simulated"] == true && message["_otel_trace_headers"].is_object(), "{message}");
    assert_eq!(replay(&engine, &id).await.verdict(), Verdict::Equal);
}

/// Messages of versions before 2.0.0 lack fields that this version writes, and always have a trace.
#[tokio::test]
async fn messages_of_the_form_before_are_replayed_in_that_form() {
    let (engine, job) = market().await;
    let rules = MessageRules { form: MessageForm::First, ..MessageRules::default() };
    let origin = Origin { rules, host_version: "0.2.0", ..Origin::NONE };
    let id = stored_by(&engine, &job, origin, sound(&engine, &job).await).await;
    let message = engine.outbox.signal(&id).await.unwrap().unwrap().json();
    assert!(message.get("candle_close").is_none() && message["_otel_trace_headers"].is_object(), "{message}");
    assert_eq!(replay(&engine, &id).await.verdict(), Verdict::Equal);
}
