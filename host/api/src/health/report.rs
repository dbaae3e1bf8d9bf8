//! The documents built from a measurement.

use serde::Serialize;
use ta_bot_core::millis;
use ta_bot_engine::{
    market::feeds::Feed, modules::registry::Progress, settings::parameters::Misfit, support::room::Measured as Disk,
};
use utoipa::ToSchema;

use super::{AbilitiesReport, Answer, Health, Measured, Sources, WebhooksReport};
use crate::{tokens::TokenBook, views::warning::MisfitView};

/// How many series that are behind are named.
const OLDEST: usize = 5;
/// How many levels that do not fit are named.
const MOST_MISFITS: usize = 20;

/// The state of the service as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// A candle that closes now becomes a published signal.
    Healthy,
    /// It does, with limitations, or it is not known yet whether it does.
    Degraded,
    /// No signal comes out.
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
    /// Why it did not answer; only present then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The number of signals that the bus has acknowledged since the start; only present for the bus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_signals: Option<u64>,
}

/// Which process schedules jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Elections {
    /// Whether a leader is elected at all.
    pub enabled: bool,
    /// The way in which the leader is elected: `kubernetes`, `mysql`, `nats` or `none`.
    pub way: &'static str,
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

/// How strategies' instances are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SandboxReport {
    /// Whether the memory of an instance is reset for the next one by a scan of its pages, which is quicker: `on`,
    /// `off_may_be_swapped` or `not_supported`.
    pub page_scan: &'static str,
}

/// Whether evaluations use parameters, settings and deployments that may be older than what is stored, and whether some
/// of what is stored does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ParametersReport {
    /// Whether the last attempt to read them failed.
    pub stale: bool,
    /// Since when; if the store was unavailable at the start, when the values in use were read.
    pub since: Option<String>,
    /// At how many levels (all symbols of a strategy, or one) what is stored does not fit. The strategy is not
    /// evaluated there.
    pub misfits: usize,
    /// The first of them, 20 at most, with what does not fit and what to do.
    pub misconfigured: Vec<MisfitView>,
}

/// The disk of `DATA_DIR`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DiskReport {
    /// Whether it has so little room that what can wait has to: uploads of modules, and what is stored beside signals
    /// on the same disk. Signals go on.
    pub low: bool,
    /// How many bytes may still be written; null if that is not known.
    pub free_bytes: Option<u64>,
    /// Below how many free bytes what can wait has to; null if it never has to, or that is not known.
    pub low_below_bytes: Option<u64>,
}

impl From<Disk> for DiskReport {
    fn from(Disk { free, mark, is_low, .. }: Disk) -> Self {
        Self { low: is_low, free_bytes: free, low_below_bytes: mark }
    }
}

/// Whether the tokens that count are those of the file as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokensReport {
    /// Whether the file has changed and can't be used, so that the tokens that were read before still count.
    pub stale: bool,
    /// Since when; null if it is not so.
    pub since: Option<String>,
    /// What is wrong with the file; null if nothing is.
    pub error: Option<String>,
}

impl From<&TokenBook> for TokensReport {
    fn from(book: &TokenBook) -> Self {
        let problem = book.problem();
        Self {
            stale: problem.is_some(),
            since: problem.as_ref().map(|problem| problem.since.to_string()),
            error: problem.map(|problem| problem.error),
        }
    }
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
    /// What has to be possible for a candle to become a published signal, and whether it is.
    pub abilities: AbilitiesReport,
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
    /// How strategies' instances are made.
    pub sandbox: SandboxReport,
    /// Whether the last known parameters, settings or deployments are in use, and which stored ones do not fit.
    pub parameters: ParametersReport,
    /// How old the newest candles of the scheduled series are.
    pub feeds: FeedsReport,
    /// The disk of `DATA_DIR`.
    pub disk: DiskReport,
    /// Whether the tokens that count are those of `API_TOKENS_FILE`; only present if there are tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokensReport>,
    /// The receivers of signals over HTTP; only present if there is a `WEBHOOKS_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<WebhooksReport>,
}

impl Health {
    /// Builds the document for `/health`.
    pub async fn report(&self) -> HealthReport {
        let measured = self.measure().await;
        let sources = &self.sources;
        let parameters = self.parameters();
        let is_leader = sources.leadership.term().is_some();
        let modules = self.modules();
        let embedded = sources.embedded;
        let abilities = AbilitiesReport::new(&sources.abilities.all());
        let tokens = sources.tokens.as_ref().map(TokensReport::from);
        let webhooks = sources.receivers.as_deref().map(WebhooksReport::from);
        let is_limited = measured.config.is_err()
            || modules.status != "ready"
            || parameters.is_limited()
            || tokens.as_ref().is_some_and(|tokens| tokens.stale)
            || webhooks.as_ref().is_some_and(WebhooksReport::is_limited);
        HealthReport {
            status: status(&measured, &abilities, is_limited),
            service: "ta-bot",
            version: env!("CARGO_PKG_VERSION"),
            build: sources.build.clone(),
            uptime_seconds: self.started.elapsed().as_secs(),
            abilities,
            leader_election: Elections {
                enabled: sources.leadership.elected,
                way: sources.leadership.way,
                is_leader,
                leader_id: sources.leadership.leader(),
            },
            mysql: part(slower(measured.candles, measured.outbox), embedded.mysql),
            mongodb: part(measured.config, embedded.mongodb),
            nats: Part {
                published_signals: Some(sources.metrics.signals_published.get()),
                ..part(measured.bus, embedded.nats)
            },
            modules,
            sandbox: SandboxReport { page_scan: sources.page_scan.as_str() },
            parameters,
            feeds: FeedsReport::new(&sources.feeds.all()),
            disk: sources.room.measured().into(),
            tokens,
            webhooks,
        }
    }

    fn parameters(&self) -> ParametersReport {
        let Sources { books, registry, .. } = &self.sources;
        let stale_since = books.stale_since();
        let strategies = registry.strategies();
        let misfits: Vec<Misfit> = strategies.values().flat_map(|module| books.parameters.misfits(module)).collect();
        ParametersReport {
            stale: stale_since.is_some(),
            since: stale_since.map(|moment| moment.to_string()),
            misfits: misfits.len(),
            misconfigured: misfits.into_iter().take(MOST_MISFITS).map(MisfitView::from).collect(),
        }
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

impl ParametersReport {
    const fn is_limited(&self) -> bool {
        self.stale || self.misfits > 0
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

/// The answer of two parts on one server.
fn slower(one: Answer, other: Answer) -> Answer {
    Ok(one?.max(other?))
}

fn part(answer: Answer, is_embedded: bool) -> Part {
    let (status, latency, error) = match answer {
        Err(error) => (PartStatus::Disconnected, None, Some(error)),
        Ok(latency) if is_embedded => (PartStatus::Embedded, Some(latency), None),
        Ok(latency) => (PartStatus::Connected, Some(latency), None),
    };
    Part { status, latency_ms: latency.map(millis), error, published_signals: None }
}

/// A store that does not answer a ping is reported at once, even before its ability is found missing.
fn status(measured: &Measured, abilities: &AbilitiesReport, is_limited: bool) -> Status {
    let Measured { candles, outbox, bus, .. } = measured;
    if abilities.is_one_missing() || candles.is_err() || outbox.is_err() || bus.is_err() {
        Status::Unhealthy
    } else if is_limited || abilities.is_one_unknown() {
        Status::Degraded
    } else {
        Status::Healthy
    }
}
