//! Evaluates modules over the past, as the service would have evaluated them candle by candle.
//!
//! A run is cut into units: a stretch of one series, looked at by every module. Units are read one after the other and
//! evaluated on all cores; each is kept in a file as soon as it is done, so a run that is stopped goes on where it was.
//! What a module is given at a candle, what keeps it from being asked and what becomes of its decision is decided by
//! the same code as live.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ta_bot_core::{ApplicationSettings, CandleSlice, MessageRules, Symbol, Timestamp};
use ta_bot_engine::{
    evaluation::SeriesKey,
    market::{
        candles::Candles,
        history::{History, HistoryError, HistoryReader},
    },
    settings::parameters::Resolution,
};
use ta_bot_wasm::StrategyModule;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

mod ask;
mod kept;
mod piece;
mod reuse;
mod rows;
mod tally;
mod unit;

pub use kept::{Kept, KeptError};
pub use reuse::Difference;
pub use rows::{SignalFile, SignalRow, SignalRows, WriteError};
pub use tally::{Failure, Tally};

use kept::Header;
use piece::{Ended, Piece};
use unit::Unit;

/// How many units of a run are read for the trial of reuse.
const TRIED: usize = 3;

/// A module, and the parameters with which it evaluates each symbol.
#[derive(Clone)]
pub struct Subject {
    /// The module.
    pub module: Arc<StrategyModule>,
    /// Its parameters, for every symbol of the plan.
    pub parameters: BTreeMap<Symbol, Resolution>,
}

/// What is evaluated.
#[derive(Clone)]
pub struct Plan {
    /// The modules.
    pub subjects: Vec<Subject>,
    /// The series whose candles they look at. A module looks only at those whose timeframe it runs on.
    pub series: Vec<SeriesKey>,
    /// The candles that closed after this moment,
    pub from: Timestamp,
    /// and at this one or before.
    pub until: Timestamp,
    /// The settings that decide which signals go out.
    pub settings: ApplicationSettings,
    /// How many of the newest candles of each window must be without a hole, as live.
    pub gap_window: u32,
    /// The rules by which signals are written, as live.
    pub rules: MessageRules,
    /// The name of the store that the parameters are kept in.
    pub parameter_store: &'static str,
    /// Whether an instance may be used for several evaluations if a trial shows that this changes nothing.
    pub may_reuse: bool,
}

/// What a run found, apart from the signals, which are kept in files.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// How many candles were looked at, by any module.
    pub candles: u64,
    /// What each module answered, in the order of the plan.
    pub tallies: Vec<Tally>,
    /// Whether the instances of a module were used again, in the order of the plan.
    pub reused: Vec<bool>,
    /// Evaluations in a used instance that were not answered as by a fresh one. Those modules were evaluated fresh.
    pub differences: Vec<Difference>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// How many candles have been looked at.
    pub candles: u64,
    /// How many units are done, those of an earlier run included.
    pub done: usize,
    /// How many units there are.
    pub units: usize,
}

/// Why a run did not end.
#[derive(Debug, Error)]
pub enum RunError {
    /// There is nothing to evaluate.
    #[error("{0}")]
    Nothing(String),
    /// The candles can't be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// What is done can't be kept.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// It was told to stop. What is done is kept.
    #[error("stopped; what is done is kept, and the same run goes on from there")]
    Stopped,
    /// The threads for guests have ended.
    #[error("the threads for guests have ended")]
    GivenUp,
}

/// What a unit needs besides itself.
struct Context<'a> {
    plan: Arc<Plan>,
    reader: HistoryReader<'a>,
    kept: &'a Kept,
    threads: &'a rayon::ThreadPool,
    /// Whether the instances of each module are used again.
    reuse: Arc<[AtomicBool]>,
    stop: &'a CancellationToken,
}

/// How a unit ended.
enum Done {
    Whole(Header),
    /// A used instance answered otherwise than a fresh one.
    Differs(Difference),
}

