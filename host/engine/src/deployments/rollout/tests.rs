use ta_bot_core::{DeploymentAction, DeploymentRequest, StrategyId, TransitionError};

use super::*;
use crate::{
    support::store_error::WriteError,
    testing::{Engine, author, settings, strategy, variant},
};

/// Creates an engine with the bundled RSI. Returns it with the close of its newest BTCUSDT 15m candle.
async fn engine() -> (Engine, Timestamp) {
    let engine = Engine::with_strategies(settings(), &["rsi"]).await;
    let job = engine.fall("BTCUSDT", ta_bot_core::Timeframe::M15, 4).await;
    (engine, job.candle_close)
}

fn rsi() -> StrategyId {
    "rsi".parse().unwrap()
}

async fn change(engine: &Engine, request: DeploymentRequest, expected: Option<i64>) -> Result<Deployed, RolloutError> {
    engine.books.rollout.change(&rsi(), request, expected, false, author()).await
}

fn activate(module: ModuleDigest) -> DeploymentRequest {
    DeploymentRequest::activate(Some(module))
}

#[tokio::test]
async fn an_admitted_module_decides_from_the_next_candle_on() {
    let (engine, newest) = engine().await;
    let module = engine.keep(&variant("rsi", 1), true).await;
    let Deployed::Added(entry) = change(&engine, activate(module), None).await.unwrap() else { panic!("not added") };
    assert_eq!((entry.revision, entry.change.action), (1, DeploymentAction::Activate));
    assert!(entry.from > newest, "what is stored already may be under way");
    // The module is installed and in use when the change returns.
    let decides = |close| {
        let deciding = engine.registry.deciding_on(close, |_| true).ok().unwrap();
        deciding.modules.iter().map(|module| module.digest()).collect::<Vec<_>>()
    };
    assert_eq!(decides(entry.from), [module]);
    assert_eq!(decides(newest), [ModuleDigest::of(&strategy("rsi"))]);
}

#[tokio::test]
async fn what_holds_already_is_not_written_again() {
    let (engine, _) = engine().await;
    let module = engine.keep(&variant("rsi", 1), true).await;
    change(&engine, activate(module), None).await.unwrap();
    assert_eq!(change(&engine, activate(module), None).await.unwrap(), Deployed::Unchanged);
    assert_eq!(engine.registry.log().revision(), 1);
}

#[tokio::test]
async fn a_check_alone_stores_nothing() {
    let (engine, _) = engine().await;
    let module = engine.keep(&variant("rsi", 1), true).await;
    let checked = engine.books.rollout.change(&rsi(), activate(module), None, true, author()).await.unwrap();
    assert_eq!((checked, engine.registry.log().revision()), (Deployed::Valid, 0));
}

#[tokio::test]
async fn a_change_on_a_condition_fails_if_another_was_quicker() {
    let (engine, _) = engine().await;
    let module = engine.keep(&variant("rsi", 1), true).await;
    change(&engine, activate(module), Some(0)).await.unwrap();
    let late = change(&engine, DeploymentRequest::Disable, Some(0)).await;
    assert!(matches!(late, Err(RolloutError::Write(WriteError::Conflict { expected: 0, current: 1 }))), "{late:?}");
    change(&engine, DeploymentRequest::Disable, Some(1)).await.unwrap();
}

#[tokio::test]
async fn a_module_is_refused_with_its_reason() {
    let (engine, _) = engine().await;
    let unknown = ModuleDigest::of(b"never kept");
    let refused = change(&engine, activate(unknown), None).await;
    assert!(
        matches!(refused, Err(RolloutError::Transition(TransitionError::UnknownModule(module))) if module == unknown)
    );
    let not_admitted = engine.keep(&variant("rsi", 1), false).await;
    let refused = change(&engine, activate(not_admitted), None).await;
    assert!(matches!(refused, Err(RolloutError::Transition(TransitionError::NotAdmitted(_)))), "{refused:?}");
    let other = engine.keep(&strategy("macd"), true).await;
    let refused = change(&engine, activate(other), None).await;
    assert!(matches!(refused, Err(RolloutError::OtherStrategy { holds, .. }) if holds.as_str() == "macd"));
    let nobody: StrategyId = "nobody".parse().unwrap();
    let refused = engine.books.rollout.change(&nobody, DeploymentRequest::Enable, None, false, author()).await;
    assert!(matches!(refused, Err(RolloutError::UnknownStrategy(_))), "{refused:?}");
    assert_eq!(engine.registry.log().revision(), 0, "nothing of it was stored");
}

#[tokio::test]
async fn a_rollback_leads_back_to_the_bundled_module() {
    let (engine, _) = engine().await;
    let module = engine.keep(&variant("rsi", 1), true).await;
    change(&engine, activate(module), None).await.unwrap();
    change(&engine, DeploymentRequest::RollBack(None), None).await.unwrap();
    let incumbent = engine.books.rollout.incumbent(&rsi()).await.unwrap().unwrap();
    assert_eq!(incumbent.digest(), ModuleDigest::of(&strategy("rsi")));
}

#[tokio::test]
async fn a_log_that_was_never_read_is_not_known() {
    let (engine, _) = engine().await;
    assert!(engine.books.rollout.known().is_ok());
    let fresh = Rollout::new(Parts {
        store: Arc::clone(&engine.books.rollout.parts.store),
        modules: Arc::clone(&engine.books.rollout.parts.modules),
        loader: Arc::clone(&engine.books.rollout.parts.loader),
        registry: Arc::clone(&engine.registry),
        parameters: Arc::clone(&engine.books.parameters),
        settings: Arc::clone(&engine.books.settings),
        candles: Arc::clone(&engine.candles),
    });
    assert!(matches!(fresh.known(), Err(StoreError::Unavailable { store: "deployments", .. })));
}
