//! The bus: candle events come in, signals go out, and replicas notify each other of changes.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use ta_bot_core::Timestamp;
use thiserror::Error;
use tokio::sync::broadcast;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
pub mod local;

/// Why the bus did not accept a message.
#[derive(Debug, Error)]
pub enum BusError {
    /// There is no connection, so nothing was sent.
    #[error("the bus did not acknowledge: {0}")]
    Away(String),
    /// The bus refused the message, or did not answer.
    #[error("the bus did not acknowledge: {0}")]
    Refused(String),
}

/// A signal on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The subject that it is sent to.
    pub subject: String,
    /// The signal's id, by which the bus recognises a signal that it already has.
    pub id: String,
    /// The bytes of the message.
    pub payload: String,
}

impl Outgoing {
    /// Returns the W3C trace headers that the message carries in its body.
    pub fn trace_headers(&self) -> Vec<(&'static str, String)> {
        // A message without a trace has no such field.
        #[derive(Deserialize)]
        struct Traced {
            #[serde(rename = "_otel_trace_headers")]
            headers: HashMap<String, serde_json::Value>,
        }
        let Ok(Traced { mut headers }) = serde_json::from_str(&self.payload) else { return Vec::new() };
        let mut taken = |name: &'static str| match headers.remove(name) {
            Some(serde_json::Value::String(value)) => Some((name, value)),
            _ => None,
        };
        ["traceparent", "tracestate"].into_iter().filter_map(&mut taken).collect()
    }
}

/// A notice from one replica to all others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Stored parameters or settings changed, and have to be read again.
    ConfigurationChanged,
    /// The log of deployments has a new entry.
    DeploymentsChanged,
    /// An operator retries dead jobs. The leader looks which ones.
    JobsRetried,
}

/// A message bus.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Sends a signal. Returns when the bus has stored it. Sending the same id a second time changes nothing. Several
    /// calls may run concurrently: each signal is sent before those of later calls.
    async fn publish(&self, message: Outgoing) -> Result<(), BusError>;

    /// Returns the ids of the signals that the bus has stored since a moment, and still holds; `None` if it holds none
    /// for readers that come later.
    async fn kept_since(&self, _since: Timestamp) -> Result<Option<HashSet<String>>, BusError> {
        Ok(None)
    }

    /// Sends a signal that the bus has lost, although it may remember that it had its id. Whoever saw it before sees it
    /// again.
    async fn publish_again(&self, message: Outgoing) -> Result<(), BusError> {
        self.publish(message).await
    }

    /// Subscribes to the bodies of candle events. A reader that is too slow misses some, which is acceptable because an
    /// event is only a hint.
    fn candle_events(&self) -> broadcast::Receiver<Vec<u8>>;

    /// Notifies every replica, including this one. If that fails, the others are notified later, as long as this
    /// process lives.
    async fn notify(&self, notice: Notice) -> Result<(), BusError>;

    /// Subscribes to the notices of replicas. If the bus may have missed a notice, it reports by itself that the
    /// configuration changed.
    fn notices(&self) -> broadcast::Receiver<Notice>;

    /// Whether the bus is connected.
    async fn ping(&self) -> Result<(), BusError>;

    /// Finds out whether a signal could be published now, as far as that can be known without publishing one.
    async fn probe(&self) -> Result<(), BusError>;

    /// Sends a message to whoever listens now. It is stored nowhere.
    async fn tell(&self, subject: &str, message: String) -> Result<(), BusError>;
}
