//! `ta-bot check`: whether a module is fit to run, without a service.
//!
//! It needs no store and keeps nothing, so that a build can run it wherever it likes: the module is compiled anew each time.

use std::{fmt, fs, path::Path};

use serde::Serialize;
use ta_bot_core::{
    CandleSlice, CandleWindow, DropReason, Job, ParameterLevels, ResolvedParameters, StrategyId, Symbol, Timeframe,
};
use ta_bot_wasm::{LoadError, Sandbox, StrategyModule, WIT_VERSION};

use super::{
    Session,
    error::{CliError, shown},
    outcome::{HEADER, cells},
    output::{one_line, plain, table},
    parameters::{ParameterView, parameter_table},
    strategies,
};
use crate::{
    analysis::millis,
    env::Environment,
    evaluation::{Answer, Inputs, Origin, Outcome},
    outcome_view::OutcomeView,
};

mod advice;
mod window;

/// Whose candles the module is run on.
const SYMBOL: &str = "BTCUSDT";

/// Checks the module of a file. Answers whether it is fit to run.
pub(super) fn check(session: &Session, path: &Path) -> Result<bool, CliError> {
    let unreadable = |reason| CliError::ModuleFile { path: path.to_owned(), reason };
    let bytes = fs::read(path).map_err(unreadable)?;
    let sandbox = Sandbox::new(session.environment.limits, None)?;
    let module = StrategyModule::load(&sandbox, &bytes).map_err(|error| unfit(path, &error))?;
    let symbol = SYMBOL.parse().map_err(|error| CliError::Start(format!("{error}")))?;
    let report = Report::new(path, bytes.len(), &module, symbol, &session.environment);
    session.output.answer(&report)?;
    Ok(report.fit)
}

fn unfit(path: &Path, error: &LoadError) -> CliError {
    let (kind, advice) = advice::of(error);
    CliError::Unfit { path: path.to_owned(), kind, problem: error.to_string(), advice: advice.to_owned() }
}

#[derive(Serialize)]
struct Report {
    file: String,
    fit: bool,
    /// What keeps it from being fit.
    problem: Option<String>,
    id: StrategyId,
    name: String,
    version: String,
    description: String,
    digest: String,
    wit_version: &'static str,
    imports: Vec<String>,
    size_bytes: usize,
    compile_ms: f64,
    lookback: u32,
    /// Empty means all.
    timeframes: Vec<Timeframe>,
    parameters: Vec<ParameterView>,
    evaluation: Run,
}

/// The evaluation on made-up candles.
#[derive(Serialize)]
struct Run {
    symbol: Symbol,
    timeframe: Timeframe,
    candle_close: String,
    candles: usize,
    #[serde(flatten)]
    outcome: OutcomeView,
}

impl Report {
    fn new(path: &Path, size_bytes: usize, module: &StrategyModule, symbol: Symbol, environment: &Environment) -> Self {
        let description = module.description();
        let parameters = ResolvedParameters::resolve(&description.schema, &ParameterLevels::default());
        let job = window::job(description, symbol);
        let refused = module.check(&parameters.values).err();
        let (outcome, evaluation) = run(module, &job, &parameters, environment);
        let refused = refused.map(|error| format!("it does not accept its own defaults: {error}"));
        let problem = refused.or_else(|| advice::of_outcome(&outcome));
        Self {
            file: shown(path),
            fit: problem.is_none(),
            problem,
            id: description.id.clone(),
            name: description.name.clone(),
            version: description.version.clone(),
            description: description.description.clone(),
            digest: module.digest().to_string(),
            wit_version: WIT_VERSION,
            imports: module.imports(),
            size_bytes,
            compile_ms: millis(module.compile_cost().duration),
            lookback: description.lookback,
            timeframes: description.timeframes.clone(),
            parameters: ParameterView::list(&description.schema, &parameters),
            evaluation,
        }
    }
}

/// Runs the module once under the limits, with its own defaults.
fn run(
    module: &StrategyModule,
    job: &Job,
    parameters: &ResolvedParameters,
    environment: &Environment,
) -> (Outcome, Run) {
    let description = module.description();
    let base = window::base(job, description.lookback);
    let extra: Vec<CandleWindow> = description.extra.iter().map(|input| window::extra(job, input)).collect();
    let extra: Vec<CandleSlice<'_>> = extra.iter().map(|window| window.newest(usize::MAX)).collect();
    let (base, settings) = (base.newest(usize::MAX), &environment.settings);
    let inputs = Inputs { module, parameters, job, base, extra: &extra, settings, origin: Origin::NONE };
    let Answer { outcome, duration, log, .. } = inputs.evaluate();
    let view = OutcomeView::new(&outcome, duration, &log);
    let Job { symbol, timeframe, candle_close } = job.clone();
    (outcome, Run { symbol, timeframe, candle_close: candle_close.to_string(), candles: base.len(), outcome: view })
}

/// Whether a decision is dropped for what the strategy says, whatever the service's settings.
const fn is_defect(reason: DropReason) -> bool {
    match reason {
        DropReason::BelowMinConfidence | DropReason::AboveMaxConfidence => false,
        DropReason::PriceNotPositive | DropReason::StopLossWrong | DropReason::TakeProfitWrong => true,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let imports = if self.imports.is_empty() { "nothing".to_owned() } else { self.imports.join(", ") };
        writeln!(f, "{} ({}) {}", one_line(&self.name), self.id, one_line(&self.version))?;
        writeln!(f, "{}\n", plain(&self.description))?;
        writeln!(f, "  file        {}, {} bytes", self.file, self.size_bytes)?;
        writeln!(f, "  digest      {}", self.digest)?;
        writeln!(f, "  speaks      ta-bot:strategy@{}", self.wit_version)?;
        writeln!(f, "  imports     {}", one_line(&imports))?;
        writeln!(f, "  compiled    in {:.0} ms", self.compile_ms)?;
        writeln!(f, "  lookback    {} candles", self.lookback)?;
        writeln!(f, "  timeframes  {}\n", strategies::timeframes(&self.timeframes))?;
        writeln!(f, "{}\n", parameter_table(&self.parameters))?;
        let Run { timeframe, candles, outcome, .. } = &self.evaluation;
        writeln!(f, "One evaluation with these defaults, on {candles} made-up candles of {timeframe}:\n")?;
        writeln!(
            f,
            "{}
",
            table(&HEADER, &[1, 2, 3, 4, 5], [cells(outcome)])
        )?;
        match &self.problem {
            None => write!(f, "It is fit to run."),
            Some(problem) => write!(f, "It is NOT fit to run: {}", plain(problem)),
        }
    }
}
