//! The JSON views of candles that are changed by hand.

use serde::Serialize;
use serde_json::Value as Json;
use ta_bot_engine::{
    market::candle_store::{RepairEntry, Repaired},
    pipeline::repair::{CandleChange, Preview, Redecided},
    signals::{outbox::StoredSignal, redecision_store::Redecision},
};
use utoipa::ToSchema;

use super::NumbersView;

/// How many jobs and signals an answer names.
const MOST_NAMED: usize = 100;

/// A change of candles by hand: what it would do, or what it did.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepairView {
    pub symbol: String,
    pub timeframe: String,
    /// `replace` or `delete`.
    pub kind: &'static str,
    /// Whether the change was made. If not, this is a preview, and nothing has changed.
    pub applied: bool,
    /// The number of the repair; null if it was not made, or if there was nothing to change.
    pub repair: Option<i64>,
    /// Candles that had no row.
    pub added: u64,
    /// Candles that get other numbers.
    pub changed: u64,
    /// Candles that lose their rows.
    pub removed: u64,
    /// Candles that are there with the same numbers.
    pub same: u64,
    /// Stored candles between the first and the last given one that are not among the given ones. They stay.
    pub kept: u64,
    /// The first candles that change.
    pub changes: Vec<CandleChangeView>,
    /// How many finished jobs rested on candles that change.
    pub finished_jobs: u64,
    /// The first hundred of them.
    pub jobs: Vec<JobView>,
    /// How many stored signals rested on them.
    pub affected_signals: u64,
    /// How many of those had been published.
    pub published_signals: u64,
    /// The first hundred of them, published ones first.
    pub signals: Vec<SignalOfView>,
    /// The service that writes these candles, if it is another one.
    pub owner: Option<&'static str>,
    /// What was decided again; null if that was not asked for.
    pub redecided: Option<RedecidedView>,
}

/// A candle that changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct CandleChangeView {
    pub open_time: String,
    /// The numbers that strategies see now; null if the candle has no usable row.
    pub old: Option<NumbersView>,
    /// The numbers after the change; null if it is deleted.
    pub new: Option<NumbersView>,
}

/// A finished job.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobView {
    pub symbol: String,
    pub timeframe: String,
    pub candle_close: String,
}

/// A signal that rested on candles that change. Its replay says `candles_changed` after that.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignalOfView {
    pub signal_id: String,
    pub strategy: String,
    pub symbol: String,
    pub timeframe: String,
    pub action: String,
    pub candle_close: String,
    /// `waiting`, `published`, `expired` or `withheld`.
    pub state: &'static str,
}

/// What new decisions came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct RedecidedView {
    /// Jobs that were decided.
    pub jobs: u64,
    /// Signals that this gave. None of them is published.
    pub signals: u64,
    /// Signals that had been given before and are not given any more.
    pub gone: u64,
    /// Jobs whose candle has no usable row now.
    pub without_candle: u64,
}

/// A repair in the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepairEntryView {
    pub repair: i64,
    pub symbol: String,
    pub timeframe: String,
    /// `replace` or `delete`.
    pub kind: &'static str,
    /// When the oldest of the changed candles opened.
    pub first_open: String,
    /// When the newest of them opened.
    pub last_open: String,
    pub added: u64,
    pub changed: u64,
    pub removed: u64,
    pub changed_by: String,
    /// Whom the request named as its author, if it was sent with the token of somebody else.
    pub claimed_by: Option<String>,
    pub changed_at: String,
    pub reason: Option<String>,
}

/// What a strategy decided on a candle after a repair.
#[derive(Debug, Serialize, ToSchema)]
pub struct RedecisionView {
    pub repair: i64,
    pub strategy: String,
    pub symbol: String,
    pub timeframe: String,
    pub candle_close: String,
    pub module_digest: String,
    /// `signal`, `none`, `dropped`, `skipped`, `gap` or `error`.
    pub outcome: String,
    /// The id of the signal, which is also that of the one from before the repair, if there was one.
    pub signal_id: Option<String>,
    /// The message, which was not sent.
    #[schema(value_type = Option<Object>)]
    pub message: Option<Json>,
    pub decided_at: String,
}

