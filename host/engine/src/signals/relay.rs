//! Moves signals from the outbox to the bus.
//!
//! The relay is the only code that publishes. It reads committed signals that are not acknowledged, sends them, and
//! marks those that the bus acknowledged. If the process dies in between, the same message is sent again with the same
//! id. A signal that is too old by then is marked as expired instead: whatever made it late, nothing old goes out. A
//! signal of an action that is not published is withheld from its commit on; one that waits all the same, because an
//! older version or one with other settings committed it, is marked here.
//!
//! After a failure the bus may be full, and it may have passed on what it did not store. So the next try sends a single
//! signal, and the pauses between such tries grow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use opentelemetry::KeyValue;
use ta_bot_core::Timestamp;
use thiserror::Error;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    signals::{
        actions::PublishedActions,
        bus::{Bus, BusError, Outgoing},
        expiry::Expiry,
        outbox::{Outbox, SignalState, StoredSignal},
        subject::SignalSubject,
    },
    support::{
        abilities::{Abilities, Ability, Trouble},
        backoff::Backoff,
        log_limit::LogLimit,
        metrics::Metrics,
        store_error::StoreError,
        traces::{self, SignalSpans},
    },
};

const BATCH: u32 = 256;
/// How many signals may wait for their acknowledgements at the same time. One after the other, a thousand signals would
/// take a thousand round trips to the bus.
const IN_FLIGHT: usize = 64;
/// How often the relay looks without being woken, and how often it tries while there is no connection to the bus:
/// nothing is sent then.
const INTERVAL: Duration = Duration::from_secs(1);
/// The pauses after other failures. A commit does not shorten them, because what it brings would fail too.
const PAUSES: Backoff = Backoff::new(INTERVAL, Duration::from_secs(10));

#[cfg(test)]
mod tests;

/// Why signals are still waiting.
#[derive(Debug, Error)]
enum RelayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Publishes the signals of an outbox on a bus.
pub struct Relay {
    /// The outbox with the waiting signals.
    pub outbox: Arc<dyn Outbox>,
    /// The bus that they are published on.
    pub bus: Arc<dyn Bus>,
    /// The subject that they are sent to.
    pub subject: SignalSubject,
    /// The actions whose signals are published.
    pub actions: PublishedActions,
    /// Says which signals are too old to be published.
    pub expiry: Expiry,
    /// Notified after each commit.
    pub wakeup: Arc<Notify>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Takes whether signals can be published.
    pub abilities: Arc<Abilities>,
}

/// How far the relay has come.
#[derive(Default)]
struct Progress {
    /// When the backlog was measured last.
    measured: Option<Instant>,
    /// Whether the last try failed.
    has_failed: bool,
}

impl RelayError {
    /// Whether nothing was sent, because there is no connection.
    const fn is_away(&self) -> bool {
        matches!(self, Self::Bus(BusError::Away(_)))
    }
}

