//! The documents built from a measurement.

use std::{sync::atomic::Ordering, time::Duration};

use serde::Serialize;
use ta_bot_core::millis;
use ta_bot_engine::{market::feeds::Feed, modules::registry::Progress};
use utoipa::ToSchema;

use super::{Health, Measured};

/// How many series that are behind are named.
const OLDEST: usize = 5;

/// The state of the service as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything works.
    Healthy,
    /// The service continues with limitations.
    Degraded,
    /// Nothing can be analysed or stored.
    Unhealthy,
}

/// The state of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartStatus {
    /// It answers.
    Connected,
    /// It does not answer.
    Disconnected,
    /// It is embedded in this process and answers.
    Embedded,
}

/// One part, and how long it took to answer.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Part {
    /// Whether it answers.
    pub status: PartStatus,
    /// The latency, measured within the last two seconds; null if it did not answer.
    pub latency_ms: Option<f64>,
    /// The number of signals that the bus has acknowledged since the start; only present for the bus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_signals: Option<u64>,
}

/// Which process schedules jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Elections {
    /// Whether a leader is elected at all.
    pub enabled: bool,
    /// Whether this process is the leader.
    pub is_leader: bool,
    /// The leader's name, which may be this process or another; null if no leader is known.
    pub leader_id: Option<String>,
}

/// The strategies' modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Modules {
    /// `loading`, `ready`, or `incomplete` if some can't be used.
    pub status: &'static str,
    /// How many modules are ready.
    pub ready: usize,
    /// Which modules can't be used, and why.
    pub failed: Vec<String>,
}

/// Whether evaluations use parameters, settings and deployments that may be older than what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StaleParameters {
    /// Whether the last attempt to read them failed.
    pub stale: bool,
    /// Since when; if the store was unavailable at the start, when the values in use were read.
    pub since: Option<String>,
}

/// How old the newest candles of the scheduled series are. Only the process that schedules knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FeedsReport {
    /// How many series this process knows of; 0 if it does not schedule.
    pub scheduled: usize,
    /// How many of them miss a whole candle.
    pub behind: usize,
    /// Those of them that miss most candles, five at most.
    pub oldest: Vec<FeedReport>,
}

/// A series that misses candles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FeedReport {
    /// The symbol.
    pub symbol: String,
    /// The timeframe.
    pub timeframe: String,
    /// When its newest candle closed; null if it has none.
    pub newest_close: Option<String>,
    /// Whole seconds since then.
    pub age_seconds: Option<i64>,
}

/// What the running binary was built of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Build {
    /// The commit; null if that was not recorded.
    pub commit: Option<String>,
    /// When that commit was made, or the image built; null if that was not recorded.
    pub date: Option<String>,
}

/// The document returned by `/health`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HealthReport {
    /// The state of the service as a whole.
    pub status: Status,
    /// Always `ta-bot`.
    pub service: &'static str,
    /// The version of the service.
    pub version: &'static str,
    /// What it was built of.
    pub build: Build,
    /// Whole seconds since the start.
    pub uptime_seconds: u64,
    /// Which process schedules jobs.
    pub leader_election: Elections,
    /// The store of candles and the outbox.
    pub mysql: Part,
    /// The store of the configuration.
    pub mongodb: Part,
    /// The bus.
    pub nats: Part,
    /// The strategies' modules.
    pub modules: Modules,
    /// Whether the last known parameters, settings or deployments are in use.
    pub parameters: StaleParameters,
    /// How old the newest candles of the scheduled series are.
    pub feeds: FeedsReport,
}

/// One part that is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NotReady {
    /// The name of the part.
    pub part: &'static str,
    /// Why it is not ready.
    pub reason: String,
}

/// The document returned by `/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether work can be sent to this process.
    pub ready: bool,
    /// The parts that are not ready.
    pub not_ready: Vec<NotReady>,
}

