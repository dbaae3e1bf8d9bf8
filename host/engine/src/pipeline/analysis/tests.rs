use ta_bot_core::{Candle, Level, SettingsPatch};

use super::*;
use crate::settings::config_store::ConfigStore as _;
use crate::testing::{BEGIN, Engine, author, falling, settings, symbol};

const M15: Timeframe = Timeframe::M15;

async fn engine() -> Engine {
    Engine::with_strategies(settings(), &["rsi", "macd"]).await
}

#[tokio::test]
async fn every_enabled_strategy_looks_at_the_candle() {
    let engine = engine().await;
    let job = engine.fall("BTCUSDT", M15, 300).await;
    let analysis = engine.analyst.analyse(&job).await.unwrap();
    let ids: Vec<&str> = analysis.outcomes.iter().map(|outcome| outcome.strategy.as_str()).collect();
    assert_eq!((ids, &analysis.job, analysis.revision), (vec!["macd", "rsi"], &job, 0));
    let patch = SettingsPatch {
        enabled_strategies: Some(ta_bot_core::Enabled::Only(vec!["rsi".parse().unwrap()])),
        ..SettingsPatch::default()
    };
    engine.books.settings.change(patch, None, false, &author()).await.unwrap();
    let analysis = engine.analyst.analyse(&job).await.unwrap();
    assert_eq!(analysis.outcomes.len(), 1);
}

#[tokio::test]
async fn a_falling_market_makes_a_signal_that_names_its_inputs() {
    let engine = engine().await;
    let job = engine.fall("BTCUSDT", M15, 300).await;
    let traced = Span::begin(Some("00-trace-01"), || unreachable!("nothing is recorded"));
    let look = async || {
        let prepared = engine.analyst.prepare(&job).await.unwrap();
        engine.analyst.look(prepared, &traced, None).await.unwrap()
    };
    let (analysis, again) = (look().await, look().await);
    let signal = analysis.signals().find(|signal| signal.strategy.as_str() == "rsi").expect("RSI buys what has fallen");
    let same = again.signals().find(|signal| signal.strategy.as_str() == "rsi").unwrap();
    assert_eq!((&signal.message, &signal.id), (&same.message, &same.id));
    let decided = analysis.outcomes.iter().find(|outcome| outcome.strategy == signal.strategy).unwrap();
    assert_eq!(signal.provenance.module_digest, decided.digest.to_string());
}

#[tokio::test]
async fn a_candle_that_is_not_stored_is_told_and_one_before_it_is_not_taken_for_it() {
    let engine = engine().await;
    let job = engine.fall("BTCUSDT", M15, 300).await;
    let next = Job { candle_close: job.candle_close.plus_millis(M15.millis()), ..job.clone() };
    let missing = engine.analyst.analyse(&next).await;
    assert!(matches!(missing, Err(AnalysisError::NoCandle(of)) if of == next));
    // An older candle is evaluated as it was at its close: later candles are not seen.
    let older = Job { candle_close: job.candle_close.plus_millis(-M15.millis()), ..job };
    let analysis = engine.analyst.analyse(&older).await.unwrap();
    assert_eq!(analysis.job, older);
}

#[tokio::test]
async fn a_candle_with_a_bad_row_is_told_and_one_before_it_is_not_taken_for_it() {
    let engine = engine().await;
    let job = engine.fall("BTCUSDT", M15, 300).await;
    let next = Job { candle_close: job.candle_close.plus_millis(M15.millis()), ..job.clone() };
    let zero = Candle { open_time: job.candle_close, open: 1.0, high: 1.0, low: 0.0, close: 0.0, volume: 1.0 };
    engine.candles.insert(&job.symbol, M15, &[zero]).await.unwrap();
    let error = engine.analyst.analyse(&next).await.unwrap_err();
    assert!(matches!(&error, AnalysisError::Refused { job, problem } if *job == next && problem.code() == "unsound"));
    assert!(error.to_string().contains("low is 0: a price is above zero"), "{error}");
    // On request, the newest candle that can be used is looked at.
    let now = next.candle_close.plus_millis(1);
    let newest = newest(&engine.candles, &job.symbol, M15, now).await.unwrap().unwrap();
    assert_eq!((newest.job, newest.refused.unwrap().candles), (job, 1));
}

