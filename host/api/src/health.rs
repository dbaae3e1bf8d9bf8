//! What the service reports about its own state.
//!
//! Every part is pinged with its own time limit, so that a hanging part is detected and does not hide the others. A
//! measurement is reused for two seconds, so many probes together cost the stores one ping.
//!
//! `status` is `unhealthy` if nothing can be analysed or stored (the store of candles and signals is unavailable),
//! `degraded` if the service continues with limitations (last known parameters, signals waiting for the bus, modules
//! missing or still being compiled), and otherwise `healthy`.

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
    market::{candles::Candles, feeds::Feeds},
    modules::registry::Registry,
    pipeline::leadership::Leadership,
    settings::{config_store::ConfigStore, refresh::Books},
    signals::{bus::Bus, outbox::Outbox},
    support::metrics::Metrics,
};

mod report;

pub use report::{
    Build, Elections, HealthReport, Modules, NotReady, Part, PartStatus, Readiness, StaleParameters, Status,
};

/// How long a part may take to answer.
const PING_LIMIT: Duration = Duration::from_secs(1);
/// How long a measurement is reused.
const FRESH: Duration = Duration::from_secs(2);

/// Which parts are embedded in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// The store of candles and the outbox.
    pub mysql: bool,
    /// The store of settings.
    pub mongodb: bool,
    /// The bus.
    pub nats: bool,
}

impl Embedded {
    /// All parts are embedded: no other server is used.
    pub const ALL: Self = Self { mysql: true, mongodb: true, nats: true };
}

/// The parts whose state is measured.
#[allow(missing_docs, reason = "the types are self-explanatory")]
pub struct Sources {
    pub candles: Arc<Candles>,
    pub outbox: Arc<dyn Outbox>,
    pub config: Arc<dyn ConfigStore>,
    pub bus: Arc<dyn Bus>,
    pub registry: Arc<Registry>,
    pub books: Books,
    pub leadership: Leadership,
    pub metrics: Arc<Metrics>,
    pub feeds: Arc<Feeds>,
    pub embedded: Embedded,
    pub build: Build,
}

/// Measures the state of the service.
pub struct Health {
    sources: Sources,
    started: Instant,
    ending: AtomicBool,
    measured: Mutex<Option<(Instant, Measured)>>,
}

/// How long each part took to answer; `None` if it did not.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Measured {
    candles: Option<Duration>,
    outbox: Option<Duration>,
    config: Option<Duration>,
    bus: Option<Duration>,
}

impl Health {
    /// Creates the measurement. Uptime counts from here.
    pub fn new(sources: Sources) -> Self {
        Self { sources, started: Instant::now(), ending: AtomicBool::new(false), measured: Mutex::new(None) }
    }

    /// Marks the service as shutting down: from now on it is not ready, so that no new work is sent to it.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Updates the leadership metrics before a scrape.
    pub fn measure_leadership(&self) {
        self.sources.leadership.measure(&self.sources.metrics);
    }

    async fn measure(&self) -> Measured {
        // The lock is held during the pings, so that concurrent callers share the result.
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

/// Pings a part and returns how long it took, or `None` if it failed. A part that becomes unavailable or available
/// again is logged once.
async fn timed<E: std::fmt::Display>(
    part: &'static str,
    was_away: bool,
    ping: impl Future<Output = Result<(), E>>,
) -> Option<Duration> {
    let started = Instant::now();
    let failure = match tokio::time::timeout(PING_LIMIT, ping).await {
        Ok(Ok(())) => {
            if was_away {
                tracing::info!(part, "part answers again");
            }
            return Some(started.elapsed());
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} ms", PING_LIMIT.as_millis()),
    };
    if !was_away {
        tracing::warn!(part, error = failure, "part does not answer");
    }
    None
}

#[cfg(test)]
mod tests;
