//! The list of strategies.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use ta_bot_core::{Symbol, Timeframe};
use ta_bot_engine::modules::registry::Progress;
use ta_bot_wasm::{StrategyModule, WIT_VERSION};
use utoipa::ToSchema;

use crate::{
    Services,
    answer::{Answer, Envelope},
    request::{refusals::ReadRefusals, write::Shared},
    views::{deployment::DeploymentView, warning::MisfitView},
};

/// A strategy in brief.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StrategyView {
    id: String,
    /// The same as `id`.
    strategy_id: String,
    name: String,
    description: String,
    version: String,
    /// The SHA-256 of the module.
    digest: String,
    /// The version of the interface that the module implements.
    wit_version: &'static str,
    /// Whether the module is the one bundled with the service.
    bundled: bool,
    /// The revision of its newest deployment; 0 if nothing was ever changed.
    deployment_revision: i64,
    /// Whether it evaluates candles, unless it is quarantined: it is enabled by the settings or its deployment, and not
    /// paused by its parameter `enabled`.
    enabled: bool,
    /// `ready`: it can be evaluated. `quarantined`: it failed too often and evaluates no candles. `paused`: an operator
    /// paused it. `misconfigured`: the parameters stored for all symbols do not fit, or whether it is paused can't be
    /// read, so it evaluates no candles.
    state: &'static str,
    /// What is stored and does not fit: the strategy evaluates no candles where it counts.
    misconfigured: Vec<MisfitView>,
    /// The symbols whose own level has the parameter `enabled`, with its value: it counts there instead of the global
    /// one. Null if it can't be read; then the strategy does not run there.
    enabled_by_symbol: BTreeMap<String, Option<bool>>,
    /// The series on which it keeps failing, at the replica that answers, and evaluates one candle in 17 at most.
    suspended_on: Vec<SuspendedSeries>,
    /// Whether parameters are stored for all symbols.
    has_global_config: bool,
    /// The symbols for which parameters are stored.
    symbol_overrides: Vec<String>,
    parameter_count: usize,
}

/// A series of candles.
#[derive(Debug, Serialize, ToSchema)]
struct SuspendedSeries {
    symbol: String,
    timeframe: &'static str,
}

impl From<(Symbol, Timeframe)> for SuspendedSeries {
    fn from((symbol, timeframe): (Symbol, Timeframe)) -> Self {
        Self { symbol: symbol.to_string(), timeframe: timeframe.as_str() }
    }
}

impl StrategyView {
    pub(super) fn of(services: &Services, module: &StrategyModule) -> Self {
        let description = module.description();
        let (has_global_config, symbols) = services.parameters.stored_levels(&description.id);
        let deployment = DeploymentView::of(&services.rollout, &description.id);
        let switches = services.parameters.switches(&description.id);
        let misfits: Vec<MisfitView> = services.parameters.misfits(module).into_iter().map(MisfitView::from).collect();
        let by_symbol = switches.symbols.iter().map(|(symbol, state)| (symbol.to_string(), state.enabled()));
        Self {
            id: description.id.to_string(),
            strategy_id: description.id.to_string(),
            name: description.name.clone(),
            description: description.description.clone(),
            version: description.version.clone(),
            digest: module.digest().to_string(),
            wit_version: WIT_VERSION,
            bundled: deployment.bundled,
            deployment_revision: deployment.revision,
            enabled: deployment.runs(&switches.all),
            state: deployment.state(&switches.all, &misfits),
            misconfigured: misfits,
            enabled_by_symbol: by_symbol.collect(),
            suspended_on: services
                .ladders
                .suspended_on(&description.id)
                .into_iter()
                .map(SuspendedSeries::from)
                .collect(),
            has_global_config,
            symbol_overrides: symbols.iter().map(ToString::to_string).collect(),
            parameter_count: description.schema.specs().len(),
        }
    }
}

/// Every registered strategy.
///
/// The metadata field `modules` is `ready` if all modules are ready, `loading` if some are still being compiled, and
/// `incomplete` if some can't be used.
#[utoipa::path(
    get,
    path = "/api/v1/strategies",
    operation_id = "list_strategies",
    tag = "strategies",
    responses((status = 200, body = Envelope<Vec<StrategyView>>), ReadRefusals)
)]
pub(super) async fn list(State(services): Shared) -> Answer<Vec<StrategyView>> {
    let strategies = services.registry.strategies();
    let views = strategies.values().map(|module| StrategyView::of(&services, module)).collect();
    let (modules, failed) = match &*services.registry.progress() {
        Progress::Loading => ("loading", Vec::new()),
        Progress::Ready => ("ready", Vec::new()),
        Progress::Incomplete(failed) => ("incomplete", failed.clone()),
    };
    Answer::list(views).with("modules", modules).with("failed", Value::from(failed))
}
