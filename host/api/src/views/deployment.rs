//! The JSON view of a deployment, for the API and the commands.

use serde::Serialize;
use serde_json::{Map, Value};
use ta_bot_core::{DeployedLevel, DeploymentEntry, Shadow, StrategyId, SwitchState};
use utoipa::ToSchema;

use ta_bot_engine::deployments::rollout::{Deployed, Rollout};

use super::warning::MisfitView;

/// The word for the module bundled with the service.
pub const BUNDLED: &str = "bundled";

/// The deployment of a strategy.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentView {
    pub strategy_id: String,
    /// The revision of the newest change, for If-Match: its position in the log of all strategies. 0 if nothing was
    /// ever changed.
    pub revision: i64,
    /// The first candle close that the newest change applies to; null if nothing was ever changed.
    pub decides_from: Option<String>,
    /// The SHA-256 of the module that decides from then on; null if the strategy no longer has one.
    pub module: Option<String>,
    /// Whether the bundled module decides, whichever that is after an update of the service.
    pub bundled: bool,
    /// The version of the strategy, as declared by the module; null if the module is not installed here yet.
    pub version: Option<String>,
    /// The version of the interface that the module implements.
    pub wit_version: Option<&'static str>,
    /// Whether it evaluates candles, unless an operator paused it by its parameter `enabled`.
    pub enabled: bool,
    /// Why it is quarantined and so evaluates no candles even if enabled; null if it is not.
    pub quarantined: Option<String>,
    /// The module that evaluates the same candles without publishing anything; null if there is none.
    pub shadow: Option<ShadowView>,
}

/// A module that evaluates the same candles as the one that decides.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShadowView {
    /// The SHA-256 of the module.
    pub module: String,
    /// The number of compared candles after which it is promoted automatically; null if it is only promoted by hand.
    pub promote_after: Option<u64>,
    /// The largest share of them that may differ for that, from 0 to 1.
    pub promote_at_most: Option<f64>,
    /// Whether it runs although admission refused it.
    pub unadmitted: bool,
}

impl From<&Shadow> for ShadowView {
    fn from(shadow: &Shadow) -> Self {
        Self {
            module: shadow.module.to_string(),
            promote_after: shadow.promote.map(|promotion| promotion.after),
            promote_at_most: shadow.promote.map(|promotion| promotion.most_differing),
            unadmitted: shadow.unadmitted,
        }
    }
}

/// One entry of a strategy's deployment history.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentEntryView {
    pub revision: i64,
    /// `activate`, `roll_back`, `enable`, `disable`, `quarantine`, `lift`, `shadow`, `end_shadow` or `promote`.
    pub action: &'static str,
    /// The first candle close that it applies to.
    pub decides_from: String,
    /// The module that decides from then on; null for the bundled one.
    pub module: Option<String>,
    /// Whether the strategy evaluates candles from then on; null if the application's settings decide that.
    pub enabled: Option<bool>,
    pub quarantined: Option<String>,
    /// The module that evaluates the same candles from then on without publishing anything; null if there is none.
    pub shadow: Option<ShadowView>,
    /// The levels of parameters that this change changed.
    pub parameters: Vec<DeployedLevelView>,
    /// Who made the change: the name of the token, if it has one.
    pub changed_by: String,
    /// Whom the request named as its author, if the token has another name; else null.
    pub claimed_by: Option<String>,
    pub changed_at: String,
    pub reason: Option<String>,
}

/// What a change of the deployment made of one level of the strategy's parameters.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeployedLevelView {
    /// The symbol; null for all symbols.
    pub symbol: Option<String>,
    /// What the level holds from then on; null if nothing.
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Map<String, Value>>,
    /// What it held until then; null if nothing.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Map<String, Value>>,
}

/// A deployment with its history, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentDetail {
    #[serde(flatten)]
    pub deployment: DeploymentView,
    pub history: Vec<DeploymentEntryView>,
}

/// The result of a requested change.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeployedView {
    /// `changed`, `unchanged` if the deployment was like that already, or `valid` if the request was only checked.
    pub outcome: &'static str,
    /// The new entry of the history; null if nothing was changed.
    pub entry: Option<DeploymentEntryView>,
    pub deployment: DeploymentView,
}

