//! The bus: candle events come in, signals go out, and replicas tell each other of changes.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::broadcast;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
pub mod local;

/// Why the bus did not take a message.
#[derive(Debug, Error)]
#[error("the bus did not acknowledge: {0}")]
pub struct BusError(pub String);

/// A signal on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub subject: String,
    /// The signal's id, by which the bus recognises what it has already.
    pub id: String,
    /// The message's bytes.
    pub payload: String,
}

impl Outgoing {
    /// The W3C's trace headers that the message carries in its body.
    pub fn trace_headers(&self) -> Vec<(&'static str, String)> {
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

/// What replicas tell each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Stored parameters or settings changed: read them again.
    ConfigurationChanged,
    /// The log of deployments has a new entry.
    DeploymentsChanged,
    /// Dead jobs are to be tried again: the leader looks which.
    JobsRetried,
}

/// A bus.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Sends a signal. Answers when the bus has it for good; the same id a second time changes nothing. Many may be under
    /// way at once: each is sent before those whose sending began later.
    async fn publish(&self, message: Outgoing) -> Result<(), BusError>;

    /// The bodies of candle events, from now on. A reader that is too slow misses some: an event is only a hint.
    fn candle_events(&self) -> broadcast::Receiver<Vec<u8>>;

    /// Tells every replica, this one included. Where that fails the others are told later, as long as this process lives.
    async fn notify(&self, notice: Notice) -> Result<(), BusError>;

    /// What replicas tell, from now on. A bus that may have missed something tells by itself that the configuration changed.
    fn notices(&self) -> broadcast::Receiver<Notice>;

    /// Whether the bus is connected.
    async fn ping(&self) -> Result<(), BusError>;
}