/// Evaluates everything that the plan says and that is not kept already, and keeps it. `progress` is called after each
/// unit.
pub async fn run(
    plan: Plan,
    candles: &Candles,
    kept: &Kept,
    threads: &rayon::ThreadPool,
    stop: &CancellationToken,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Findings, RunError> {
    let plan = Arc::new(plan);
    let descriptions = plan.subjects.iter().map(|subject| subject.module.description());
    let reader = HistoryReader::new(candles, descriptions);
    let units = unit::units(&plan, &reader);
    if units.is_empty() {
        return Err(RunError::Nothing(nothing(&plan)));
    }
    let mut differences = kept.differences()?;
    let may_reuse = |subject: &Subject| {
        let digest = subject.module.digest().to_string();
        plan.may_reuse && !differences.iter().any(|difference| difference.digest == digest)
    };
    let reuse: Arc<[AtomicBool]> = plan.subjects.iter().map(|subject| AtomicBool::new(may_reuse(subject))).collect();
    let context = Context { plan: Arc::clone(&plan), reader, kept, threads, reuse, stop };
    for difference in context.try_reuse(&units).await? {
        context.forbid(difference, &mut differences)?;
    }
    loop {
        let mut told = Progress { units: units.len(), ..Progress::default() };
        let mut found = Findings {
            candles: 0,
            tallies: vec![Tally::default(); plan.subjects.len()],
            reused: context.reuse.iter().map(|may| may.load(Ordering::Relaxed)).collect(),
            differences: differences.clone(),
        };
        // One more than there are threads, so that the next is read while these are evaluated.
        let at_once = threads.current_num_threads() + 1;
        let mut done = stream::iter(&units).map(|unit| context.look(unit)).buffered(at_once);
        let mut differs = None;
        while let Some(unit) = done.try_next().await? {
            match unit {
                Done::Whole(header) => {
                    found.candles += header.candles;
                    for (total, tally) in found.tallies.iter_mut().zip(header.tallies) {
                        total.add(tally);
                    }
                    told.candles += header.candles;
                    told.done += 1;
                    progress(told);
                }
                Done::Differs(difference) => {
                    differs = Some(difference);
                    break;
                }
            }
        }
        drop(done);
        match differs {
            // Whatever this module answered in used instances is evaluated again.
            Some(difference) => context.forbid(difference, &mut differences)?,
            None => return Ok(found),
        }
    }
}

/// Why there is nothing to do.
fn nothing(plan: &Plan) -> String {
    if plan.subjects.is_empty() {
        return "there is no strategy to evaluate".to_owned();
    }
    if plan.series.is_empty() {
        return "there is no series of candles to evaluate".to_owned();
    }
    if plan.from >= plan.until {
        return format!("no candle closes after {} and until {}", plan.from, plan.until);
    }
    let timeframes: Vec<String> = plan.series.iter().map(|(_, timeframe)| timeframe.to_string()).collect();
    format!("none of the strategies runs on the timeframes of these series ({})", timeframes.join(", "))
}

impl Context<'_> {
    /// Has instances of each module asked several times about candles of some units, and compares.
    async fn try_reuse(&self, units: &[Unit]) -> Result<Vec<Difference>, RunError> {
        if !self.reuse.iter().any(|may| may.load(Ordering::Relaxed)) {
            return Ok(Vec::new());
        }
        let mut tried = Vec::new();
        for unit in units.iter().step_by(units.len().div_ceil(TRIED)) {
            tried.push(unit.read(&self.reader).await?);
        }
        let (plan, reuse) = (Arc::clone(&self.plan), Arc::clone(&self.reuse));
        self.on_threads(move || {
            let subjects = plan.subjects.iter().zip(reuse.iter()).filter(|(_, may)| may.load(Ordering::Relaxed));
            subjects.filter_map(|(subject, _)| reuse::trial(&plan, subject, &tried)).collect()
        })
        .await
    }

    /// Has a module evaluated fresh from now on.
    fn forbid(&self, difference: Difference, differences: &mut Vec<Difference>) -> Result<(), RunError> {
        let subjects = self.plan.subjects.iter().zip(self.reuse.iter());
        for (_, may) in subjects.filter(|(subject, _)| subject.module.digest().to_string() == difference.digest) {
            may.store(false, Ordering::Relaxed);
        }
        differences.push(difference);
        Ok(self.kept.keep_differences(differences)?)
    }

    /// Evaluates a unit, or takes what an earlier run kept of it, if its candles are still the same.
    async fn look(&self, unit: &Unit) -> Result<Done, RunError> {
        if self.stop.is_cancelled() {
            return Err(RunError::Stopped);
        }
        let (history, piece) = unit.read(&self.reader).await?;
        let hash = hash(&history);
        if let Some(header) = self.kept.unit(unit.index)?.filter(|header| self.still_counts(header, &hash)) {
            return Ok(Done::Whole(header));
        }
        let piece = Piece {
            plan: Arc::clone(&self.plan),
            reuse: Arc::clone(&self.reuse),
            history,
            candles: piece,
            stop: self.stop.clone(),
        };
        let ended = self.on_threads(move || piece.evaluate()).await?;
        match ended {
            Ended::Whole { candles, tallies, reused, signals } => {
                let header = Header { unit: unit.index, hash, candles, reused, tallies };
                self.kept.keep(&header, &signals)?;
                Ok(Done::Whole(header))
            }
            Ended::Differs(difference) => Ok(Done::Differs(difference)),
            Ended::Stopped => Err(RunError::Stopped),
        }
    }

    fn still_counts(&self, header: &Header, hash: &str) -> bool {
        let may = |(reused, may): (&bool, &AtomicBool)| !*reused || may.load(Ordering::Relaxed);
        header.hash == hash && header.reused.iter().zip(self.reuse.iter()).all(may)
    }

    async fn on_threads<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, RunError> {
        let (sender, done) = tokio::sync::oneshot::channel();
        self.threads.spawn(move || {
            // The receiver is gone if the run has ended.
            let _ = sender.send(work());
        });
        done.await.map_err(|_| RunError::GivenUp)
    }
}

/// What all candles of a history say, as 64 hexadecimal digits.
fn hash(history: &History) -> String {
    let series: Vec<CandleSlice<'_>> = history.series().iter().map(|series| series.all()).collect();
    CandleSlice::hash(&series).to_string()
}