#[tokio::test]
async fn a_market_that_is_too_young_is_no_failure() {
    let engine = engine().await;
    let job = engine.fall("BTCUSDT", M15, 3).await;
    let analysis = engine.analyst.analyse(&job).await.unwrap();
    assert_eq!(analysis.candles, 3);
    for outcome in &analysis.outcomes {
        let is_young = matches!(&outcome.outcome, Outcome::Error(error) if !error.is_failure());
        assert!(is_young || matches!(outcome.outcome, Outcome::None), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_strategy_is_not_asked_unless_its_extra_series_is_there_whole_and_up_to_date() {
    let engine = Engine::with_strategies(settings(), &["multi_timeframe_trend_continuation"]).await;
    let job = engine.fall("BTCUSDT", M15, 400).await;
    let gap = async || {
        let outcome = engine.analyst.analyse(&job).await.unwrap().outcomes.remove(0);
        assert!(outcome.duration.is_zero() || !matches!(outcome.outcome, Outcome::Gap(_)));
        if let Outcome::Gap(gap) = outcome.outcome { Some(gap.code()) } else { None }
    };
    let status = |status| {
        let rendered = engine.analyst.metrics.render().unwrap().collect::<String>();
        rendered
            .lines()
            .any(|line| line.contains("executions_total{") && line.contains(status) && !line.ends_with(" 0"))
    };
    assert_eq!(gap().await, Some("missing_series"));
    assert!(status("status=\"gap\"") && !status("status=\"success\""));
    // Hours that end with the last one before the candle's close.
    let later = Timeframe::H1.open_of(job.candle_close).millis() - BEGIN.millis() - 900 * Timeframe::H1.millis();
    let later = |candle: Candle| Candle { open_time: candle.open_time.plus_millis(later), ..candle };
    let hours: Vec<Candle> = falling(Timeframe::H1, 900).into_iter().map(later).collect();
    engine.candles.insert(&job.symbol, Timeframe::H1, &hours[..890]).await.unwrap();
    assert_eq!(gap().await, Some("stale_series"));
    engine.candles.insert(&job.symbol, Timeframe::H1, &hours[890..]).await.unwrap();
    assert_eq!(gap().await, None);
    assert!(status("status=\"success\""));
}

#[tokio::test]
async fn a_hole_in_an_extra_series_is_a_gap_until_it_is_accepted() {
    let engine = Engine::with_strategies(settings(), &["multi_timeframe_trend_continuation"]).await;
    let job = engine.fall("BTCUSDT", M15, 400).await;
    let hour = Timeframe::H1;
    let newest = hour.open_of(job.candle_close);
    let lookback = engine.registry.get(&"multi_timeframe_trend_continuation".parse().unwrap()).unwrap();
    let lookback = i64::from(lookback.description().extra[0].lookback);
    let mut hours = falling(hour, lookback + 1);
    for (index, candle) in hours.iter_mut().enumerate() {
        candle.open_time = newest.plus_millis((index as i64 - lookback - 1) * hour.millis());
    }
    let missing = hours.remove(hours.len() - 5);
    engine.candles.insert(&job.symbol, hour, &hours).await.unwrap();
    let outcome = async || engine.analyst.analyse(&job).await.unwrap().outcomes.remove(0);
    let gap = outcome().await;
    let Outcome::Gap(of) = &gap.outcome else { panic!("{gap:?}") };
    assert_eq!(of.code(), "hole");
    for told in ["BTCUSDT 1h", &missing.open_time.to_string(), "accepted_holes"] {
        assert!(of.to_string().contains(told), "{of}");
    }
    let patch = SettingsPatch { accepted_holes: Some(vec!["BTCUSDT 1h".parse().unwrap()]), ..SettingsPatch::default() };
    engine.books.settings.change(patch, None, false, &author()).await.unwrap();
    let accepted = outcome().await;
    assert!(!matches!(accepted.outcome, Outcome::Gap(_)), "{accepted:?}");
    assert_eq!(accepted.holes, gap.holes);
    assert_eq!((accepted.holes[0].timeframe, accepted.holes[0].missing), (hour, 1));
}

#[tokio::test]
async fn refused_candles_are_named_and_no_strategy_is_asked_beside_them() {
    let engine = engine().await;
    let mut candles = falling(M15, 300);
    (candles[297].low, candles[297].close) = (0.0, 0.0);
    (candles[294].high, candles[294].low) = (candles[294].low, candles[294].high);
    // So far back that no window reaches it.
    candles[1].low = 0.0;
    engine.candles.insert(&symbol("BTCUSDT"), M15, &candles).await.unwrap();
    let job = Job { symbol: symbol("BTCUSDT"), timeframe: M15, candle_close: BEGIN.plus_millis(299 * M15.millis()) };
    let mut analysis = engine.analyst.analyse(&job).await.unwrap();
    assert!(analysis.outcomes.iter().all(|outcome| matches!(outcome.outcome, Outcome::Gap(_))), "{analysis:?}");
    let refused = &analysis.refused[0];
    let opened: Vec<_> = refused.newest.iter().map(|candle| candle.open_time).collect();
    assert_eq!((refused.candles, opened), (2, vec![candles[294].open_time, candles[297].open_time]));
    assert!(refused.newest[1].problem.to_string().contains("a price is above zero"), "{refused:?}");
    let newer = RefusedCandles { candles: 30, newest: vec![refused.newest[0].clone(); 10], ..refused.clone() };
    analysis.add_refused(newer.clone());
    assert_eq!((analysis.refused.len(), analysis.refused[0].candles), (1, 32));
    assert_eq!(analysis.refused[0].newest, newer.newest, "the list stays short");
}

#[tokio::test]
async fn a_paused_strategy_is_not_asked_and_goes_on_as_it_was() {
    let engine = engine().await;
    let job = engine.fall("BTCUSDT", M15, 300).await;
    let rsi = async || {
        let analysis = engine.analyst.analyse(&job).await.unwrap();
        analysis.outcomes.into_iter().find(|outcome| outcome.strategy.as_str() == "rsi").unwrap().outcome
    };
    let Outcome::Signal(before) = rsi().await else { panic!("RSI buys what has fallen") };
    let counted =
        || engine.analyst.metrics.render().unwrap().filter(|text| text.contains("executions")).collect::<String>();
    let set = async |symbol: Option<&str>, enabled: &serde_json::Value| {
        let key = ConfigKey { strategy: "rsi".parse().unwrap(), symbol: symbol.map(|name| name.parse().unwrap()) };
        let level = serde_json::json!({"enabled": enabled}).as_object().cloned();
        // Past the book, as another service may write it.
        engine.config.write(&key, level.as_ref(), None, &author()).await.unwrap();
        engine.books.parameters.refresh().await.unwrap();
    };
    set(None, &false.into()).await;
    let executions = counted();
    let paused = rsi().await;
    assert!(matches!(paused, Outcome::Skipped(SkipReason::Paused(Level::Global))), "{paused:?}");
    let of_rsi =
        |text: &str| text.lines().filter(|line| line.contains("\"rsi\"")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(of_rsi(&counted()), of_rsi(&executions), "it was not run, so nothing is counted");
    // What is neither true nor false is no permission to run.
    set(None, &"yes".into()).await;
    let misconfigured = rsi().await;
    let Outcome::Error(error) = &misconfigured else { panic!("{misconfigured:?}") };
    assert_eq!(error.status(), ExecutionStatus::Misconfigured);
    assert!(error.to_string().contains("enabled is \"yes\": set it to true or false"), "{error}");
    set(Some("BTCUSDT"), &true.into()).await;
    let Outcome::Signal(after) = rsi().await else { panic!("its own level lets it run") };
    assert_eq!(after.id, before.id, "a pause is in no id");
    set(Some("BTCUSDT"), &false.into()).await;
    assert!(matches!(rsi().await, Outcome::Skipped(SkipReason::Paused(Level::Symbol))));
}
