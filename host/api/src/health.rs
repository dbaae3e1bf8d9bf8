//! What the service reports about its own state.
//!
//! Every part is pinged with its own time limit, so that a hanging part is detected and does not hide the others. A
//! measurement is reused for two seconds, so many probes together cost the stores one ping.
//!
//! `status` is `healthy` if a candle that closes now becomes a published signal: this replica has all its abilities.
//! It is `unhealthy` if one of them is missing, so that no signal comes out, and `degraded` if signals come out with
//! limitations (last known parameters, modules missing or still being compiled) or if an ability is not known yet.
//!
//! Readiness is about this replica: whether it has come so far that requests can be sent to it. A part that answered
//! once and is away later is told by `status`; the API stays reachable for the operator who needs it then.

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
    signals::{bus::Bus, outbox::Outbox, receivers::Receivers},
    support::{abilities::Abilities, metrics::Metrics, room::Room},
};
use ta_bot_wasm::PageScan;

mod abilities;
mod readiness;
mod report;
mod webhooks;

pub use abilities::{AbilitiesReport, AbilityReport};
pub use readiness::{NotReady, Readiness};
pub use report::{
    Build, DiskReport, Elections, HealthReport, Modules, ParametersReport, Part, PartStatus, SandboxReport, Status,
    TokensReport,
};

pub use webhooks::{ReceiverReport, WebhooksReport};

use crate::tokens::TokenBook;
use readiness::Answered;

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
    pub abilities: Arc<Abilities>,
    pub feeds: Arc<Feeds>,
    pub embedded: Embedded,
    pub build: Build,
    pub page_scan: PageScan,
    /// The file of tokens, if there is one.
    pub tokens: Option<TokenBook>,
    /// The receivers of signals over HTTP, if there is a file of them.
    pub receivers: Option<Arc<Receivers>>,
    /// The disk of the data.
    pub room: Arc<Room>,
}

/// Measures the state of the service.
pub struct Health {
    sources: Sources,
    started: Instant,
    ending: AtomicBool,
    answered: Answered,
    measured: Mutex<Option<(Instant, Measured)>>,
}

/// How long a part took to answer, or why it did not.
type Answer = Result<Duration, String>;

/// The answers of the parts.
#[derive(Debug, Clone, PartialEq)]
struct Measured {
    candles: Answer,
    outbox: Answer,
    config: Answer,
    bus: Answer,
}

impl Health {
    /// Creates the measurement. Uptime counts from here.
    pub fn new(sources: Sources) -> Self {
        let ending = AtomicBool::new(false);
        Self { sources, started: Instant::now(), ending, answered: Answered::default(), measured: Mutex::new(None) }
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
        if let Some((at, measured)) = &*known
            && at.elapsed() < FRESH
        {
            return measured.clone();
        }
        let before = known.take().map(|(_, measured)| measured);
        let Sources { candles, outbox, config, bus, .. } = &self.sources;
        let was_away = |of: fn(&Measured) -> &Answer| before.as_ref().is_some_and(|before| of(before).is_err());
        let (candles, outbox, config, bus) = tokio::join!(
            timed("candle store", was_away(|m| &m.candles), candles.ping()),
            timed("outbox", was_away(|m| &m.outbox), outbox.ping()),
            timed("config store", was_away(|m| &m.config), config.ping()),
            timed("bus", was_away(|m| &m.bus), bus.ping()),
        );
        let measured = Measured { candles, outbox, config, bus };
        self.answered.note(&measured);
        *known = Some((Instant::now(), measured.clone()));
        measured
    }
}

/// Pings a part and returns how long it took, or why it failed. A part that becomes unavailable or available again is
/// logged once.
async fn timed<E: std::fmt::Display>(
    part: &'static str,
    was_away: bool,
    ping: impl Future<Output = Result<(), E>>,
) -> Answer {
    let started = Instant::now();
    let failure = match tokio::time::timeout(PING_LIMIT, ping).await {
        Ok(Ok(())) => {
            if was_away {
                tracing::info!(part, "part answers again");
            }
            return Ok(started.elapsed());
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} ms", PING_LIMIT.as_millis()),
    };
    if !was_away {
        tracing::warn!(part, error = failure, "part does not answer");
    }
    Err(failure)
}

#[cfg(test)]
mod tests;
