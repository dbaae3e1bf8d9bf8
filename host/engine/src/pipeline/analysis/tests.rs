use ta_bot_core::SettingsPatch;

use super::*;
use crate::testing::{Engine, author, settings};

const M15: Timeframe = Timeframe::M15;

async fn engine() -> Engine {
    Engine::with_strategies(settings(), &["rsi", "macd"]).await
}

#[tokio::test]
async fn every_enabled_strategy_looks_at_the_candle() {
    let engine = engine().await;
    let job = engine.fall("BTCUSDT", M15, 300).await;
    let analysis = engine.analyst.analyse(&job, None).await.unwrap();
    let ids: Vec<&str> = analysis.outcomes.iter().map(|outcome| outcome.strategy.as_str()).collect();
    assert_eq!((ids, &analysis.job, analysis.revision), (vec!["macd", "rsi"], &job, 0));
    let patch = SettingsPatch {
        enabled_strategies: Some(ta_bot_core::Enabled::Only(vec!["rsi".parse().unwrap()])),
        ..SettingsPatch::default()
    };
    engine.books.settings.change(patch, None, false, &author()).await.unwrap();
    let analysis = engine.analyst.analyse(&job, None).await.unwrap();
    assert_eq!(analysis.outcomes.len(), 1);
}

#[tokio::test]
async fn a_falling_market_makes_a_signal_that_names_its_inputs() {
    let engine = engine().await;
    let job = engine.fall("BTCUSDT", M15, 300).await;
    let analysis = engine.analyst.analyse(&job, Some("00-trace-01")).await.unwrap();
    let again = engine.analyst.analyse(&job, Some("00-trace-01")).await.unwrap();
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
    let missing = engine.analyst.analyse(&next, None).await;
    assert!(matches!(missing, Err(AnalysisError::NoCandle(of)) if of == next));
    // An older candle is evaluated as it was at its close: later candles are not seen.
    let older = Job { candle_close: job.candle_close.plus_millis(-M15.millis()), ..job };
    let analysis = engine.analyst.analyse(&older, None).await.unwrap();
    assert_eq!(analysis.job, older);
}

#[tokio::test]
async fn a_market_that_is_too_young_is_no_failure() {
    let engine = engine().await;
    let job = engine.fall("BTCUSDT", M15, 3).await;
    let analysis = engine.analyst.analyse(&job, None).await.unwrap();
    assert_eq!(analysis.candles, 3);
    for outcome in &analysis.outcomes {
        let is_young = matches!(&outcome.outcome, Outcome::Error(error) if !error.is_failure());
        assert!(is_young || matches!(outcome.outcome, Outcome::None), "{outcome:?}");
    }
}
