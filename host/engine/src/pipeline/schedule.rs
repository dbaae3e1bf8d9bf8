//! Decides which candles become jobs.
//!
//! An event is a hint to look now; the sweep is the guarantee. Both do the same: they look for closed candles of a
//! timeframe that have no finished job. Only a leader looks.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use opentelemetry::{KeyValue, trace::SpanKind};
use ta_bot_core::{ApplicationSettings, CandleEvent, Symbol, Timeframe, Timestamp};
use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};
use tokio_util::sync::CancellationToken;

use crate::{
    market::{candles::Candles, feeds::Feeds},
    pipeline::{
        job_queue::{JobQueue, JobsError, QueuedJob},
        leadership::Leadership,
    },
    settings::application::SettingsBook,
    signals::{
        bus::{Bus, Notice},
        outbox::Outbox,
    },
    support::{
        abilities::{Abilities, Ability, Trouble},
        log_limit::LogLimit,
        metrics::Metrics,
        traces::{self, Begun, Span},
    },
};

mod look;
mod revive;
#[cfg(test)]
mod tests;
mod waiting;

use look::Progress;
use waiting::{Found, Waiting};

/// The longest time between two sweeps.
const SWEEP: Duration = Duration::from_secs(15);
/// How long after a timeframe's close the sweep looks, because the extractor needs a moment to write.
const GRACE_MS: i64 = 2_000;
/// How long events are gathered before one look for all of them. Events that come during a look are gathered for the
/// next one.
const GATHER: Duration = Duration::from_millis(1);
/// How many jobs are pushed concurrently before events and the sweep get their turn.
const PUSHED_AT_ONCE: usize = 64;
/// How many retried dead jobs one sweep takes.
const RETRIED_AT_ONCE: u32 = 1000;
/// Jobs for candles other than the newest of their series are pushed only while the queue holds fewer jobs than this.
/// It is also the most jobs that a fresh candle waits for.
const CATCH_UP_DEPTH: usize = 256;
/// The pause before looking again whether there is room for more.
const UNTIL_ROOM: Duration = Duration::from_millis(20);
/// The pause before an unavailable queue is tried again.
const UNTIL_BACK: Duration = Duration::from_secs(1);

/// The series that events named since the last look, with the newest trace of each symbol.
type Hints = HashMap<Timeframe, Hinted>;
type Hinted = HashMap<Symbol, Option<String>>;

/// Turns closed candles into jobs.
pub struct Schedule {
    /// Where it looks for candles.
    pub candles: Arc<Candles>,
    /// The store of finished jobs.
    pub outbox: Arc<dyn Outbox>,
    /// The source of events.
    pub bus: Arc<dyn Bus>,
    /// The settings, which say what is scheduled.
    pub settings: Arc<SettingsBook>,
    /// The queue that jobs are pushed to.
    pub queue: Arc<dyn JobQueue>,
    /// Takes how old the series are.
    pub feeds: Arc<Feeds>,
    /// Whether this process leads. Only a leader looks.
    pub leadership: Leadership,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Takes whether jobs can be queued.
    pub abilities: Arc<Abilities>,
    /// Limits the log lines about refused events.
    pub refused: LogLimit,
}