impl Relay {
    /// Publishes until `stop` is cancelled, then tries once more to publish what is left.
    pub async fn run(self, stop: CancellationToken) {
        let mut pauses = PAUSES;
        let mut progress = Progress::default();
        let limit = LogLimit::default();
        loop {
            let stopping = stop.is_cancelled();
            let failed = self.drain(&mut progress).await.err();
            let rest = failed.map(|error| {
                self.metrics.publish_failures.inc();
                if let Some(withheld) = limit.admit() {
                    tracing::warn!(%error, withheld, "signals wait to be published");
                }
                if error.is_away() { INTERVAL } else { pauses.pause() }
            });
            if stopping {
                return;
            }
            match rest {
                None => {
                    pauses.reset();
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = self.wakeup.notified() => {}
                        () = tokio::time::sleep(INTERVAL) => {}
                    }
                }
                Some(rest) => {
                    stop.run_until_cancelled(tokio::time::sleep(rest)).await;
                }
            }
        }
    }

    /// Publishes all waiting signals. Measures the backlog from time to time.
    async fn drain(&self, progress: &mut Progress) -> Result<(), RelayError> {
        loop {
            let waiting = self.outbox.unpublished(BATCH).await?;
            let found = waiting.len();
            let mut going_out = self.sort_out(waiting).await?;
            // A single one shows whether the bus takes signals again.
            let is_probe = progress.has_failed && going_out.len() > 1;
            if is_probe {
                going_out.truncate(1);
            }
            progress.has_failed = true;
            let (acknowledged, failed) = self.publish(&going_out).await;
            if !acknowledged.is_empty() {
                let at = Timestamp::now();
                self.outbox.mark_published(&acknowledged, at).await?;
                for signal in going_out.iter().filter(|signal| acknowledged.contains(&signal.id)) {
                    self.metrics.latency.acknowledged(&signal.id, signal.created_at, at);
                }
                self.metrics.signals_published.inc_by(acknowledged.len() as u64);
            }
            if progress.measured.is_none_or(|before| before.elapsed() >= INTERVAL) {
                self.measure().await?;
                progress.measured = Some(Instant::now());
            }
            if let Some(error) = failed {
                return Err(error.into());
            }
            progress.has_failed = false;
            if found < BATCH as usize && !is_probe {
                return self.measure_others().await;
            }
        }
    }

    /// Marks the signals that are not published, and returns the others.
    async fn sort_out(&self, waiting: Vec<StoredSignal>) -> Result<Vec<StoredSignal>, RelayError> {
        let (published, withheld): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|signal| self.actions.includes(&signal.action));
        self.withhold(&withheld).await?;
        let (expired, current) = published.into_iter().partition(|signal| self.expiry.is_over(&signal.job()));
        self.expire(expired).await?;
        Ok(current)
    }

    /// Marks signals as being of an action that is not published.
    async fn withhold(&self, signals: &[StoredSignal]) -> Result<(), RelayError> {
        if signals.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = signals.iter().map(|signal| signal.id.clone()).collect();
        self.outbox.mark_withheld(&ids, Timestamp::now()).await?;
        self.metrics.latency.forget(ids.iter().map(String::as_str));
        for signal in signals {
            self.metrics.delivery.withheld(&signal.action);
            tracing::debug!(signal.id = %signal.id, action = signal.action, "the signal is stored and not published");
        }
        Ok(())
    }

    /// Marks signals as too old to be sent.
    async fn expire(&self, signals: Vec<StoredSignal>) -> Result<(), RelayError> {
        let Some(oldest) = signals.iter().map(|signal| signal.candle_close).min() else { return Ok(()) };
        let ids: Vec<String> = signals.iter().map(|signal| signal.id.clone()).collect();
        self.outbox.mark_expired(&ids, Timestamp::now()).await?;
        self.metrics.latency.forget(ids.iter().map(String::as_str));
        for signal in &signals {
            self.metrics.inputs.signals_expired.with_label_values(&[self.reason(signal)]).inc();
        }
        tracing::warn!(signals = ids.len(), %oldest, "signals are too old to be published; they are stored as expired");
        Ok(())
    }

    /// Why a signal is too old: it was made too late, or it waited too long for the bus.
    fn reason(&self, signal: &StoredSignal) -> &'static str {
        let was_made_late = self.expiry.end(&signal.job()).is_some_and(|end| signal.created_at >= end);
        if was_made_late { "decided_late" } else { "waited_for_bus" }
    }

    /// Publishes signals concurrently, each sent before the next. After a failure no further one is begun, but those
    /// under way are waited for. Returns the ids that were acknowledged, and the first failure.
    async fn publish(&self, waiting: &[StoredSignal]) -> (Vec<String>, Option<BusError>) {
        let failed = AtomicBool::new(false);
        let sending: Vec<_> = waiting.iter().map(|signal| self.publish_one(signal, &failed)).collect();
        let sent: Vec<_> = stream::iter(sending).buffered(IN_FLIGHT).collect().await;
        let mut acknowledged = Vec::with_capacity(waiting.len());
        let mut failure = None;
        for published in sent.into_iter().flatten() {
            match published {
                Ok(id) => acknowledged.push(id),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match &failure {
            Some(error) => self.abilities.failed(Ability::Publish, Trouble::new(Ability::Publish, error)),
            None if !acknowledged.is_empty() => self.abilities.worked(Ability::Publish),
            None => {}
        }
        (acknowledged, failure)
    }

    async fn publish_one(&self, signal: &StoredSignal, failed: &AtomicBool) -> Option<Result<String, BusError>> {
        if failed.load(Ordering::Relaxed) {
            return None;
        }
        let outgoing = self.outgoing(signal);
        let traced = SignalSpans::are_recorded().then(|| (outgoing.clone(), Instant::now()));
        let published = self.bus.publish(outgoing).await;
        failed.fetch_or(published.is_err(), Ordering::Relaxed);
        Some(published.map(|()| {
            if let Some((sent, begun)) = traced {
                trace(signal, &sent, begun.elapsed());
            }
            tracing::info!(
                strategy.id = %signal.strategy,
                candle.symbol = %signal.symbol,
                candle.timeframe = %signal.timeframe,
                signal.id = %signal.id,
                "signal"
            );
            signal.id.clone()
        }))
    }

    /// Measures signals that this process committed and another replica published. Nothing waits any more when this is
    /// called, so what is still on its way here was taken by another one.
    async fn measure_others(&self) -> Result<(), RelayError> {
        for id in self.metrics.latency.overdue(Timestamp::now()) {
            let stored = match id.parse() {
                Ok(parsed) => self.outbox.signal(&parsed).await?,
                Err(_) => None,
            };
            match stored.as_ref().map(|signal| (signal.state(), signal)) {
                // It was committed after this process had looked.
                Some((SignalState::Waiting, _)) => {}
                Some((_, StoredSignal { published_at: Some(at), created_at, .. })) => {
                    self.metrics.latency.acknowledged(&id, *created_at, *at);
                }
                _ => self.metrics.latency.forget([id.as_str()]),
            }
        }
        Ok(())
    }

    async fn measure(&self) -> Result<(), RelayError> {
        let backlog = self.outbox.backlog().await?;
        let age = backlog.oldest.map_or(0, |oldest| Timestamp::now().millis() - oldest.millis());
        self.metrics.outbox_depth.set(backlog.signals as i64);
        self.metrics.outbox_age_seconds.set(age as f64 / 1000.0);
        Ok(())
    }

    fn outgoing(&self, signal: &StoredSignal) -> Outgoing {
        let subject = self.subject.of(&signal.strategy, &signal.symbol, signal.timeframe);
        Outgoing { subject, id: signal.id.clone(), payload: signal.message.clone() }
    }
}

/// Adds to the trace of a signal, if it has one, that it was published.
fn trace(signal: &StoredSignal, sent: &Outgoing, sending: Duration) {
    let headers = sent.trace_headers();
    let traceparent = headers.iter().find_map(|(name, value)| (*name == "traceparent").then_some(value));
    if let Some((spans, traceparent)) = SignalSpans::of(&signal.id).zip(traceparent) {
        spans.published(traceparent, signal.created_at, sending, || {
            let mut attributes = traces::candle(&signal.job());
            attributes.extend([
                KeyValue::new("strategy.id", signal.strategy.to_string()),
                KeyValue::new("messaging.operation.type", "send"),
                KeyValue::new("messaging.destination.name", sent.subject.clone()),
                KeyValue::new("messaging.message.id", signal.id.clone()),
            ]);
            attributes
        });
    }
}
