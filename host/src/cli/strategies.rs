//! `ta-bot strategies`: what the folder of strategies holds.

use std::fmt;

use serde::Serialize;
use ta_bot_api::views::{
    deployment::DeploymentView,
    warning::{MisfitView, WarningView},
};
use ta_bot_core::{StrategyId, Symbol, Timeframe};
use ta_bot_engine::{deployments::rollout::RolloutError, settings::config_store::ConfigKey};
use ta_bot_wasm::{StrategyModule, WIT_VERSION};

use super::{
    Session,
    error::CliError,
    output::{one_line, plain, table},
    parameters::{ParameterView, parameter_table},
};
use crate::app::App;

pub(super) mod compile;
pub(super) mod docs;

/// What `list` and `show` say about a strategy.
#[derive(Serialize)]
struct Strategy {
    id: StrategyId,
    name: String,
    version: String,
    digest: String,
    /// The version of the interface that the module speaks.
    wit_version: &'static str,
    /// Whether the module is the one in the folder.
    bundled: bool,
    /// The revision of the newest change of what is deployed for it; 0 if nothing was ever changed.
    deployment_revision: i64,
    /// Whether it looks at candles, unless it is quarantined.
    enabled: bool,
    /// `ready`, `quarantined`, `paused`, or `misconfigured` if the parameters stored for all symbols do not fit, or
    /// whether it is paused can't be read.
    state: &'static str,
    /// What is stored and does not fit: the strategy evaluates no candles where it counts.
    misconfigured: Vec<MisfitView>,
    lookback: u32,
    /// Empty means all.
    timeframes: Vec<Timeframe>,
    parameter_count: usize,
    #[serde(skip)]
    short_digest: String,
}

impl Strategy {
    fn new(app: &App, module: &StrategyModule) -> Self {
        let description = module.description();
        let deployment = DeploymentView::of(&app.analyst.rollout, &description.id);
        let switch = app.analyst.parameters.switches(&description.id).all;
        let misfits: Vec<_> = app.analyst.parameters.misfits(module).into_iter().map(MisfitView::from).collect();
        Self {
            id: description.id.clone(),
            name: description.name.clone(),
            version: description.version.clone(),
            digest: module.digest().to_string(),
            wit_version: WIT_VERSION,
            bundled: deployment.bundled,
            deployment_revision: deployment.revision,
            enabled: deployment.runs(&switch),
            state: deployment.state(&switch, &misfits),
            misconfigured: misfits,
            lookback: description.lookback,
            timeframes: description.timeframes.clone(),
            parameter_count: description.schema.specs().len(),
            short_digest: module.digest().short(),
        }
    }

    fn timeframes(&self) -> String {
        timeframes(&self.timeframes)
    }
}

/// Timeframes by name; an empty list means all.
pub(super) fn timeframes(timeframes: &[Timeframe]) -> String {
    if timeframes.is_empty() {
        "all".to_owned()
    } else {
        timeframes.iter().map(|timeframe| timeframe.as_str()).collect::<Vec<_>>().join(", ")
    }
}

pub(super) const fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

pub(super) async fn list(session: Session) -> Result<(), CliError> {
    let app = session.open().await?;
    let problems = session.load_strategies(&app).await?;
    let strategies = app.registry.strategies().values().map(|module| Strategy::new(&app, module)).collect();
    session.output.answer(&StrategyList { strategies, problems: problems.clone() })?;
    session.note_problems(&problems);
    Ok(())
}

#[derive(Serialize)]
struct StrategyList {
    strategies: Vec<Strategy>,
    /// Strategies that can't be used, and why.
    problems: Vec<String>,
}

impl fmt::Display for StrategyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["id", "version", "wit", "digest", "parameters", "lookback", "timeframes", "enabled", "state"];
        let row = |strategy: &Strategy| {
            [
                strategy.id.to_string(),
                one_line(&strategy.version),
                strategy.wit_version.to_owned(),
                strategy.short_digest.clone(),
                strategy.parameter_count.to_string(),
                strategy.lookback.to_string(),
                strategy.timeframes(),
                yes_or_no(strategy.enabled).to_owned(),
                strategy.state.to_owned(),
            ]
        };
        f.write_str(&table(&header, &[4, 5], self.strategies.iter().map(row)))
    }
}

/// Shows a strategy, with the parameters that count for all symbols or for one.
pub(super) async fn show(session: Session, id: StrategyId, symbol: Option<Symbol>) -> Result<(), CliError> {
    let app = session.open().await?;
    let problems = session.load_strategies(&app).await?;
    session.note_problems(&problems);
    let unknown = || {
        let known = app.registry.strategies().keys().cloned().collect();
        CliError::UnknownStrategy { id: id.clone(), known }
    };
    let module = app.registry.get(&id).ok_or_else(unknown)?;
    let key = ConfigKey { strategy: id, symbol };
    let (resolved, stored) = app.analyst.parameters.read(&key).map_err(RolloutError::from)?;
    let description = module.description();
    session.output.answer(&Shown {
        strategy: Strategy::new(&app, &module),
        description: description.description.clone(),
        symbol: key.symbol,
        parameters: ParameterView::list(&description.schema, &resolved),
        warnings: stored.map(|level| WarningView::list(description, &level.parameters)).unwrap_or_default(),
    })
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    strategy: Strategy,
    description: String,
    /// The symbol whose parameters are shown; `None` for those of all symbols.
    symbol: Option<Symbol>,
    parameters: Vec<ParameterView>,
    /// What to know of the values that are configured.
    warnings: Vec<WarningView>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Strategy { id, name, version, digest, enabled, state, lookback, .. } = &self.strategy;
        writeln!(f, "{} ({id}) {}\n{}\n", one_line(name), one_line(version), plain(&self.description))?;
        writeln!(f, "  digest      {digest}\n  lookback    {lookback} candles")?;
        writeln!(f, "  timeframes  {}", self.strategy.timeframes())?;
        writeln!(f, "  enabled     {}\n  state       {state}\n", yes_or_no(*enabled))?;
        for misfit in &self.strategy.misconfigured {
            writeln!(f, "{}\n", one_line(&misfit.to_string()))?;
        }
        if let Some(symbol) = &self.symbol {
            writeln!(f, "On {symbol}:\n")?;
        }
        writeln!(f, "{}", parameter_table(&self.parameters))?;
        self.warnings.iter().try_for_each(|warning| write!(f, "\n{warning}"))
    }
}
