//! A deployment in the words of JSON, for the API and for the commands.

use serde::Serialize;
use ta_bot_core::{DeploymentEntry, Shadow, StrategyId};
use utoipa::ToSchema;

use ta_bot_engine::deployments::rollout::{Deployed, Rollout};

/// The word for the module that came with the service.
pub const BUNDLED: &str = "bundled";

/// The deployment of a strategy.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentView {
    pub strategy_id: String,
    /// The place of the newest change in the log of all strategies, for If-Match; 0 where nothing was ever changed.
    pub revision: i64,
    /// The first candle close that the newest change decides; null where nothing was ever changed.
    pub decides_from: Option<String>,
    /// SHA-256 of the module that decides from then on; null where the strategy has none any more.
    pub module: Option<String>,
    /// Whether that is the one that came with the service, whatever that is after an update.
    pub bundled: bool,
    /// The version of the strategy, as the module says itself; null where the module is not installed here yet.
    pub version: Option<String>,
    /// The version of the interface that the module speaks.
    pub wit_version: Option<&'static str>,
    /// Whether it looks at candles.
    pub enabled: bool,
    /// Why it looks at none although it is enabled; null where it is not quarantined.
    pub quarantined: Option<String>,
    /// The module that looks at the same candles and publishes nothing; null where none does.
    pub shadow: Option<ShadowView>,
}

/// A module that looks beside the one that decides.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShadowView {
    /// SHA-256 of the module.
    pub module: String,
    /// After how many compared candles it decides by itself; null where somebody has to say so.
    pub promote_after: Option<u64>,
    /// If no more than this share of them differ, from 0 to 1.
    pub promote_at_most: Option<f64>,
    /// Whether it looks although admission refused it.
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

/// One line of a strategy's deployments.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentEntryView {
    pub revision: i64,
    /// `activate`, `roll_back`, `enable`, `disable`, `quarantine`, `lift`, `shadow`, `end_shadow` or `promote`.
    pub action: &'static str,
    /// The first candle close that it decides.
    pub decides_from: String,
    /// The module that decides since; null for the one that came with the service.
    pub module: Option<String>,
    /// Whether it looks at candles since; null where the application's settings say so.
    pub enabled: Option<bool>,
    pub quarantined: Option<String>,
    /// The module that looks at the same candles since and publishes nothing; null where none does.
    pub shadow: Option<ShadowView>,
    pub changed_by: String,
    pub changed_at: String,
    pub reason: Option<String>,
}

/// A deployment with its history, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentDetail {
    #[serde(flatten)]
    pub deployment: DeploymentView,
    pub history: Vec<DeploymentEntryView>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeployedView {
    /// `changed`, `unchanged` where it was so already, or `valid` where it was checked only.
    pub outcome: &'static str,
    /// The new line of the history; null where nothing was changed.
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

    /// `ready`: the strategy can be evaluated. `quarantined`: it failed too often and looks at no candle.
    pub const fn state(&self) -> &'static str {
        if self.quarantined.is_some() { "quarantined" } else { "ready" }
    }
}

impl DeploymentDetail {
    /// With at most `limit` lines of its history.
    pub fn of(rollout: &Rollout, id: &StrategyId, limit: usize) -> Self {
        let log = rollout.registry().log();
        let history = log.of(id).iter().rev().take(limit).map(DeploymentEntryView::from).collect();
        Self { deployment: DeploymentView::of(rollout, id), history }
    }
}

impl DeployedView {
    /// The outcome of a change that was checked only.
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
            changed_by: change.changed_by.clone(),
            changed_at: change.at.to_string(),
            reason: change.reason.clone(),
        }
    }
}
