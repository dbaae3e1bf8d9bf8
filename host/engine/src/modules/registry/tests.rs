use ta_bot_core::{Deployment, DeploymentAction, DeploymentChange, Shadow};
use ta_bot_wasm::{Limits, Sandbox};

use super::*;
use crate::testing::{strategy, variant};

/// A registry with the bundled RSI, and two more modules of it.
struct Case {
    registry: Registry,
    rsi: StrategyId,
    bundled: ModuleDigest,
    others: [Arc<StrategyModule>; 2],
}

impl Case {
    fn new() -> Self {
        let sandbox = Sandbox::new(Limits::default(), None).unwrap();
        let load = |bytes: &[u8]| Arc::new(StrategyModule::load(&sandbox, bytes).unwrap());
        let bundled = load(&strategy("rsi"));
        let rsi = bundled.description().id.clone();
        let registry = Registry::new();
        registry.set_bundled(Strategies::from([(rsi.clone(), Arc::clone(&bundled))]), Vec::new());
        Self { registry, rsi, bundled: bundled.digest(), others: [1, 2].map(|number| load(&variant("rsi", number))) }
    }

    /// Follows a log with these deployments, each from that moment on.
    fn follow(&self, deployments: impl IntoIterator<Item = (i64, Deployment)>) {
        let entry = |(index, (from, deployment))| DeploymentEntry {
            revision: index as i64 + 1,
            from: Timestamp::from_millis(from),
            change: DeploymentChange {
                strategy: self.rsi.clone(),
                action: DeploymentAction::Activate,
                deployment,
                changed_by: "ann".to_owned(),
                claimed_by: None,
                reason: None,
                at: Timestamp::from_millis(0),
            },
        };
        let mut log = DeploymentLog::default();
        log.extend(deployments.into_iter().enumerate().map(entry));
        self.registry.follow(&Arc::new(log));
    }

    fn deciding(&self, close: i64) -> Result<Vec<ModuleDigest>, Vec<ModuleDigest>> {
        let deciding = self.registry.deciding_on(Timestamp::from_millis(close), |_| true)?;
        Ok(deciding.modules.iter().map(|module| module.digest()).collect())
    }
}

fn of(module: &StrategyModule) -> Deployment {
    Deployment { module: Some(module.digest()), ..Deployment::default() }
}

#[test]
fn the_bundled_module_decides_until_another_is_deployed() {
    let case = Case::new();
    assert_eq!(case.deciding(9), Ok(vec![case.bundled]));
    case.registry.install(&case.others[0]);
    case.follow([(10, of(&case.others[0])), (20, Deployment::default())]);
    assert_eq!(case.deciding(9), Ok(vec![case.bundled]));
    assert_eq!(case.deciding(10), Ok(vec![case.others[0].digest()]));
    assert_eq!(case.deciding(20), Ok(vec![case.bundled]));
}

#[test]
fn a_module_that_is_not_installed_is_named_and_nothing_else_decides_in_its_place() {
    let case = Case::new();
    case.follow([(10, of(&case.others[0]))]);
    assert_eq!(case.deciding(10), Err(vec![case.others[0].digest()]));
    assert!(case.registry.awaits(&case.rsi));
    assert!(case.registry.get(&case.rsi).is_none(), "the bundled one is not its newest module");
    case.registry.install(&case.others[0]);
    assert_eq!(case.deciding(10), Ok(vec![case.others[0].digest()]));
    assert!(!case.registry.awaits(&case.rsi));
}

#[test]
fn settings_enable_a_strategy_unless_its_deployment_says_more() {
    let case = Case::new();
    let runs = |close, enabled| {
        let deciding = case.registry.deciding_on(Timestamp::from_millis(close), |_| enabled);
        deciding.ok().unwrap().modules.len() == 1
    };
    assert!(runs(0, true) && !runs(0, false));
    let quarantined = Some("it failed".to_owned());
    case.follow([
        (10, Deployment { enabled: Some(true), ..Deployment::default() }),
        (20, Deployment { enabled: Some(false), ..Deployment::default() }),
        (30, Deployment { enabled: Some(true), quarantined, ..Deployment::default() }),
    ]);
    assert!(runs(10, false) && !runs(20, true) && !runs(30, true));
}

#[test]
fn a_shadow_that_is_not_here_misses_candles_and_holds_up_nobody() {
    let case = Case::new();
    let shadow = Shadow { module: case.others[0].digest(), promote: None, unadmitted: false };
    case.follow([(10, Deployment { shadow: Some(shadow), ..Deployment::default() })]);
    let deciding = || case.registry.deciding_on(Timestamp::from_millis(10), |_| true).ok().unwrap();
    assert_eq!(deciding().missing_shadows, [case.others[0].digest()]);
    assert!(deciding().shadows.is_empty() && deciding().modules.len() == 1);
    case.registry.install(&case.others[0]);
    let found = deciding();
    assert_eq!((found.shadows[0].began, found.shadows[0].module.digest()), (1, case.others[0].digest()));
    assert!(found.missing_shadows.is_empty());
}

#[test]
fn a_module_that_the_log_names_no_more_is_let_go() {
    let case = Case::new();
    case.others.iter().for_each(|module| case.registry.install(module));
    case.follow([(10, of(&case.others[0]))]);
    assert!(case.registry.module(case.others[0].digest()).is_some());
    assert!(case.registry.module(case.others[1].digest()).is_none(), "nothing names it");
    assert!(case.registry.module(case.bundled).is_some(), "what came with the service stays");
}
