//! The servers that this build has clients for. A server whose feature is off has no address: naming it in the
//! environment is an error.

#[cfg(feature = "mongodb")]
pub use ta_bot_drivers::mongodb::Mongo;
#[cfg(feature = "mysql")]
pub use ta_bot_drivers::mysql::MysqlUri;
#[cfg(feature = "nats")]
use ta_bot_drivers::nats::{Bounds, EventSubjects, NatsAddress, bus::SignalRoute};
#[cfg(feature = "otlp")]
pub use ta_bot_drivers::otlp::OtlpSettings;

/// The problem with a variable that names a server for which this build has no client.
pub(super) const ABSENT: &str =
    "this build of TA Bot has no client for it: use the one of `make build`, which has all, or unset the variable";

/// The address of a server that this build has no client for. This type has no values.
#[derive(Debug, Clone)]
pub enum Absent {}

#[cfg(not(feature = "mongodb"))]
#[allow(missing_docs, reason = "see `Absent`")]
pub type Mongo = Absent;
#[cfg(not(feature = "mysql"))]
#[allow(missing_docs, reason = "see `Absent`")]
pub type MysqlUri = Absent;
#[cfg(not(feature = "nats"))]
#[allow(missing_docs, reason = "see `Absent`")]
pub type NatsSettings = Absent;
#[cfg(not(feature = "otlp"))]
#[allow(missing_docs, reason = "see `Absent`")]
pub type OtlpSettings = Absent;
#[cfg(not(feature = "webhooks"))]
#[allow(missing_docs, reason = "see `Absent`")]
pub type WebhooksFile = Absent;
/// The file of receivers of signals over HTTP.
#[cfg(feature = "webhooks")]
pub type WebhooksFile = std::path::PathBuf;

/// Where NATS is, and what goes over it.
#[cfg(feature = "nats")]
#[derive(Debug, Clone)]
pub struct NatsSettings {
    /// The servers.
    pub address: NatsAddress,
    /// The subjects on which candle events come in.
    pub events: EventSubjects,
    /// The way on which signals go out.
    pub signals: SignalRoute,
    /// The bounds of the stream of jobs.
    pub jobs: Bounds,
}

/// What replicas elect their leader in, among what this build has clients for.
#[derive(Debug, Clone)]
pub enum Election {
    /// A Lease of Kubernetes.
    #[cfg(feature = "kubernetes")]
    Kubernetes(LeasePlace),
    /// A row of MySQL.
    #[cfg(feature = "mysql")]
    Mysql(Box<MysqlUri>),
    /// A message of NATS.
    #[cfg(feature = "nats")]
    Nats {
        /// The servers.
        address: NatsAddress,
        /// On how many servers of a cluster a new stream is.
        replicas: Option<usize>,
    },
}

/// Where the Lease is.
#[cfg(feature = "kubernetes")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasePlace {
    /// Its namespace; `None` means the service account's own.
    pub namespace: Option<String>,
    /// How to reach the Kubernetes API from outside a cluster.
    pub kubeconfig: Option<std::path::PathBuf>,
}