impl Schedule {
    /// Looks for candles until `stop` is cancelled. That also ends a look under way: the next start finds what was not
    /// pushed.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.look_on()).await;
    }

    async fn look_on(&self) {
        let mut events = self.bus.candle_events();
        let mut notices = self.bus.notices();
        let mut progress = Progress::default();
        loop {
            let term = self.leadership.term();
            self.leadership.measure(&self.metrics);
            self.sweep(&mut progress).await;
            let next_sweep = tokio::time::sleep(self.until_next_sweep(Timestamp::now()));
            let next_term = self.leadership.next_term(term.as_ref());
            tokio::pin!(next_sweep, next_term);
            loop {
                let rest = self.push_some(&mut progress.waiting).await;
                tokio::select! {
                    biased;
                    () = &mut next_sweep => break,
                    // A process that begins to lead does not wait for the next sweep, because no process looked
                    // meanwhile.
                    _ = &mut next_term => break,
                    event = events.recv() => match event {
                        // The leader receives the event too.
                        Ok(_) if self.leadership.term().is_none() => {
                            self.metrics.events.with_label_values(&["not_leading"]).inc();
                        }
                        Ok(body) => {
                            let (hints, missed) = self.gather(&body, &mut events).await;
                            self.look_at(&hints, &mut progress).await;
                            if missed > 0 {
                                self.missed(missed);
                                break;
                            }
                        }
                        Err(RecvError::Lagged(missed)) => {
                            self.missed(missed);
                            break;
                        }
                        Err(RecvError::Closed) => return,
                    },
                    notice = notices.recv() => match notice {
                        Ok(Notice::JobsRetried) | Err(RecvError::Lagged(_)) => break,
                        Ok(Notice::ConfigurationChanged | Notice::DeploymentsChanged) => {}
                        Err(RecvError::Closed) => return,
                    },
                    () = tokio::time::sleep(rest), if !progress.waiting.is_empty() => {}
                }
            }
        }
    }

    /// Looks at all scheduled series, and takes retried jobs.
    async fn sweep(&self, progress: &mut Progress) {
        if let Some(refused) = self.refused.withheld() {
            tracing::warn!(refused, "more candle events were refused");
        }
        // Another leader works meanwhile. If this process leads again, it catches up as after a restart.
        if self.leadership.term().is_none() {
            *progress = Progress::default();
            self.feeds.clear();
            return;
        }
        let scheduled = self.scheduled();
        progress.keep(&scheduled);
        self.feeds.keep(|symbol, timeframe| scheduled.has(symbol, timeframe));
        for timeframe in &scheduled.timeframes {
            self.look_or_warn(*timeframe, None, &scheduled, progress).await;
        }
        progress.sweeps += 1;
        self.find_without_candle(&scheduled, progress).await;
        self.revive(None, progress).await;
        self.take_retried(progress).await;
    }

    /// Takes the dead jobs that an operator retries, whatever their age. They stay marked until they are committed or
    /// given up, so that the next sweep takes a job that is lost on the way.
    async fn take_retried(&self, progress: &mut Progress) {
        match self.outbox.retried(RETRIED_AT_ONCE).await {
            Ok(retried) => progress.waiting.add_retried(retried),
            Err(error) => tracing::warn!(%error, "can't look for retried jobs; the next sweep tries again"),
        }
    }

    /// Looks at the series that events named.
    async fn look_at(&self, hints: &Hints, progress: &mut Progress) {
        let scheduled = self.scheduled();
        let now = self.feeds.clock().now();
        for (timeframe, hinted) in hints {
            let behind = hinted.iter().filter(|(symbol, _)| !progress.is_up_to_date(*timeframe, symbol, now));
            let behind: Hinted = behind.map(|(symbol, trace)| (symbol.clone(), trace.clone())).collect();
            if !behind.is_empty() {
                self.look_or_warn(*timeframe, Some(&behind), &scheduled, progress).await;
            }
        }
        if self.revive(Some(hints), progress).await {
            self.take_retried(progress).await;
        }
    }

    async fn look_or_warn(
        &self,
        timeframe: Timeframe,
        hinted: Option<&Hinted>,
        scheduled: &Scheduled,
        progress: &mut Progress,
    ) {
        if let Err(error) = self.look(timeframe, hinted, scheduled, progress).await {
            tracing::warn!(%timeframe, %error, "can't look for candles; the next sweep tries again");
        }
    }

    /// Pushes the next few waiting jobs. Returns how long to wait before the next call.
    async fn push_some(&self, waiting: &mut Waiting) -> Duration {
        // Checked before each effect: a process that no longer leads adds nothing.
        if self.leadership.term().is_none() {
            *waiting = Waiting::default();
        }
        let fresh = waiting.fresh();
        let mut count = fresh;
        if fresh < PUSHED_AT_ONCE.min(waiting.len()) {
            match self.queue.depth().await {
                Ok(depth) => count += CATCH_UP_DEPTH.saturating_sub(depth + fresh),
                // If there are fresh jobs, pushing them gets the same error and reports it.
                Err(error) if fresh == 0 => return self.unreachable(&error),
                Err(_) => {}
            }
        }
        let taken = waiting.take(count.min(PUSHED_AT_ONCE));
        if taken.is_empty() {
            return UNTIL_ROOM;
        }
        let pushed = join_all(taken.iter().map(|found| self.push(found))).await;
        let failure = pushed.iter().find_map(|pushed| pushed.as_ref().err().cloned());
        let failed = taken.into_iter().zip(pushed).filter_map(|(found, pushed)| pushed.is_err().then_some(found));
        waiting.put_back(failed.collect());
        let Some(error) = failure else {
            self.abilities.worked(Ability::Queue);
            return Duration::ZERO;
        };
        self.unreachable(&error)
    }

    /// Pushes a job, with its place in the trace of the event that led to it.
    async fn push(&self, found: &Found) -> Result<bool, JobsError> {
        let sending = Span::begin(found.traceparent.as_deref(), || {
            let mut attributes = traces::candle(&found.job);
            attributes.extend([
                KeyValue::new("messaging.operation.type", "send"),
                KeyValue::new("messaging.destination.name", "jobs"),
            ]);
            Begun { name: "send jobs".into(), kind: SpanKind::Producer, attributes }
        });
        let queued = QueuedJob { job: found.job.clone(), traceparent: sending.traceparent(), retry: found.retry };
        self.queue.push(queued).await.inspect_err(|error| sending.fail(error))
    }

    /// Notes and logs that the queue is unavailable. Returns how long to wait before the next try.
    fn unreachable(&self, error: &JobsError) -> Duration {
        self.abilities.failed(Ability::Queue, Trouble::new(Ability::Queue, error));
        tracing::warn!(%error, "jobs wait for the queue");
        UNTIL_BACK
    }

    /// Counts events that came faster than they were read.
    fn missed(&self, missed: u64) {
        self.metrics.events.with_label_values(&["missed"]).inc_by(missed);
        tracing::warn!(missed, "candle events came too fast; the sweep looks instead");
    }

    /// Reads an event and those that follow within a moment. Also returns how many were missed.
    async fn gather(&self, first: &[u8], events: &mut broadcast::Receiver<Vec<u8>>) -> (Hints, u64) {
        let scheduled = self.scheduled();
        let mut hints = Hints::new();
        self.read_event(first, &scheduled, &mut hints);
        tokio::time::sleep(GATHER).await;
        loop {
            match events.try_recv() {
                Ok(body) => self.read_event(&body, &scheduled, &mut hints),
                Err(TryRecvError::Lagged(missed)) => return (hints, missed),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return (hints, 0),
            }
        }
    }

    fn read_event(&self, body: &[u8], scheduled: &Scheduled, hints: &mut Hints) {
        let outcome = match CandleEvent::parse(body) {
            Ok(mut event) => {
                let timeframes = self.told_by(event.timeframe, scheduled);
                event.symbols.retain(|symbol| scheduled.symbols.contains(symbol));
                let is_taken = !timeframes.is_empty() && !event.symbols.is_empty();
                self.skip(&event.unusable);
                let traceparent = if is_taken { traced(&event).traceparent() } else { None };
                for timeframe in timeframes {
                    let told = event.symbols.iter().map(|symbol| (symbol.clone(), traceparent.clone()));
                    hints.entry(timeframe).or_default().extend(told);
                }
                if is_taken { "taken" } else { "not_scheduled" }
            }
            Err(error) => {
                if let Some(withheld) = self.refused.admit() {
                    tracing::warn!(%error, bytes = body.len(), withheld, "candle event refused");
                }
                "refused"
            }
        };
        self.metrics.events.with_label_values(&[outcome]).inc();
    }

    /// The scheduled timeframes that candles of `timeframe` may complete: itself, and those that are made of it.
    fn told_by(&self, timeframe: Timeframe, scheduled: &Scheduled) -> Vec<Timeframe> {
        let is_told = |longer: &Timeframe| *longer == timeframe || self.candles.source_of(*longer) == Some(timeframe);
        scheduled.timeframes.iter().copied().filter(is_told).collect()
    }

    /// Counts and names the entries of a batch that are no symbols.
    fn skip(&self, unusable: &[String]) {
        let Some(first) = unusable.first() else { return };
        self.metrics.events.with_label_values(&["unusable_symbol"]).inc_by(unusable.len() as u64);
        if let Some(withheld) = self.refused.admit() {
            let first: String = first.chars().take(40).collect();
            tracing::warn!(
                first,
                entries = unusable.len(),
                withheld,
                "a batch of candle events names what is no symbol"
            );
        }
    }

    fn scheduled(&self) -> Scheduled {
        Scheduled::of(&self.settings.current().settings)
    }

    /// The time until the next close of a scheduled timeframe plus grace, but at most the sweep's own interval.
    fn until_next_sweep(&self, now: Timestamp) -> Duration {
        let settings = self.settings.current();
        let graced = now.plus_millis(-GRACE_MS);
        let waits = settings.settings.timeframes.iter().map(|timeframe| {
            let close = timeframe.close_of(timeframe.open_of(graced));
            Duration::from_millis((close.millis() - graced.millis()).max(0) as u64)
        });
        waits.min().map_or(SWEEP, |wait| wait.min(SWEEP))
    }
}

