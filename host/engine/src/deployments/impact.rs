//! Finds out what a module would have changed: the module and the one that decides both look at the last closed
//! candles.
//!
//! Guests run on the threads that live candles need, so they run in short slices and queue again behind other work. One
//! question is answered at a time. It is limited in evaluations and in seconds, and is given up when nobody waits for
//! the answer any more. Nothing is stored, published or counted as an execution.

use std::{
    ops::{Range, RangeInclusive},
    sync::Arc,
    time::{Duration, Instant},
};

use ta_bot_core::{ApplicationSettings, ModuleDigest, StrategyDescription, StrategyId, Symbol, Timeframe, Timestamp};
use ta_bot_wasm::StrategyModule;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    deployments::rollout::RolloutError,
    market::{
        candles::Candles,
        history::{HistoryError, HistoryReader},
    },
    pipeline::analysis::{AnalysisError, Analyst},
};

mod tally;
mod work;

pub use tally::{Cost, Example, Tally};
use work::Work;

/// The allowed number of candles of each series in a question.
pub const CANDLES: RangeInclusive<u32> = 1..=1000;
/// The default number of candles of each series.
pub const DEFAULT_CANDLES: u32 = 100;
/// The allowed number of examples of each kind of difference.
pub const EXAMPLES: RangeInclusive<u32> = 0..=100;
/// The default number of examples.
pub const DEFAULT_EXAMPLES: u32 = 20;
/// The allowed duration of a question in seconds. The default is the largest.
pub const SECONDS: RangeInclusive<u32> = 1..=60;
/// The largest number of evaluations that a question may take.
pub const MOST_EVALUATIONS: u64 = 1_000_000;
/// How long guests run before other work gets its turn.
const SLICE: Duration = Duration::from_millis(10);
/// A question: what would the candidate have changed?
#[derive(Debug, Clone)]
pub struct Question {
    /// The strategy.
    pub strategy: StrategyId,
    /// The module that would have decided.
    pub candidate: ModuleDigest,
    /// How many of the last closed candles of each series to compare.
    pub candles: u32,
    /// How many examples of each kind of difference to return.
    pub examples: usize,
    /// Which of the scheduled symbols to compare; `None` for all.
    pub symbols: Option<Vec<Symbol>>,
    /// How long the answer may take.
    pub time: Duration,
}

/// The answer to a question.
#[derive(Debug)]
pub struct Report {
    /// The module that decides; `None` if the strategy does not exist yet.
    pub incumbent: Option<ModuleDigest>,
    /// The scheduled timeframes on which either module runs.
    pub timeframes: Vec<Timeframe>,
    /// The number of requested symbols.
    pub symbols: usize,
    /// Whether every candle was compared.
    pub complete: bool,
    /// The results.
    pub tally: Tally,
}

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum ImpactError {
    /// The answer would take too long.
    #[error(
        "{series} series with {candles} candles each are {evaluations} evaluations by the two modules, and {MOST_EVALUATIONS} \
         are the most: ask for fewer symbols, or for at most {fitting} candles"
    )]
    TooMuch {
        /// The number of series.
        series: usize,
        /// The requested number of candles.
        candles: u32,
        /// The resulting number of evaluations.
        evaluations: u64,
        /// The largest number of candles that would be allowed.
        fitting: u64,
    },
    /// Another question is being answered.
    #[error("another candidate is being compared")]
    Busy,
    /// The module can't be compared.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    /// The candles can't be read or looked at.
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
}

impl From<HistoryError> for ImpactError {
    fn from(error: HistoryError) -> Self {
        Self::Analysis(match error {
            HistoryError::Store(error) => error.into(),
            HistoryError::Window(error) => error.into(),
        })
    }
}

/// Returns the symbols that are not scheduled. A strategy would not have seen any of their candles.
pub fn unscheduled<'a>(symbols: &'a [Symbol], settings: &ApplicationSettings) -> impl Iterator<Item = &'a Symbol> {
    symbols.iter().filter(|symbol| !settings.symbols.contains(symbol))
}

/// Answers questions.
pub struct Impact {
    analyst: Arc<Analyst>,
    candles: Arc<Candles>,
    alone: Semaphore,
}

/// The two modules that are compared.
#[derive(Clone)]
struct Sides {
    incumbent: Option<Arc<StrategyModule>>,
    candidate: Arc<StrategyModule>,
}

impl Sides {
    fn modules(&self) -> impl Iterator<Item = &Arc<StrategyModule>> {
        self.incumbent.iter().chain([&self.candidate])
    }

    fn descriptions(&self) -> impl Iterator<Item = &StrategyDescription> {
        self.modules().map(|module| module.description())
    }
}

impl Impact {
    /// Creates an `Impact`. `candles` should be read without a cache, because old candles are of no use to one.
    pub fn new(analyst: Arc<Analyst>, candles: Arc<Candles>) -> Self {
        Self { analyst, candles, alone: Semaphore::new(1) }
    }

