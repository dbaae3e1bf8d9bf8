//! Which candles become jobs.
//!
//! An event is a hint to look now; the sweep is the guarantee. Both end in the same look: the closed candles of a timeframe
//! that have no finished job. Only a leader looks.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ta_bot_core::{ApplicationSettings, CandleEvent, Symbol, Timeframe, Timestamp};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::{
    bus::{Bus, Notice},
    candles::CandleStore,
    leadership::Leadership,
    metrics::Metrics,
    outbox::Outbox,
    pipeline::Queue,
    settings::SettingsBook,
};

mod look;
#[cfg(test)]
mod tests;
mod waiting;

use look::Progress;
use waiting::Waiting;

/// The sweep looks at least this often.
const SWEEP: Duration = Duration::from_secs(15);
/// How long after a timeframe's close the sweep looks: the extractor needs a moment to write.
const GRACE_MS: i64 = 2_000;
/// How long events are gathered before one look serves them all.
const GATHER: Duration = Duration::from_millis(10);
/// How many jobs are pushed before events and the sweep have their turn. Where the queue is full, this is how many
/// older jobs a fresh candle waits for.
const PUSHED_AT_ONCE: usize = 64;
/// How many of the dead jobs that are to be tried again one sweep takes.
const RETRIED_AT_ONCE: u32 = 1000;

/// What events named since the last look, with the newest trace of each symbol.
type Hints = HashMap<Timeframe, Hinted>;
type Hinted = HashMap<Symbol, Option<String>>;

/// What the schedule needs.
pub struct Schedule {
    /// Where candles are looked for.
    pub candles: Arc<dyn CandleStore>,
    /// Where finished jobs are known.
    pub outbox: Arc<dyn Outbox>,
    /// Where events come from.
    pub bus: Arc<dyn Bus>,
    /// What is scheduled.
    pub settings: Arc<SettingsBook>,
    /// Where jobs go.
    pub queue: Arc<Queue>,
    /// Whether to look at all.
    pub leadership: Leadership,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Schedule {
    /// Looks until `stop`, which also ends a look under way: the next start finds what was not pushed.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.look_on()).await;
    }

    async fn look_on(&self) {
        let (mut events, mut notices) = (self.bus.candle_events(), self.bus.notices());
        let mut progress = Progress::default();
        loop {
            let term = self.leadership.term();
            self.leadership.measure(&self.metrics);
            self.sweep(&mut progress).await;
            let next_sweep = tokio::time::sleep(self.until_next_sweep(Timestamp::now()));
            let next_term = self.leadership.next_term(term.as_ref());
            tokio::pin!(next_sweep, next_term);
            loop {
                self.push_some(&mut progress.waiting).await;
                tokio::select! {
                    biased;
                    () = &mut next_sweep => break,
                    // Who begins to lead does not wait for the next sweep: nobody looked meanwhile.
                    _ = &mut next_term => break,
                    event = events.recv() => match event {
                        // The leader hears it too.
                        Ok(_) if self.leadership.term().is_none() => {
                            self.metrics.events.with_label_values(&["not_leading"]).inc();
                        }
                        Ok(body) => {
                            let hints = self.gather(&body, &mut events).await;
                            self.look_at(&hints, &mut progress).await;
                        }
                        Err(RecvError::Lagged(missed)) => {
                            tracing::warn!(missed, "candle events came too fast; the sweep looks instead");
                            break;
                        }
                        Err(RecvError::Closed) => return,
                    },
                    notice = notices.recv() => match notice {
                        Ok(Notice::JobsRetried) | Err(RecvError::Lagged(_)) => break,
                        Ok(Notice::ConfigurationChanged) => {}
                        Err(RecvError::Closed) => return,
                    },
                    () = std::future::ready(()), if !progress.waiting.is_empty() => {}
                }
            }
        }
    }

    /// Looks at everything that is scheduled.
    async fn sweep(&self, progress: &mut Progress) {
        // Another leader goes on meanwhile; who leads again catches up like after a stop.
        if self.leadership.term().is_none() {
            *progress = Progress::default();
            return;
        }
        let scheduled = self.scheduled();
        progress.keep(&scheduled);
        for timeframe in &scheduled.timeframes {
            self.look_or_warn(*timeframe, None, &scheduled, progress).await;
        }
        self.take_retried(progress).await;
    }

    /// Takes the dead jobs that are to be tried again, whatever their age: somebody asked for them. They stay marked until
    /// they are committed or given up, so that one which is lost on the way is taken by the next sweep.
    async fn take_retried(&self, progress: &mut Progress) {
        match self.outbox.retried(RETRIED_AT_ONCE).await {
            Ok(retried) => progress.waiting.add_retried(retried),
            Err(error) => tracing::warn!(%error, "dead jobs can't be looked for; the next sweep tries again"),
        }
    }

    /// Looks at what events named.
    async fn look_at(&self, hints: &Hints, progress: &mut Progress) {
        let scheduled = self.scheduled();
        for (timeframe, hinted) in hints {
            self.look_or_warn(*timeframe, Some(hinted), &scheduled, progress).await;
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
            tracing::warn!(%timeframe, %error, "candles can't be looked for; the next sweep tries again");
        }
    }

    /// Pushes the next few of the jobs that wait.
    async fn push_some(&self, waiting: &mut Waiting) {
        for _ in 0..PUSHED_AT_ONCE {
            let Some(next) = waiting.pop() else { return };
            // Read again at each effect: a leader that no longer leads adds nothing.
            if self.leadership.term().is_none() {
                *waiting = Waiting::default();
                return;
            }
            self.queue.push(next.job, next.traceparent).await;
        }
    }

    /// Reads an event and those that come right behind it.
    async fn gather(&self, first: &[u8], events: &mut broadcast::Receiver<Vec<u8>>) -> Hints {
        let scheduled = self.scheduled();
        let mut hints = Hints::new();
        self.read_event(first, &scheduled, &mut hints);
        tokio::time::sleep(GATHER).await;
        while let Ok(body) = events.try_recv() {
            self.read_event(&body, &scheduled, &mut hints);
        }
        hints
    }

    fn read_event(&self, body: &[u8], scheduled: &Scheduled, hints: &mut Hints) {
        let outcome = match CandleEvent::parse(body) {
            Ok(mut event) => {
                event.symbols.retain(|symbol| scheduled.has(symbol, event.timeframe));
                let outcome = if event.symbols.is_empty() { "not_scheduled" } else { "taken" };
                for symbol in event.symbols {
                    hints.entry(event.timeframe).or_default().insert(symbol, event.traceparent.clone());
                }
                outcome
            }
            Err(error) => {
                tracing::warn!(%error, bytes = body.len(), "candle event refused");
                "refused"
            }
        };
        self.metrics.events.with_label_values(&[outcome]).inc();
    }

    fn scheduled(&self) -> Scheduled {
        Scheduled::of(&self.settings.current().settings)
    }

    /// Until the next close of a scheduled timeframe plus grace, and never longer than the sweep's own interval.
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

/// What is scheduled at the moment, to be asked for each of many series.
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
}