/// The span of taking in an event.
fn traced(event: &CandleEvent) -> Span {
    Span::begin(event.traceparent.as_deref(), || {
        let attributes = vec![
            KeyValue::new("candle.timeframe", event.timeframe.as_str()),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.destination.name", "candle events"),
            KeyValue::new("messaging.batch.message_count", event.symbols.len() as i64),
        ];
        Begun { name: "process candle events".into(), kind: SpanKind::Consumer, attributes }
    })
}

/// The scheduled series at one moment, for fast lookups.
struct Scheduled {
    timeframes: Vec<Timeframe>,
    symbols: HashSet<Symbol>,
}

impl Scheduled {
    fn of(settings: &ApplicationSettings) -> Self {
        Self { timeframes: settings.timeframes.clone(), symbols: settings.symbols.iter().cloned().collect() }
    }

    fn has(&self, symbol: &Symbol, timeframe: Timeframe) -> bool {
        self.timeframes.contains(&timeframe) && self.symbols.contains(symbol)
    }

    /// Returns the scheduled symbols of a timeframe that are not in `known`. With hints, only those that are hinted at.
    fn others(&self, timeframe: Timeframe, hinted: Option<&Hinted>, known: &[(Symbol, Timestamp)]) -> Vec<Symbol> {
        let known: HashSet<&Symbol> = known.iter().map(|(symbol, _)| symbol).collect();
        let is_other = |symbol: &&Symbol| self.has(symbol, timeframe) && !known.contains(symbol);
        match hinted {
            // An event names few symbols, and comes for each candle, so only these are visited.
            Some(hinted) => hinted.keys().filter(is_other).cloned().collect(),
            None => self.symbols.iter().filter(is_other).cloned().collect(),
        }
    }
}
