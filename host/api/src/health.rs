//! What the service says of its own state.
//!
//! Every part is asked, with a limit of its own, so that a part that hangs is found and hides no other. What was
//! measured serves for two seconds: probes of many watchers together cost the stores one question.
//!
//! `status` is `unhealthy` where nothing can be analysed or kept (the store of candles and signals is away), `degraded`
//! where the service goes on with less (last known parameters, signals that wait for the bus, modules that are missing
//! or still being compiled), else `healthy`.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use ta_bot_engine::{
    market::candle_store::CandleStore,
    modules::registry::Registry,
    pipeline::leadership::Leadership,
    settings::{config_store::ConfigStore, refresh::Books},
    signals::{bus::Bus, outbox::Outbox},
    support::metrics::Metrics,
};

mod report;

pub use report::{Elections, HealthReport, Modules, NotReady, Part, PartStatus, Readiness, StaleParameters, Status};

/// How long a part may take to answer.
const PING_LIMIT: Duration = Duration::from_secs(1);
/// How long a measurement serves.
const FRESH: Duration = Duration::from_secs(2);

/// Which parts are embedded drivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// Candles and outbox.
    pub mysql: bool,
    /// Settings.
    pub mongodb: bool,
    /// The bus.
    pub nats: bool,
}

impl Embedded {
    /// Nothing else is installed.
    pub const ALL: Self = Self { mysql: true, mongodb: true, nats: true };
}

/// What is asked.
#[allow(missing_docs, reason = "the types say it")]
pub struct Sources {
    pub candles: Arc<dyn CandleStore>,
    pub outbox: Arc<dyn Outbox>,
    pub config: Arc<dyn ConfigStore>,
    pub bus: Arc<dyn Bus>,
    pub registry: Arc<Registry>,
    pub books: Books,
    pub leadership: Leadership,
    pub metrics: Arc<Metrics>,
    pub embedded: Embedded,
}

/// Measures the state of the service.
pub struct Health {
    sources: Sources,
    started: Instant,
    ending: AtomicBool,
    measured: Mutex<Option<(Instant, Measured)>>,
}

/// How long each part took to answer; none where it did not.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Measured {
    candles: Option<Duration>,
    outbox: Option<Duration>,
    config: Option<Duration>,
    bus: Option<Duration>,
}

impl Health {
    /// Uptime counts from here.
    pub fn new(sources: Sources) -> Self {
        Self { sources, started: Instant::now(), ending: AtomicBool::new(false), measured: Mutex::new(None) }
    }

    /// The service is shutting down: it is not ready from now on, so that nobody sends it anything new.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Sets what a scrape shows of leadership.
    pub fn measure_leadership(&self) {
        self.sources.leadership.measure(&self.sources.metrics);
    }

    async fn measure(&self) -> Measured {
        // The lock is held while the parts are asked, so that those who come in the meantime share the answer.
        let mut known = self.measured.lock().await;
        if let Some((at, measured)) = *known
            && at.elapsed() < FRESH
        {
            return measured;
        }
        let before = known.map(|(_, measured)| measured);
        let Sources { candles, outbox, config, bus, .. } = &self.sources;
        let was_away = |of: fn(&Measured) -> Option<Duration>| before.is_some_and(|before| of(&before).is_none());
        let (candles, outbox, config, bus) = tokio::join!(
            timed("candle store", was_away(|m| m.candles), candles.ping()),
            timed("outbox", was_away(|m| m.outbox), outbox.ping()),
            timed("config store", was_away(|m| m.config), config.ping()),
            timed("bus", was_away(|m| m.bus), bus.ping()),
        );
        let measured = Measured { candles, outbox, config, bus };
        *known = Some((Instant::now(), measured));
        measured
    }
}

/// Asks a part and answers how long it took. A part that goes away or comes back is logged once.
async fn timed<E: std::fmt::Display>(
    part: &'static str,
    was_away: bool,
    ping: impl Future<Output = Result<(), E>>,
) -> Option<Duration> {
    let started = Instant::now();
    let failure = match tokio::time::timeout(PING_LIMIT, ping).await {
        Ok(Ok(())) => {
            if was_away {
                tracing::info!(part, "answers again");
            }
            return Some(started.elapsed());
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} ms", PING_LIMIT.as_millis()),
    };
    if !was_away {
        tracing::warn!(part, error = failure, "does not answer");
    }
    None
}

#[cfg(test)]
mod tests;
