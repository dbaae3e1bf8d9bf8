//! The store of signals that wait to be sent, and of finished jobs.
//!
//! Both are in one store because they must change in one transaction: a job is finished if, and only if, its signals
//! are stored. That and the unique signal id ensure that a signal is emitted exactly once; nothing else is needed.

use async_trait::async_trait;
use serde_json::Value as Json;
use ta_bot_core::{Job, Signal, SignalId, StrategyId, Symbol, Timeframe, Timestamp};

use crate::{signals::cursor::Cursor, support::store_error::StoreError};

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
pub mod fence;
mod filter;

pub use filter::{SignalFilter, SignalState, UnknownState};

/// A job whose evaluation is over, with the resulting signals.
#[derive(Debug, Clone)]
pub struct FinishedJob {
    /// The job.
    pub job: Job,
    /// Its signals; may be empty.
    pub signals: Vec<Signal>,
    /// The revision of the deployments' log by which it was decided.
    pub revision: i64,
}

/// The result of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The ids of the signals that were not there before.
    pub new: Vec<SignalId>,
    /// The jobs that were left out together with their signals, because a newer entry of the deployments' log than the
    /// revision by which they were decided applies to their candles. They have to be decided again.
    pub outdated: Vec<Job>,
}

/// A stored signal.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSignal {
    /// The position in the order of commits.
    pub sequence: i64,
    /// The id, as 64 hex digits.
    pub id: String,
    /// The strategy that decided.
    pub strategy: StrategyId,
    /// The symbol of the candle.
    pub symbol: Symbol,
    /// The timeframe of the candle.
    pub timeframe: Timeframe,
    /// What to do, such as `buy`.
    pub action: String,
    /// The bytes of the message, as they were stored and as they are sent.
    pub message: String,
    /// When the candle closed.
    pub candle_close: Timestamp,
    /// When the signal was committed.
    pub created_at: Timestamp,
    /// When the bus acknowledged the signal.
    pub published_at: Option<Timestamp>,
    /// When the signal was found to be too old to be sent.
    pub expired_at: Option<Timestamp>,
    /// When the signal was found to be of an action that is not published.
    pub withheld_at: Option<Timestamp>,
}

/// A job that kept failing.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadJob {
    /// The job.
    pub job: Job,
    /// How often the job was tried.
    pub attempts: u32,
    /// The error of the last try.
    pub reason: String,
    /// When the job was given up.
    pub died_at: Timestamp,
    /// When an operator asked to retry it, if the retry is still pending.
    pub retried_at: Option<Timestamp>,
}

/// Which dead jobs to retry. All given conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadFilter {
    /// Only jobs of this symbol.
    pub symbol: Option<Symbol>,
    /// Only jobs of this timeframe.
    pub timeframe: Option<Timeframe>,
    /// Only jobs of this candle close.
    pub candle_close: Option<Timestamp>,
}

/// A dead job that an operator retries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetriedJob {
    /// The job.
    pub job: Job,
    /// When the retry was requested. Together with the job it identifies this retry: a queue that deduplicates jobs
    /// must not mistake it for the job's first run.
    pub retried_at: Timestamp,
}

/// The signals that wait to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// How many signals wait.
    pub signals: u64,
    /// When the oldest of them was committed.
    pub oldest: Option<Timestamp>,
}

