use ta_bot_core::{DeploymentRequest, Timeframe};

use super::*;
use crate::testing::{Engine, author, settings, variant};

fn rsi() -> StrategyId {
    "rsi".parse().unwrap()
}

/// Creates an engine whose RSI has a shadow, and a job whose candle the shadow looks at.
async fn shadowed(promote: Option<Promotion>) -> (Engine, ta_bot_core::Job) {
    let engine = Engine::with_strategies(settings(), &["rsi"]).await;
    let module = engine.keep(&variant("rsi", 1), true).await;
    // The shadow begins before there is a candle, so it looks from the first one on.
    let request = DeploymentRequest::Shadow { module, promote, unadmitted: false };
    engine.books.rollout.change(&rsi(), request, None, false, author()).await.unwrap();
    let job = engine.fall("BTCUSDT", Timeframe::M15, 300).await;
    (engine, job)
}

#[tokio::test]
async fn a_shadow_sees_what_was_decided_and_agrees_with_its_twin() {
    let (engine, job) = shadowed(None).await;
    let (shadows, mut observer) = shadows(&engine.analyst, engine.shadows.clone(), Arc::clone(&engine.bus));
    let candle = look(&engine, &job).await;
    shadows.take(candle.clone());
    let stop = CancellationToken::new();
    let taken = observer.waiting.recv().await.unwrap();
    observer.work_on(taken, &stop).await;
    let began = engine.registry.log().newest(&rsi()).unwrap().revision;
    let counts = engine.shadows.counts(began).await.unwrap();
    assert_eq!((counts.compared(), counts.differing()), (1, 0));
    // The same candle counts once.
    observer.work_on(candle, &stop).await;
    assert_eq!(engine.shadows.counts(began).await.unwrap().compared(), 1);
}

#[tokio::test]
async fn a_shadow_that_reaches_its_thresholds_decides() {
    let (engine, job) = shadowed(Some(Promotion { after: 1, most_differing: 0.0 })).await;
    let (_, mut observer) = shadows(&engine.analyst, engine.shadows.clone(), Arc::clone(&engine.bus));
    let candle = look(&engine, &job).await;
    observer.work_on(candle, &CancellationToken::new()).await;
    let newest = engine.registry.log().newest(&rsi()).unwrap().change.clone();
    assert_eq!(newest.action, ta_bot_core::DeploymentAction::Promote);
    assert_eq!((newest.changed_by.as_str(), newest.deployment.shadow), (AUTHOR, None));
}

/// Analyses the candle. The shadow was installed when it was deployed, so it looks, too.
async fn look(engine: &Engine, job: &ta_bot_core::Job) -> ToCompare {
    engine.analyst.analyse(job).await.unwrap().beside.expect("the shadow looks")
}