impl Health {
    /// Builds the document for `/health`.
    pub async fn report(&self) -> HealthReport {
        let measured = self.measure().await;
        let sources = &self.sources;
        let stale_since = sources.books.stale_since();
        let is_leader = sources.leadership.term().is_some();
        let modules = self.modules();
        let embedded = sources.embedded;
        HealthReport {
            status: status(&measured, modules.status == "ready", stale_since.is_some()),
            service: "ta-bot",
            version: env!("CARGO_PKG_VERSION"),
            build: sources.build.clone(),
            uptime_seconds: self.started.elapsed().as_secs(),
            leader_election: Elections {
                enabled: sources.leadership.elected,
                is_leader,
                leader_id: sources.leadership.leader(),
            },
            mysql: part(measured.candles.zip(measured.outbox).map(|(one, other)| one.max(other)), embedded.mysql),
            mongodb: part(measured.config, embedded.mongodb),
            nats: Part {
                published_signals: Some(sources.metrics.signals_published.get()),
                ..part(measured.bus, embedded.nats)
            },
            modules,
            parameters: StaleParameters {
                stale: stale_since.is_some(),
                since: stale_since.map(|moment| moment.to_string()),
            },
            feeds: FeedsReport::new(&sources.feeds.all()),
        }
    }

    /// Builds the document for `/ready`.
    pub async fn readiness(&self) -> Readiness {
        let measured = self.measure().await;
        let away = |part: &'static str, latency: Option<Duration>| {
            latency.is_none().then(|| NotReady { part, reason: "does not answer".to_owned() })
        };
        let parts = [
            ("candle store", measured.candles),
            ("outbox", measured.outbox),
            ("config store", measured.config),
            ("bus", measured.bus),
        ];
        let mut not_ready: Vec<NotReady> = parts.into_iter().filter_map(|(name, part)| away(name, part)).collect();
        match &*self.sources.registry.progress() {
            Progress::Ready => {}
            Progress::Loading => {
                not_ready.push(NotReady { part: "modules", reason: "still being compiled".to_owned() });
            }
            Progress::Incomplete(failed) => {
                not_ready.extend(failed.iter().map(|reason| NotReady { part: "modules", reason: reason.clone() }));
            }
        }
        if let Err(error) = self.sources.books.known() {
            not_ready.push(NotReady { part: "configuration", reason: error.to_string() });
        }
        if self.ending.load(Ordering::Relaxed) {
            not_ready.push(NotReady { part: "service", reason: "shutting down".to_owned() });
        }
        Readiness { ready: not_ready.is_empty(), not_ready }
    }

    fn modules(&self) -> Modules {
        let ready = self.sources.registry.strategies().len();
        match &*self.sources.registry.progress() {
            Progress::Loading => Modules { status: "loading", ready, failed: Vec::new() },
            Progress::Ready => Modules { status: "ready", ready, failed: Vec::new() },
            Progress::Incomplete(failed) => Modules { status: "incomplete", ready, failed: failed.clone() },
        }
    }
}

impl FeedsReport {
    fn new(feeds: &[Feed]) -> Self {
        let behind: Vec<&Feed> = feeds.iter().filter(|feed| feed.is_behind()).collect();
        let oldest = behind.iter().take(OLDEST).map(|feed| FeedReport {
            symbol: feed.series.0.to_string(),
            timeframe: feed.series.1.to_string(),
            newest_close: feed.newest.map(|close| close.to_string()),
            age_seconds: feed.age_ms.map(|age| age / 1000),
        });
        Self { scheduled: feeds.len(), behind: behind.len(), oldest: oldest.collect() }
    }
}

fn part(latency: Option<Duration>, embedded: bool) -> Part {
    let status = match (latency, embedded) {
        (None, _) => PartStatus::Disconnected,
        (Some(_), true) => PartStatus::Embedded,
        (Some(_), false) => PartStatus::Connected,
    };
    Part { status, latency_ms: latency.map(millis), published_signals: None }
}

fn status(measured: &Measured, modules_ready: bool, stale: bool) -> Status {
    if measured.candles.is_none() || measured.outbox.is_none() {
        Status::Unhealthy
    } else if measured.config.is_none() || measured.bus.is_none() || !modules_ready || stale {
        Status::Degraded
    } else {
        Status::Healthy
    }
}