/// A store of signals and finished jobs.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Commits jobs and their signals in one transaction. A job that is already finished is left unchanged, whatever
    /// signals it brings now: it was already decided, perhaps with other parameters. A signal that is already stored is
    /// left unchanged too. A dead job that is committed is no longer dead.
    ///
    /// A job that is not finished is left out, and returned as outdated, if it was decided by an older log than the one
    /// that applies to its candle. The log is compared in the same transaction, so no entry can come between.
    async fn commit(&self, finished: &[FinishedJob], at: Timestamp) -> Result<Committed, StoreError>;

    /// Inserts signals independently of a job, for example when an operator requests them for a finished candle. A
    /// signal that is already stored is left unchanged. Returns the ids of the signals that were not there before.
    async fn add(&self, signals: &[Signal], at: Timestamp) -> Result<Vec<SignalId>, StoreError>;

    /// Returns the oldest signals that wait: that the bus has not acknowledged, and that are neither expired nor
    /// withheld. They are in the order of their commits.
    async fn unpublished(&self, limit: u32) -> Result<Vec<StoredSignal>, StoreError>;

    /// Marks signals as acknowledged by the bus. That is the truth even about a signal that another replica has marked
    /// as expired or withheld meanwhile.
    async fn mark_published(&self, ids: &[String], at: Timestamp) -> Result<(), StoreError>;

    /// Marks signals that wait as too old to be sent. They wait no more. A signal that the bus has acknowledged stays
    /// published.
    async fn mark_expired(&self, ids: &[String], at: Timestamp) -> Result<(), StoreError>;

    /// Marks signals that wait as being of an action that is not published. They wait no more. A signal that the bus
    /// has acknowledged stays published.
    async fn mark_withheld(&self, ids: &[String], at: Timestamp) -> Result<(), StoreError>;

    /// Returns how many signals wait to be sent, and since when.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// Returns the signal with this id, if there is one.
    async fn signal(&self, id: &SignalId) -> Result<Option<StoredSignal>, StoreError>;

    /// Returns the signals that match the filter, newest first.
    async fn signals(&self, filter: &SignalFilter) -> Result<Vec<StoredSignal>, StoreError>;

    /// Returns signals that a reader with this cursor has not seen, in the order of their positions.
    async fn unseen(&self, cursor: &Cursor, limit: u32) -> Result<Vec<StoredSignal>, StoreError>;

    /// Returns how far a reader had come when it was last kept, if it was.
    async fn reader(&self, name: &str) -> Result<Option<Cursor>, StoreError>;

    /// Keeps how far a reader has come.
    async fn keep_reader(&self, name: &str, cursor: &Cursor, at: Timestamp) -> Result<(), StoreError>;

    /// Stores the candle from which a series is looked at, unless it is already stored. Candles that closed before it
    /// have no jobs, so that importing history emits no signals.
    async fn begin(&self, series: &[(Symbol, Timeframe, Timestamp)]) -> Result<(), StoreError>;

    /// Returns the candle close from which each series of `timeframe` is looked at.
    async fn begun(&self, timeframe: Timeframe) -> Result<Vec<(Symbol, Timestamp)>, StoreError>;

    /// Returns which of these jobs of `timeframe`, each given as symbol and candle close, are finished or dead. Takes
    /// one query, which reads only these jobs.
    async fn finished(
        &self,
        timeframe: Timeframe,
        jobs: &[(Symbol, Timestamp)],
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError>;

    /// Gives a job up, with the reason. It counts as finished until it is retried and committed. A job that is already
    /// finished stays finished. A pending retry of the job ends.
    async fn bury(&self, dead: &DeadJob) -> Result<(), StoreError>;

    /// Returns the jobs that were given up, newest first.
    async fn dead(&self, limit: u32) -> Result<Vec<DeadJob>, StoreError>;

    /// Marks dead jobs for a retry, in one statement. They stay dead (and [`finished`](Self::finished)) until they are
    /// committed or given up once more, so a requested retry outlives every process. Jobs that are already marked keep
    /// their time and do not count. Returns how many were marked.
    async fn retry(&self, which: &DeadFilter, at: Timestamp) -> Result<u64, StoreError>;

    /// Returns the dead jobs that are marked for a retry: those that have waited longest come first, then by candle
    /// close, timeframe and symbol.
    async fn retried(&self, limit: u32) -> Result<Vec<RetriedJob>, StoreError>;

    /// Checks that the store responds.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Finds out whether a commit would be stored now, by a write that leaves nothing behind.
    async fn probe(&self) -> Result<(), StoreError>;
}

impl StoredSignal {
    /// The job that made the signal.
    pub fn job(&self) -> Job {
        Job { symbol: self.symbol.clone(), timeframe: self.timeframe, candle_close: self.candle_close }
    }

    /// What has become of the signal.
    pub const fn state(&self) -> SignalState {
        match (self.published_at, self.expired_at, self.withheld_at) {
            (Some(_), _, _) => SignalState::Published,
            (None, Some(_), _) => SignalState::Expired,
            (None, None, Some(_)) => SignalState::Withheld,
            (None, None, None) => SignalState::Waiting,
        }
    }

    /// Returns the message as JSON.
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.message).unwrap_or(Json::Null)
    }
}
