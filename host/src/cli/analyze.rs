//! `ta-bot analyze`: evaluates one candle of the local store as the service would.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use ta_bot_api::views::{
    outcome::OutcomeView,
    window::{HolesView, RefusedView},
};
use ta_bot_core::{Job, StrategyId, Symbol, Timeframe, Timestamp, closed_candles, millis};
use ta_bot_engine::{
    evaluation::StrategyOutcome,
    market::candles::Candles,
    pipeline::analysis::{Analysis, Newest, newest},
};

use super::{
    Session,
    error::CliError,
    outcome::{HEADER, cells},
    output::table,
};

/// How far in the future `--at` may lie: clocks and days differ, and the newest candle is what is asked for then.
const MOST_AHEAD_MS: i64 = 24 * 60 * 60 * 1000;

pub(super) async fn analyze(
    session: Session,
    symbol: &Symbol,
    timeframe: Timeframe,
    at: Option<Timestamp>,
) -> Result<(), CliError> {
    let app = session.open().await?;
    let Newest { job, refused } = candle(app.candles.as_ref(), symbol, timeframe, at).await?;
    let asked = match at {
        Some(at) => Some(AskedView::new(app.candles.as_ref(), &job, at).await?),
        None => None,
    };
    let problems = session.load_strategies(&app).await?;
    let mut analysis = app.analyst.analyse(&job).await?;
    if let Some(newer) = refused {
        analysis.add_refused(newer);
    }
    session.output.answer(&AnalysisReport::new(&analysis, asked, problems.clone()))?;
    session.note_problems(&problems);
    Ok(())
}

/// The newest candle that had closed at `at`, or by now if that is `None`.
async fn candle(
    candles: &Candles,
    symbol: &Symbol,
    timeframe: Timeframe,
    at: Option<Timestamp>,
) -> Result<Newest, CliError> {
    let now = Timestamp::now();
    if let Some(at) = at.filter(|at| *at > now.plus_millis(MOST_AHEAD_MS)) {
        return Err(CliError::Future { at, now });
    }
    let until = at.map_or(now, |at| at.min(now));
    if let Some(newest) = newest(candles, symbol, timeframe, until).await? {
        return Ok(newest);
    }
    let there = candles.series().await?;
    if there.is_empty() {
        return Err(CliError::NoCandles);
    }
    let (symbol, own) =
        (symbol.clone(), there.iter().find(|series| &series.symbol == symbol && series.timeframe == timeframe));
    match own.map(|series| timeframe.close_of(series.first_open)) {
        Some(first) => Err(CliError::TooEarly { symbol, timeframe, at: until, first }),
        None => Err(CliError::UnknownSeries { symbol, timeframe, there }),
    }
}

/// The candle that was asked for by `--at`, if it is not there.
#[derive(Serialize)]
struct AskedView {
    /// The moment.
    at: String,
    /// When the candle should have closed that is the newest at this moment; `None` if it is there, and was looked at.
    missing_close: Option<String>,
    /// The hole in which the moment lies: from the close of the candle before to the open of the candle after.
    hole_from: Option<String>,
    /// `None` if no candle comes after the hole.
    hole_until: Option<String>,
}

impl AskedView {
    /// `job` is that of the newest candle at the moment.
    async fn new(candles: &Candles, job: &Job, at: Timestamp) -> Result<Self, CliError> {
        let timeframe = job.timeframe;
        let due = timeframe.open_of(at.min(Timestamp::now()));
        if job.candle_close >= due {
            return Ok(Self { at: at.to_string(), missing_close: None, hole_from: None, hole_until: None });
        }
        // Candles that are made of shorter ones have no rows, so the next one is looked for among the rows alone.
        let later = job.candle_close..Timestamp::from_millis(i64::MAX);
        let (rows, _) = candles.page(&job.symbol, timeframe, later).await?;
        let next = closed_candles(timeframe, rows).candles.first().map(|candle| candle.open_time.to_string());
        Ok(Self {
            at: at.to_string(),
            missing_close: Some(due.to_string()),
            hole_from: Some(job.candle_close.to_string()),
            hole_until: next,
        })
    }
}

impl fmt::Display for AskedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(due), Some(from)) = (&self.missing_close, &self.hole_from) else { return Ok(()) };
        let at = &self.at;
        match &self.hole_until {
            Some(until) => writeln!(
                f,
                "--at {at} lies in a hole: the candle that closed {due} is missing, and so is every other from {from} \
                 until {until}. This is the candle before the hole.\n"
            ),
            None => writeln!(
                f,
                "--at {at} lies after the newest candle: the one that closed {due} is not there (yet), and the series \
                 ends {from}.\n"
            ),
        }
    }
}

#[derive(Serialize)]
struct AnalysisReport {
    symbol: Symbol,
    timeframe: Timeframe,
    candle_close: String,
    /// What `--at` asked for; `None` without it.
    asked: Option<AskedView>,
    /// How many candles were read.
    candles: usize,
    /// The candles that were left out of the windows, for each series that has such.
    refused: Vec<RefusedView>,
    duration_ms: f64,
    strategies: Vec<Row>,
    /// Strategies that can't be used, and why.
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    strategy: StrategyId,
    digest: String,
    #[serde(flatten)]
    outcome: OutcomeView,
}

impl AnalysisReport {
    fn new(analysis: &Analysis, asked: Option<AskedView>, problems: Vec<String>) -> Self {
        let Job { symbol, timeframe, candle_close } = analysis.job.clone();
        let row = |outcome: &StrategyOutcome| Row {
            strategy: outcome.strategy.clone(),
            digest: outcome.digest.to_string(),
            outcome: OutcomeView::new(&outcome.outcome, &outcome.holes, outcome.duration, &outcome.log),
        };
        Self {
            symbol,
            timeframe,
            candle_close: candle_close.to_string(),
            asked,
            candles: analysis.candles,
            refused: analysis.refused.iter().map(RefusedView::from).collect(),
            duration_ms: millis(analysis.duration),
            strategies: analysis.outcomes.iter().map(row).collect(),
            problems,
        }
    }

    /// The holes of each series in the longest window of it.
    fn holes(&self) -> impl Iterator<Item = &HolesView> {
        let mut longest: BTreeMap<(&str, &str), &HolesView> = BTreeMap::new();
        for holes in self.strategies.iter().flat_map(|row| &row.outcome.holes) {
            let known = longest.entry((&holes.symbol, &holes.timeframe)).or_insert(holes);
            if known.missing < holes.missing {
                *known = holes;
            }
        }
        longest.into_values()
    }
}

impl fmt::Display for AnalysisReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, timeframe, candle_close, candles, duration_ms, .. } = self;
        writeln!(
            f,
            "{symbol} {timeframe}, candle closed {candle_close} ({candles} candles read, {duration_ms:.1} ms)\n"
        )?;
        if let Some(asked) = &self.asked {
            asked.fmt(f)?;
        }
        if self.strategies.is_empty() {
            return write!(f, "No strategy that is enabled runs on {timeframe}; see ta-bot strategies list");
        }
        let header: Vec<&str> = std::iter::once("strategy").chain(HEADER).collect();
        let rows =
            self.strategies.iter().map(|row| std::iter::once(row.strategy.to_string()).chain(cells(&row.outcome)));
        writeln!(f, "{}\n", table(&header, &[2, 3, 4, 5, 6], rows))?;
        self.refused.iter().try_for_each(|refused| writeln!(f, "{refused}"))?;
        self.holes().try_for_each(|holes| writeln!(f, "{holes}"))
    }
}
