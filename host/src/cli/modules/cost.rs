//! `ta-bot modules cost`: what evaluations of a module cost, without a service.
//!
//! Time is measured in a sandbox like the service's. Fuel is measured in another one whose engine counts it, since
//! counting makes guests slower.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;
use ta_bot_core::{StrategyDescription, StrategyId, Timeframe, millis};
use ta_bot_engine::{
    market::history::{History, View},
    modules::admission::Recorded,
};
use ta_bot_wasm::{Children, Evaluation, Sandbox, StrategyModule};

use crate::cli::{
    Session,
    error::{CliError, shown},
    module_file,
    output::table,
    strategies::docs::Market,
};

/// How many candles are evaluated at most.
const MOST_CANDLES: usize = 1000;
/// How many symbols the estimate of a day assumes.
const SYMBOLS: u32 = 1000;
const DAY: Duration = Duration::from_hours(24);

/// Measures the module in a file on the candles of the given files, or on made-up candles if none are given.
pub(super) fn cost(session: &Session, path: &Path, candles: &[PathBuf]) -> Result<(), CliError> {
    let bytes = module_file::read(path)?;
    let limits = session.environment.limits;
    let load = |sandbox| StrategyModule::load(&sandbox, &bytes).map_err(|error| module_file::unfit(path, &error));
    let children = Children::of_this_program();
    let module = load(Sandbox::new(limits, None)?.with_children(children.clone()))?;
    let counted = load(Sandbox::counting_fuel(limits)?.with_children(children))?;
    let description = module.description();
    let recorded = if candles.is_empty() {
        Recorded::made_up(description).map_err(|error| CliError::Start(error.to_string()))?
    } else {
        Recorded::from_history(format!("the candles of {} files", candles.len()), Market::read(candles)?.into_history())
    };
    let measured = measure(&module, &counted, recorded.history());
    let measured = measured.ok_or_else(|| CliError::Start(no_window(description, &recorded)))?;
    session.output.answer(&Report {
        file: shown(path),
        id: description.id.clone(),
        digest: module.digest().to_string(),
        candles: recorded.origin().to_owned(),
        days: days(description, measured.duration_ms.mean),
        measured,
    })
}

fn no_window(description: &StrategyDescription, recorded: &Recorded) -> String {
    format!(
        "{} holds no candle for which all windows of {} are full: it looks at {} candles, and at {} further series; give \
         longer files, and one for each series, or none for made-up candles",
        recorded.origin(),
        description.id,
        description.lookback,
        description.extra.len()
    )
}

#[derive(Serialize)]
struct Report {
    file: String,
    id: StrategyId,
    digest: String,
    /// Where the candles are from.
    candles: String,
    #[serde(flatten)]
    measured: Measured,
    /// What a day of [`SYMBOLS`] symbols takes on each timeframe.
    days: Vec<Day>,
}

/// What the evaluations cost.
#[derive(Serialize)]
struct Measured {
    evaluations: usize,
    /// How many of them gave no answer, by the code of the error.
    errors: BTreeMap<&'static str, usize>,
    duration_ms: Spread<f64>,
    fuel: Spread<u64>,
    memory_bytes: Spread<u64>,
    bytes_in: Spread<u64>,
    bytes_out: Spread<u64>,
}

/// The distribution of values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Spread<T> {
    mean: f64,
    p50: T,
    p99: T,
    max: T,
}

/// What a day costs on a timeframe.
#[derive(Serialize)]
struct Day {
    timeframe: Timeframe,
    symbols: u32,
    evaluations: f64,
    /// Seconds of one core.
    core_seconds: f64,
    /// The share of one core.
    core: f64,
}