impl DeploymentView {
    pub fn of(rollout: &Rollout, id: &StrategyId) -> Self {
        let registry = rollout.registry();
        let log = registry.log();
        let newest = log.newest(id);
        let deployment = newest.map(|entry| entry.change.deployment.clone()).unwrap_or_default();
        let module = registry.get(id);
        let digest = deployment.module.or_else(|| module.as_ref().map(|module| module.digest()));
        let by_settings = || rollout.settings().current().settings.enables(id);
        Self {
            strategy_id: id.to_string(),
            revision: newest.map_or(0, |entry| entry.revision),
            decides_from: newest.map(|entry| entry.from.to_string()),
            module: digest.map(|digest| digest.to_string()),
            bundled: deployment.module.is_none(),
            version: module.as_ref().map(|module| module.description().version.clone()),
            wit_version: module.map(|_| ta_bot_wasm::WIT_VERSION),
            enabled: deployment.enabled.unwrap_or_else(by_settings),
            quarantined: deployment.quarantined,
            shadow: deployment.shadow.as_ref().map(ShadowView::from),
        }
    }

    /// The state of the strategy. `ready`: it can be evaluated. `quarantined`: it failed too often and evaluates no
    /// candles. `paused`: an operator paused it. `misconfigured`: the parameters stored for all symbols do not fit, or
    /// whether it is paused can't be read, so it evaluates no candles.
    pub fn state(&self, switch: &SwitchState, misfits: &[MisfitView]) -> &'static str {
        match (&self.quarantined, switch) {
            (Some(_), _) => "quarantined",
            (None, SwitchState::On) if misfits.iter().any(MisfitView::is_global) => "misconfigured",
            (None, SwitchState::On) => "ready",
            (None, SwitchState::Off) => "paused",
            (None, SwitchState::Unreadable(_)) => "misconfigured",
        }
    }

    /// Whether the strategy evaluates candles, unless it is quarantined, if operators let it run as `switch` says.
    pub fn runs(&self, switch: &SwitchState) -> bool {
        self.enabled && *switch == SwitchState::On
    }
}

impl DeploymentDetail {
    /// The deployment of a strategy, with at most `limit` entries of its history.
    pub fn of(rollout: &Rollout, id: &StrategyId, limit: usize) -> Self {
        let log = rollout.registry().log();
        let history = log.of(id).iter().rev().take(limit).map(DeploymentEntryView::from).collect();
        Self { deployment: DeploymentView::of(rollout, id), history }
    }
}

impl DeployedView {
    /// The outcome of a change that was only checked.
    pub const VALID: &str = "valid";

    pub fn new(rollout: &Rollout, id: &StrategyId, deployed: &Deployed) -> Self {
        let (outcome, entry) = match deployed {
            Deployed::Added(entry) => ("changed", Some(DeploymentEntryView::from(&**entry))),
            Deployed::Unchanged => ("unchanged", None),
            Deployed::Valid => (Self::VALID, None),
        };
        Self { outcome, entry, deployment: DeploymentView::of(rollout, id) }
    }
}

impl From<&DeploymentEntry> for DeploymentEntryView {
    fn from(entry: &DeploymentEntry) -> Self {
        let change = &entry.change;
        Self {
            revision: entry.revision,
            action: change.action.as_str(),
            decides_from: entry.from.to_string(),
            module: change.deployment.module.map(|digest| digest.to_string()),
            enabled: change.deployment.enabled,
            quarantined: change.deployment.quarantined.clone(),
            shadow: change.deployment.shadow.as_ref().map(ShadowView::from),
            parameters: change.deployment.parameters.iter().map(DeployedLevelView::from).collect(),
            changed_by: change.changed_by.clone(),
            claimed_by: change.claimed_by.clone(),
            changed_at: change.at.to_string(),
            reason: change.reason.clone(),
        }
    }
}

impl From<&DeployedLevel> for DeployedLevelView {
    fn from(level: &DeployedLevel) -> Self {
        let DeployedLevel { symbol, parameters, before, .. } = level;
        let symbol = symbol.as_ref().map(ToString::to_string);
        Self { symbol, parameters: parameters.clone(), before: before.clone() }
    }
}
