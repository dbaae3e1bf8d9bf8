//! `ta-bot analyze`: evaluates one candle of the local store as the service would.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use ta_bot_api::views::{
    outcome::OutcomeView,
    window::{HolesView, RefusedView},
};
use ta_bot_core::{Job, StrategyId, Symbol, Timeframe, Timestamp, millis};
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

pub(super) async fn analyze(
    session: Session,
    symbol: &Symbol,
    timeframe: Timeframe,
    at: Option<Timestamp>,
) -> Result<(), CliError> {
    let app = session.open().await?;
    let Newest { job, refused } = candle(app.candles.as_ref(), symbol, timeframe, at).await?;
    let problems = session.load_strategies(&app).await?;
    let mut analysis = app.analyst.analyse(&job, None).await?;
    if let Some(newer) = refused {
        analysis.add_refused(newer);
    }
    session.output.answer(&AnalysisReport::new(&analysis, problems.clone()))?;
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

#[derive(Serialize)]
struct AnalysisReport {
    symbol: Symbol,
    timeframe: Timeframe,
    candle_close: String,
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
    fn new(analysis: &Analysis, problems: Vec<String>) -> Self {
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
