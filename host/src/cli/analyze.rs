//! `ta-bot analyze`: evaluates one candle of the local store as the service would.

use std::fmt;

use serde::Serialize;
use ta_bot_api::views::outcome::OutcomeView;
use ta_bot_core::{Job, StrategyId, Symbol, Timeframe, Timestamp, millis};
use ta_bot_engine::{
    evaluation::StrategyOutcome,
    market::candles::Candles,
    pipeline::analysis::{Analysis, newest_job},
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
    let job = job(app.candles.as_ref(), symbol, timeframe, at).await?;
    let problems = session.load_strategies(&app).await?;
    let analysis = app.analyst.analyse(&job, None).await?;
    session.output.answer(&AnalysisReport::new(&analysis, problems.clone()))?;
    session.note_problems(&problems);
    Ok(())
}

/// The newest candle that had closed at `at`, or by now if that is `None`.
async fn job(candles: &Candles, symbol: &Symbol, timeframe: Timeframe, at: Option<Timestamp>) -> Result<Job, CliError> {
    let now = Timestamp::now();
    let until = at.map_or(now, |at| at.min(now));
    if let Some(job) = newest_job(candles, symbol, timeframe, until).await? {
        return Ok(job);
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
            outcome: OutcomeView::new(&outcome.outcome, outcome.duration, &outcome.log),
        };
        Self {
            symbol,
            timeframe,
            candle_close: candle_close.to_string(),
            candles: analysis.candles,
            duration_ms: millis(analysis.duration),
            strategies: analysis.outcomes.iter().map(row).collect(),
            problems,
        }
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
        f.write_str(&table(&header, &[2, 3, 4, 5, 6], rows))
    }
}
