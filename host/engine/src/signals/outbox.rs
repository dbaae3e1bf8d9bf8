//! Where signals wait until they are sent, and where the finished jobs are known.
//!
//! Both live in one store since they must change in one transaction: a job is finished if, and only if, its signals
//! are there. That, and the unique signal id, is what makes a signal be emitted exactly once; nothing else has to.

use async_trait::async_trait;
use serde_json::Value as Json;
use ta_bot_core::{Job, Signal, SignalId, StrategyId, Symbol, Timeframe, Timestamp};

use crate::support::store_error::StoreError;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
pub mod fence;

/// A job whose evaluation is over, with the signals that came of it.
#[derive(Debug, Clone)]
pub struct FinishedJob {
    /// The job.
    pub job: Job,
    /// Its signals, perhaps none.
    pub signals: Vec<Signal>,
    /// The revision of the deployments' log by which it was decided.
    pub revision: i64,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The ids of the signals that were not there before.
    pub new: Vec<SignalId>,
    /// The jobs that were left out with their signals: an entry of the deployments' log that was added after the revision
    /// by which they were decided is about their candles. They are to be decided again.
    pub outdated: Vec<Job>,
}

/// A stored signal.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSignal {
    /// Position in the order of commits.
    pub sequence: i64,
    /// The id, as 64 hex digits.
    pub id: String,
    /// Who decided.
    pub strategy: StrategyId,
    /// Whose candle.
    pub symbol: Symbol,
    /// How long the candle is.
    pub timeframe: Timeframe,
    /// The message's bytes, as they were stored and as they are sent.
    pub message: String,
    /// When it was committed.
    pub created_at: Timestamp,
    /// When the bus acknowledged it.
    pub published_at: Option<Timestamp>,
}

/// A job that kept failing.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadJob {
    /// The job.
    pub job: Job,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong the last time.
    pub reason: String,
    /// When it was given up.
    pub died_at: Timestamp,
    /// Since when it is to be tried again, if it is.
    pub retried_at: Option<Timestamp>,
}

/// Which dead jobs; each condition that is given has to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadFilter {
    /// Of this symbol only.
    pub symbol: Option<Symbol>,
    /// Of this timeframe only.
    pub timeframe: Option<Timeframe>,
    /// Of this candle close only.
    pub candle_close: Option<Timestamp>,
}

/// A dead job that is to be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetriedJob {
    /// The job.
    pub job: Job,
    /// When that was asked for. With the job it names this one retry: a queue that leaves out what it had before must
    /// not take it for the job's first run.
    pub retried_at: Timestamp,
}

/// Which signals to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct SignalFilter {
    /// Of this strategy only.
    pub strategy: Option<StrategyId>,
    /// Of this symbol only.
    pub symbol: Option<Symbol>,
    /// Of this timeframe only.
    pub timeframe: Option<Timeframe>,
    /// This many at most.
    pub limit: u32,
}

/// What waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// How many signals.
    pub signals: u64,
    /// When the oldest of them was committed.
    pub oldest: Option<Timestamp>,
}

/// A store of signals and finished jobs.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Commits jobs and their signals in one transaction. A job that is finished already is left alone, whatever
    /// signals it brings now: it was decided, perhaps by other parameters. So is a signal that is there already. A dead
    /// job is dead no longer.
    ///
    /// A job that is not finished and that was decided by an older log than the one that holds for its candle is left out,
    /// and told. The log is compared in the same transaction, so no entry comes between.
    async fn commit(&self, finished: &[FinishedJob], at: Timestamp) -> Result<Committed, StoreError>;

    /// Inserts signals beside any job, as an operator asks for them on a candle that is finished. A signal that is
    /// there already is left alone. Answers the ids of the signals that were not there before.
    async fn add(&self, signals: &[Signal], at: Timestamp) -> Result<Vec<SignalId>, StoreError>;

    /// The oldest signals that the bus has not acknowledged, in the order of their commits.
    async fn unpublished(&self, limit: u32) -> Result<Vec<StoredSignal>, StoreError>;

    /// Marks signals as acknowledged by the bus.
    async fn mark_published(&self, ids: &[String], at: Timestamp) -> Result<(), StoreError>;

    /// How much waits to be sent.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// The signal of an id, if there is one.
    async fn signal(&self, id: &SignalId) -> Result<Option<StoredSignal>, StoreError>;

    /// Signals by filter, newest first.
    async fn signals(&self, filter: &SignalFilter) -> Result<Vec<StoredSignal>, StoreError>;

    /// Remembers from which candle on a series is looked at; what is remembered already stays. Candles that closed
    /// before have no jobs, so that importing history emits nothing.
    async fn begin(&self, series: &[(Symbol, Timeframe, Timestamp)]) -> Result<(), StoreError>;

    /// From which candle close on each series of `timeframe` is looked at.
    async fn begun(&self, timeframe: Timeframe) -> Result<Vec<(Symbol, Timestamp)>, StoreError>;

    /// Which of these jobs of `timeframe`, each given as symbol and candle close, are finished or dead. One query,
    /// which reads nothing of others.
    async fn finished(
        &self,
        timeframe: Timeframe,
        jobs: &[(Symbol, Timestamp)],
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError>;

    /// Gives a job up, with the reason. It counts as finished until it is retried and committed. A job that is
    /// finished stays so; one that was being retried is so no more.
    async fn bury(&self, dead: &DeadJob) -> Result<(), StoreError>;

    /// The jobs that were given up, newest first.
    async fn dead(&self, limit: u32) -> Result<Vec<DeadJob>, StoreError>;

    /// Marks dead jobs as to be tried again, in one statement. They stay dead (and [`finished`](Self::finished)) until
    /// they are committed, or given up once more: so a retry that was asked for outlives every process. Those that are
    /// marked already keep their moment and do not count. Answers how many were marked.
    async fn retry(&self, which: &DeadFilter, at: Timestamp) -> Result<u64, StoreError>;

    /// The dead jobs that are to be tried again, those first that have waited longest, then by candle close, timeframe
    /// and symbol.
    async fn retried(&self, limit: u32) -> Result<Vec<RetriedJob>, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

impl StoredSignal {
    /// The message as JSON.
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.message).unwrap_or(Json::Null)
    }
}
