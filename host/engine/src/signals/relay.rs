//! Moves signals from the outbox to the bus.
//!
//! The relay is the only code that publishes. It reads committed signals that are not acknowledged, sends them, and
//! marks those that the bus acknowledged. If the process dies in between, the same message is sent again with the same
//! id. A signal that is too old by then is marked as expired instead: whatever made it late, nothing old goes out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use ta_bot_core::Timestamp;
use thiserror::Error;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    signals::{
        bus::{Bus, BusError, Outgoing},
        expiry::Expiry,
        outbox::{Outbox, StoredSignal},
    },
    support::{
        abilities::{Abilities, Ability, Trouble},
        metrics::Metrics,
        store_error::StoreError,
    },
};

const BATCH: u32 = 256;
/// How many signals may wait for their acknowledgements at the same time. One after the other, a thousand signals would
/// take a thousand round trips to the bus.
const IN_FLIGHT: usize = 64;
/// How often the relay looks without being woken.
const INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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
    /// The subject, in which `{strategy}`, `{symbol}` and `{timeframe}` are replaced.
    pub subject: String,
    /// Says which signals are too old to be published.
    pub expiry: Expiry,
    /// Notified after each commit.
    pub wakeup: Arc<Notify>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Takes whether signals can be published.
    pub abilities: Arc<Abilities>,
}

impl Relay {
    /// Publishes until `stop` is cancelled, then tries once more to publish what is left.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = INTERVAL;
        let mut measured = None;
        loop {
            let stopping = stop.is_cancelled();
            match self.drain(&mut measured).await {
                Ok(()) => pause = INTERVAL,
                Err(error) => {
                    self.metrics.publish_failures.inc();
                    tracing::warn!(%error, "signals wait to be published");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            if stopping {
                return;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wakeup.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Publishes all waiting signals. Measures the backlog from time to time.
    async fn drain(&self, measured: &mut Option<Instant>) -> Result<(), RelayError> {
        loop {
            let waiting = self.outbox.unpublished(BATCH).await?;
            let found = waiting.len();
            let (expired, current) = waiting.into_iter().partition(|signal| self.expiry.is_over(&signal.job()));
            self.expire(expired).await?;
            let (acknowledged, failed) = self.publish(&current).await;
            if !acknowledged.is_empty() {
                self.outbox.mark_published(&acknowledged, Timestamp::now()).await?;
                self.metrics.signals_published.inc_by(acknowledged.len() as u64);
            }
            if measured.is_none_or(|before| before.elapsed() >= INTERVAL) {
                self.measure().await?;
                *measured = Some(Instant::now());
            }
            if let Some(error) = failed {
                return Err(error.into());
            }
            if found < BATCH as usize {
                return Ok(());
            }
        }
    }

    /// Marks signals as too old to be sent.
    async fn expire(&self, signals: Vec<StoredSignal>) -> Result<(), RelayError> {
        let Some(oldest) = signals.iter().map(|signal| signal.candle_close).min() else { return Ok(()) };
        let ids: Vec<String> = signals.iter().map(|signal| signal.id.clone()).collect();
        self.outbox.mark_expired(&ids, Timestamp::now()).await?;
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
        let published = self.bus.publish(self.outgoing(signal)).await;
        failed.fetch_or(published.is_err(), Ordering::Relaxed);
        Some(published.map(|()| signal.id.clone()))
    }

    async fn measure(&self) -> Result<(), RelayError> {
        let backlog = self.outbox.backlog().await?;
        let age = backlog.oldest.map_or(0, |oldest| Timestamp::now().millis() - oldest.millis());
        self.metrics.outbox_depth.set(backlog.signals as i64);
        self.metrics.outbox_age_seconds.set(age as f64 / 1000.0);
        Ok(())
    }

    fn outgoing(&self, signal: &StoredSignal) -> Outgoing {
        let subject = self
            .subject
            .replace("{strategy}", signal.strategy.as_str())
            .replace("{symbol}", signal.symbol.as_str())
            .replace("{timeframe}", signal.timeframe.as_str());
        tracing::info!(
            strategy.id = %signal.strategy,
            candle.symbol = %signal.symbol,
            candle.timeframe = %signal.timeframe,
            signal.id = %signal.id,
            "signal"
        );
        Outgoing { subject, id: signal.id.clone(), payload: signal.message.clone() }
    }
}