impl RepairView {
    /// A preview, or what was done with it.
    pub fn new(preview: &Preview, repaired: Option<Repaired>, redecided: Option<Redecided>) -> Self {
        let Repaired { number, added, changed, removed, same } = repaired.unwrap_or(Repaired {
            number: None,
            added: preview.added,
            changed: preview.changed,
            removed: preview.removed,
            same: preview.same,
        });
        let is_published = |signal: &&StoredSignal| signal.published_at.is_some();
        let (published, others): (Vec<_>, Vec<_>) = preview.signals.iter().partition(is_published);
        Self {
            symbol: preview.symbol.to_string(),
            timeframe: preview.timeframe.as_str().to_owned(),
            kind: preview.kind.as_str(),
            applied: repaired.is_some(),
            repair: number,
            added,
            changed,
            removed,
            same,
            kept: preview.kept,
            changes: preview.changes.iter().map(CandleChangeView::from).collect(),
            finished_jobs: preview.jobs.len() as u64,
            jobs: preview.jobs.iter().take(MOST_NAMED).map(job).collect(),
            affected_signals: preview.signals.len() as u64,
            published_signals: published.len() as u64,
            signals: published
                .iter()
                .chain(&others)
                .take(MOST_NAMED)
                .map(|signal| SignalOfView::from(*signal))
                .collect(),
            owner: preview.owner,
            redecided: redecided.map(RedecidedView::from),
        }
    }
}

fn job(job: &ta_bot_core::Job) -> JobView {
    JobView {
        symbol: job.symbol.to_string(),
        timeframe: job.timeframe.as_str().to_owned(),
        candle_close: job.candle_close.to_string(),
    }
}

impl From<&CandleChange> for CandleChangeView {
    fn from(CandleChange { open_time, old, new }: &CandleChange) -> Self {
        Self { open_time: open_time.to_string(), old: old.map(NumbersView::from), new: new.map(NumbersView::from) }
    }
}

impl From<&StoredSignal> for SignalOfView {
    fn from(signal: &StoredSignal) -> Self {
        Self {
            signal_id: signal.id.clone(),
            strategy: signal.strategy.to_string(),
            symbol: signal.symbol.to_string(),
            timeframe: signal.timeframe.as_str().to_owned(),
            action: signal.action.clone(),
            candle_close: signal.candle_close.to_string(),
            state: signal.state().as_str(),
        }
    }
}

impl From<Redecided> for RedecidedView {
    fn from(Redecided { jobs, signals, gone, without_candle }: Redecided) -> Self {
        Self { jobs, signals, gone, without_candle }
    }
}

impl From<RepairEntry> for RepairEntryView {
    fn from(entry: RepairEntry) -> Self {
        Self {
            repair: entry.number,
            symbol: entry.symbol.to_string(),
            timeframe: entry.timeframe.as_str().to_owned(),
            kind: entry.kind.as_str(),
            first_open: entry.first_open.to_string(),
            last_open: entry.last_open.to_string(),
            added: entry.added,
            changed: entry.changed,
            removed: entry.removed,
            changed_by: entry.author.changed_by,
            claimed_by: entry.author.claimed_by,
            changed_at: entry.author.at.to_string(),
            reason: entry.author.reason,
        }
    }
}

impl From<Redecision> for RedecisionView {
    fn from(decision: Redecision) -> Self {
        let (signal_id, message) = decision.signal.unzip();
        Self {
            repair: decision.repair,
            strategy: decision.strategy.to_string(),
            symbol: decision.job.symbol.to_string(),
            timeframe: decision.job.timeframe.as_str().to_owned(),
            candle_close: decision.job.candle_close.to_string(),
            module_digest: decision.module.to_string(),
            outcome: decision.outcome,
            signal_id: signal_id.map(|id| id.to_string()),
            message: message.map(|message| serde_json::from_str(&message).unwrap_or(Json::Null)),
            decided_at: decision.decided_at.to_string(),
        }
    }
}