    /// Answers a question, unless `stop` is cancelled first.
    pub async fn of(&self, question: &Question, stop: &CancellationToken) -> Result<Report, ImpactError> {
        let _alone = self.alone.try_acquire().map_err(|_| ImpactError::Busy)?;
        let rollout = &self.analyst.rollout;
        let candidate = rollout.candidate(&question.strategy, question.candidate).await?;
        let incumbent = rollout.incumbent(&question.strategy).await.map_err(RolloutError::from)?;
        let sides = Sides { incumbent, candidate };
        let settings = self.analyst.settings.current();
        let symbols = question.symbols.as_ref().unwrap_or(&settings.settings.symbols);
        let runs = |timeframe: &Timeframe| sides.descriptions().any(|one| one.runs_on(*timeframe));
        let timeframes: Vec<Timeframe> = settings.settings.timeframes.iter().copied().filter(runs).collect();
        bounded(symbols.len() * timeframes.len(), question.candles)?;
        let mut report = Report {
            incumbent: sides.incumbent.as_ref().map(|module| module.digest()),
            symbols: symbols.len(),
            complete: true,
            tally: Tally::new(question.examples),
            timeframes,
        };
        let now = Timestamp::now();
        let until = Instant::now() + question.time;
        for (symbol, timeframe) in every_series(symbols, &report.timeframes) {
            let reader = HistoryReader::new(&self.candles, sides.descriptions());
            let base = reader.base(symbol, timeframe, now, question.candles).await?;
            let newest = base.len().saturating_sub(question.candles as usize)..base.len();
            for piece in pieces(newest, reader.piece_length(timeframe)) {
                let history = reader.with_extra(base.clone(), &piece).await?;
                let tally = std::mem::take(&mut report.tally);
                let work = Work::new(&sides, (history, piece), &settings, tally);
                let (is_complete, tally) = self.look(work, until, stop).await?;
                report.tally = tally;
                if !is_complete {
                    return Ok(Report { complete: false, ..report });
                }
            }
        }
        report.complete = report.tally.left_out() == 0;
        Ok(report)
    }

    /// Works on a piece, slice by slice. Returns whether it was finished in time.
    async fn look(
        &self,
        mut work: Work,
        until: Instant,
        stop: &CancellationToken,
    ) -> Result<(bool, Tally), ImpactError> {
        while !work.is_over() {
            if stop.is_cancelled() {
                return Err(AnalysisError::GivenUp.into());
            }
            if Instant::now() >= until {
                return Ok((false, work.into_tally()));
            }
            let analyst = Arc::clone(&self.analyst);
            let (sender, done) = tokio::sync::oneshot::channel();
            self.analyst.threads.spawn(move || {
                work.go_on(&analyst, (Instant::now() + SLICE).min(until));
                // The receiver is gone if the process is stopping.
                let _ = sender.send(work);
            });
            work = done.await.map_err(|_| AnalysisError::GivenUp)?;
        }
        Ok((true, work.into_tally()))
    }
}

/// Returns each symbol with each timeframe.
fn every_series<'a>(symbols: &'a [Symbol], timeframes: &[Timeframe]) -> Vec<(&'a Symbol, Timeframe)> {
    symbols.iter().flat_map(|symbol| timeframes.iter().map(move |timeframe| (symbol, *timeframe))).collect()
}

/// Refuses a question that would take too long.
fn bounded(series: usize, candles: u32) -> Result<(), ImpactError> {
    let for_each_candle = 2 * series as u64;
    let evaluations = for_each_candle.saturating_mul(u64::from(candles));
    if evaluations <= MOST_EVALUATIONS {
        return Ok(());
    }
    let fitting = MOST_EVALUATIONS / for_each_candle.max(1);
    Err(ImpactError::TooMuch { series, candles, evaluations, fitting })
}

/// Splits a range into pieces of `length`.
fn pieces(range: Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    let next = move |start: usize| start.saturating_add(length).min(end);
    let starts = std::iter::successors(Some(range.start), move |start| Some(next(*start)));
    starts.take_while(move |start| *start < end).map(move |start| start..next(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_refused_with_what_would_not() {
        assert!(bounded(500, 1000).is_ok() && bounded(0, 1000).is_ok());
        let error = bounded(1002, 1000).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("2004000") && told.contains("at most 499 candles"), "{told}");
        assert!(bounded(1002, 499).is_ok() && bounded(1002, 500).is_err());
    }

    #[test]
    fn a_range_is_cut_without_a_gap() {
        let cut = |range, length| pieces(range, length).collect::<Vec<_>>();
        assert_eq!(cut(3..10, 3), [3..6, 6..9, 9..10]);
        assert_eq!(cut(3..10, 4), [3..7, 7..10]);
        assert_eq!(cut(3..10, usize::MAX).first(), Some(&(3..10)));
        assert!(cut(5..5, 3).is_empty());
    }
}
