//! `ta-bot modules check`, also available as `ta-bot check`: whether a module is fit to run, without a service.
//!
//! It needs no store and keeps nothing, so that a build can run it anywhere; the module is compiled anew each time, in
//! a process of its own, and another one makes the checks of admission, as for the service. The one evaluation that it
//! shows is for the author to look at.

use std::{fmt, path::Path};

use serde::Serialize;
use ta_bot_api::views::outcome::OutcomeView;
use ta_bot_core::{DropReason, Job, ParameterLevels, ResolvedParameters, StrategyId, Symbol, Timeframe, millis};
use ta_bot_engine::{
    evaluation::{EvaluationReport, Inputs, Origin, Outcome},
    market::history::View,
    modules::{
        admission::{Check, CheckOutcome, Recorded, Verdict},
        judge::load_and_judge,
        module_store::Judgement,
    },
};
use ta_bot_wasm::{Children, Sandbox, StrategyModule};

use super::{
    Session,
    error::{CliError, shown},
    module_file,
    outcome::{HEADER, cells},
    output::{one_line, plain, table},
    parameters::{ParameterView, parameter_table},
    strategies,
};
use crate::environment::Environment;

mod advice;
mod doubts;

/// Checks the module in a file. Returns whether it is fit to run.
pub(super) fn check(session: &Session, path: &Path) -> Result<bool, CliError> {
    let bytes = module_file::read(path)?;
    let sandbox = Sandbox::new(session.environment.limits, None)?.with_children(Children::of_this_program());
    let judged = load_and_judge(&sandbox, &bytes).map_err(|error| module_file::unfit(path, &error));
    let (module, judged) = judged?;
    let start = |error: ta_bot_core::SymbolError| CliError::Start(error.to_string());
    let recorded = Recorded::made_up(module.description()).map_err(start)?;
    let verdict = match judged {
        Ok(Judgement::Checked { verdict, .. }) => verdict,
        Ok(Judgement::Unusable { code, reason, .. }) => return Err(module_file::unusable(path, code, reason)),
        Err(problem) => return Err(CliError::NotJudged { path: path.to_owned(), problem }),
    };
    let report = Report::new(path, &module, &recorded, verdict, &session.environment)?;
    session.output.answer(&report)?;
    Ok(report.fit)
}

#[derive(Serialize)]
struct Report {
    file: String,
    fit: bool,
    /// Why it is not fit to run.
    problem: Option<String>,
    /// What an author should know of it, though it is fit to run.
    doubts: Vec<String>,
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
    admission: Admission,
}

/// What was checked, and whether that is enough to enable the module.
#[derive(Serialize)]
struct Admission {
    admitted: bool,
    #[serde(flatten)]
    verdict: Verdict,
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
    fn new(
        path: &Path,
        module: &StrategyModule,
        recorded: &Recorded,
        verdict: Verdict,
        environment: &Environment,
    ) -> Result<Self, CliError> {
        let description = module.description();
        let inspection = module.inspection();
        let parameters = ResolvedParameters::resolve(&description.schema, &ParameterLevels::default());
        let refused = module.check(&parameters.values).err();
        let (outcome, evaluation) = run(module, recorded, &parameters, environment)?;
        let refused = refused.map(|error| format!("it does not accept its own defaults: {error}"));
        // Admission decides. If the one evaluation already shows what is wrong, its advice is the most to the point.
        let obstacle = verdict.obstacle().map(|check| advice::of_outcome(&outcome).or_else(|| advice::of_check(check)));
        let problem = refused.or(obstacle.flatten());
        let settings = &environment.settings;
        let doubts = match problem {
            None => doubts::doubts(module, &parameters, recorded.history(), &verdict, settings),
            Some(_) => Vec::new(),
        };
        Ok(Self {
            file: shown(path),
            fit: problem.is_none(),
            problem,
            doubts,
            id: description.id.clone(),
            name: description.name.clone(),
            version: description.version.clone(),
            description: description.description.clone(),
            digest: module.digest().to_string(),
            wit_version: inspection.wit_version,
            imports: inspection.imports.clone(),
            size_bytes: inspection.size_bytes,
            compile_ms: millis(module.compile_cost().duration),
            lookback: description.lookback,
            timeframes: description.timeframes.clone(),
            parameters: ParameterView::list(&description.schema, &parameters),
            evaluation,
            admission: Admission { admitted: verdict.admitted(), verdict },
        })
    }
}

/// Runs the module once under the limits, with its own defaults, on the newest candle.
fn run(
    module: &StrategyModule,
    recorded: &Recorded,
    parameters: &ResolvedParameters,
    environment: &Environment,
) -> Result<(Outcome, Run), CliError> {
    let description = module.description();
    let history = recorded.history();
    let newest = history.places(description).filter_map(|place| history.view(description, place, 0)).last();
    let no_window = || CliError::Start("there are no made-up candles for all of its series".to_owned());
    let View { job, base, extra } = newest.ok_or_else(no_window)?;
    let settings = &environment.settings;
    let inputs = Inputs { module, parameters, job: &job, base, extra: &extra, settings, origin: Origin::NONE };
    let EvaluationReport { outcome, holes, duration, log, .. } = inputs.evaluate();
    let view = OutcomeView::new(&outcome, &holes, duration, &log);
    let Job { symbol, timeframe, candle_close } = job;
    let candle_close = candle_close.to_string();
    Ok((outcome, Run { symbol, timeframe, candle_close, candles: base.len(), outcome: view }))
}

/// Whether a decision is dropped because of what the strategy says, whatever the service's settings.
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
        writeln!(f, "Admission, on {}:\n", self.admission.verdict.candles)?;
        writeln!(f, "{}\n", check_table(&self.admission.verdict))?;
        match &self.problem {
            None if self.doubts.is_empty() => write!(f, "It is fit to run."),
            None => {
                write!(f, "It is fit to run, BUT:")?;
                self.doubts.iter().try_for_each(|doubt| write!(f, "\n  {}", plain(doubt)))
            }
            Some(problem) => write!(f, "It is NOT fit to run: {}", plain(problem)),
        }
    }
}

/// Each check of an admission, with its outcome.
pub(super) fn check_table(verdict: &Verdict) -> String {
    table(&["check", "outcome", "calls", "ms", "what"], &[2, 3], verdict.checks.iter().map(row))
}

/// Why a module is not admitted, if so.
pub(super) fn obstacle(verdict: &Verdict) -> Option<String> {
    verdict.obstacle().and_then(advice::of_check)
}

/// A check as a row of the table.
fn row(check: &Check) -> [String; 5] {
    let (outcome, what) = match &check.outcome {
        CheckOutcome::Passed { note } => ("passed", note),
        CheckOutcome::Failed { problem, .. } => ("FAILED", problem),
        CheckOutcome::NotApplicable { reason } => ("not applicable", reason),
        CheckOutcome::Unfinished { reason } => ("UNFINISHED", reason),
    };
    let (name, calls) = (check.name.to_string(), check.evaluations.to_string());
    [name, outcome.to_owned(), calls, format!("{:.0}", check.duration_ms), one_line(what)]
}