/// Evaluates candles that are spread evenly over the history. Returns `None` if no candle has full windows.
fn measure(module: &StrategyModule, counted: &StrategyModule, history: &History) -> Option<Measured> {
    let description = module.description();
    let parameters = description.schema.defaults();
    let views: Vec<View<'_>> =
        history.places(description).filter_map(|place| history.view(description, place, 0)).collect();
    // The first evaluation finds everything cold, which is not so in a service.
    module.evaluate(views.first()?.input(&parameters));
    let views: Vec<&View<'_>> = views.iter().step_by(views.len().div_ceil(MOST_CANDLES)).collect();
    let run = |module: &StrategyModule| {
        views.iter().map(|view| module.evaluate(view.input(&parameters))).collect::<Vec<Evaluation>>()
    };
    let timed = run(module);
    let fueled = run(counted);
    let mut errors = BTreeMap::new();
    for error in timed.iter().filter_map(|evaluation| evaluation.outcome.as_ref().err()) {
        *errors.entry(error.code()).or_default() += 1;
    }
    let of = |value: fn(&Evaluation) -> u64| spread(timed.iter().map(value).collect(), |value| value as f64);
    Some(Measured {
        evaluations: timed.len(),
        errors,
        duration_ms: spread(timed.iter().map(|evaluation| millis(evaluation.duration)).collect(), |value| value)?,
        fuel: spread(fueled.iter().filter_map(|evaluation| evaluation.usage.fuel).collect(), |value| value as f64)?,
        memory_bytes: of(|evaluation| evaluation.usage.memory_bytes)?,
        bytes_in: of(|evaluation| evaluation.usage.bytes_in)?,
        bytes_out: of(|evaluation| evaluation.usage.bytes_out)?,
    })
}

/// The distribution of `values`, or `None` if there are no values.
fn spread<T: Copy + PartialOrd>(mut values: Vec<T>, number: impl Fn(T) -> f64) -> Option<Spread<T>> {
    values.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    let count = values.len();
    let max = *values.last()?;
    let mean = values.iter().map(|value| number(*value)).sum::<f64>() / count as f64;
    // The smallest value that is not exceeded by `percent` % of the values.
    let percentile = |percent: usize| values[(count * percent).div_ceil(100).saturating_sub(1)];
    Some(Spread { mean, p50: percentile(50), p99: percentile(99), max })
}

fn days(description: &StrategyDescription, mean_ms: f64) -> Vec<Day> {
    let timeframes = Timeframe::ALL.into_iter().filter(|timeframe| description.runs_on(*timeframe));
    let day = |timeframe: Timeframe| {
        let evaluations = f64::from(SYMBOLS) * DAY.as_millis() as f64 / timeframe.millis() as f64;
        let core_seconds = evaluations * mean_ms / 1000.0;
        Day { timeframe, symbols: SYMBOLS, evaluations, core_seconds, core: core_seconds / DAY.as_secs_f64() }
    };
    timeframes.map(day).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, id, digest, candles, measured, days } = self;
        writeln!(f, "  file         {file}")?;
        writeln!(f, "  strategy     {id}")?;
        writeln!(f, "  digest       {digest}")?;
        writeln!(f, "  candles      {candles}")?;
        writeln!(f, "  evaluations  {}", measured.evaluations)?;
        for (code, count) in &measured.errors {
            writeln!(f, "  {code}: {count} of them gave no answer")?;
        }
        let time = measured.duration_ms;
        let mut rows = vec![[
            "time, ms".to_owned(),
            shown_ms(time.mean),
            shown_ms(time.p50),
            shown_ms(time.p99),
            shown_ms(time.max),
        ]];
        for (name, Spread { mean, p50, p99, max }) in [
            ("fuel", measured.fuel),
            ("memory, bytes", measured.memory_bytes),
            ("bytes in", measured.bytes_in),
            ("bytes out", measured.bytes_out),
        ] {
            rows.push([name.to_owned(), format!("{mean:.0}"), p50.to_string(), p99.to_string(), max.to_string()]);
        }
        writeln!(f, "\n{}", table(&["of one evaluation", "mean", "p50", "p99", "max"], &[1, 2, 3, 4], rows))?;
        writeln!(f, "\nA day of {SYMBOLS} symbols would take of this machine:\n")?;
        let row = |day: &Day| {
            let Day { timeframe, evaluations, core_seconds, core, .. } = day;
            let share = format!("{:.3} %", core * 100.0);
            [timeframe.to_string(), format!("{evaluations:.0}"), format!("{core_seconds:.1}"), share]
        };
        let header = ["timeframe", "evaluations", "seconds", "of one core"];
        f.write_str(&table(&header, &[1, 2, 3], days.iter().map(row)))
    }
}

fn shown_ms(millis: f64) -> String {
    format!("{millis:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let spread = |values: Vec<u64>| super::spread(values, |value| value as f64);
        assert_eq!(spread(Vec::new()), None);
        assert_eq!(spread(vec![7]), Some(Spread { mean: 7.0, p50: 7, p99: 7, max: 7 }));
        assert_eq!(spread((1..=200).rev().collect()), Some(Spread { mean: 100.5, p50: 100, p99: 198, max: 200 }));
    }
}
