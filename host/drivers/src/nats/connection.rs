//! The connection to NATS, which the bus and the job queue share.
//!
//! It is never given up: the client connects again for ever, with pauses that grow, and a server that is away at the
//! start is waited for. While it is away nothing is queued beyond the client's own small buffer; whoever publishes is
//! told at once.

use std::{
    error::Error as _,
    future::Future,
    hash::{BuildHasher as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use async_nats::{
    Client, ConnectOptions, Event, HeaderMap,
    connection::State,
    jetstream::{
        self, Context,
        context::{ContextBuilder, PublishErrorKind},
        publish::PublishAck,
    },
};
use thiserror::Error;
use tokio::sync::watch;

use ta_bot_engine::support::{log_limit::LogLimit, metrics::Metrics};

mod address;
pub(crate) mod subjects;

pub use address::{AddressError, NatsAddress};
pub use subjects::{EventSubjects, SignalSubject, SubjectError};

/// What the names of subjects and streams begin with. Two services on one NATS need two accounts, or two of these.
pub const NAMESPACE: &str = "ta-bot";
/// How long NATS may take to answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);
/// How many commands wait in the client, also while it is not connected.
const COMMANDS: usize = 1024;
/// How many messages wait for each of our readers.
const MESSAGES: usize = 4096;
/// How often the connection is tried. Two pings without an answer end it.
const PING: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// What NATS did not do.
#[derive(Debug, Clone, Error)]
pub enum NatsError {
    /// There is no connection, or no answer in time. Trying again helps.
    #[error("NATS is away: {0}")]
    Away(String),
    /// No stream takes this subject.
    #[error("no stream takes the subject {0}")]
    NoStream(String),
    /// NATS answered that it does not do it.
    #[error("NATS refused: {0}")]
    Refused(String),
}

/// A connection to NATS. Cheap to clone; it ends with its last clone.
#[derive(Clone)]
pub struct Nats {
    client: Client,
    jetstream: Context,
    namespace: Arc<str>,
    connections: watch::Receiver<u64>,
}

impl Nats {
    /// Begins to connect, and does not wait for it. `name` is what NATS shows for this process.
    pub async fn connect(
        address: &NatsAddress,
        name: &str,
        namespace: &str,
        metrics: Arc<Metrics>,
    ) -> Result<Self, NatsError> {
        let (counted, connections) = watch::channel(0);
        let failures = LogLimit::default();
        let options = address
            .introduce(ConnectOptions::new())
            .name(name)
            .retry_on_initial_connect()
            .max_reconnects(None::<usize>)
            .reconnect_delay_callback(pause)
            .connection_timeout(ANSWER)
            .request_timeout(Some(ANSWER))
            .ping_interval(PING)
            .client_capacity(COMMANDS)
            .subscription_capacity(MESSAGES)
            .event_callback(move |event| {
                note(&event, &metrics, &counted, &failures);
                std::future::ready(())
            });
        tracing::info!(servers = %address, "connecting to NATS");
        let client = within(options.connect(address.servers())).await?;
        let jetstream = ContextBuilder::new().timeout(ANSWER).ack_timeout(ANSWER).build(client.clone());
        Ok(Self { client, jetstream, namespace: namespace.into(), connections })
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) const fn jetstream(&self) -> &Context {
        &self.jetstream
    }

    /// A name of ours, such as `ta-bot-jobs`: names of streams hold no dots.
    pub(crate) fn stream_name(&self, what: &str) -> String {
        format!("{}-{what}", self.namespace.replace('.', "-"))
    }

    /// A subject of ours, such as `ta-bot.notices`.
    pub(crate) fn subject(&self, what: &str) -> String {
        format!("{}.{what}", self.namespace)
    }

    /// Counts the connections made; what was asked over one before is lost.
    pub(crate) fn connections(&self) -> watch::Receiver<u64> {
        self.connections.clone()
    }

    /// Waits for the connection.
    pub(crate) async fn connected(&self) {
        let mut connections = self.connections.clone();
        while self.require_connection().is_err() {
            // The count may be a moment behind, so it is not the only thing that is waited for.
            let _ = tokio::time::timeout(FIRST_PAUSE, connections.changed()).await;
        }
    }

    /// Says so where there is no connection: the client would keep the command until there is one.
    pub(crate) fn require_connection(&self) -> Result<(), NatsError> {
        match self.client.connection_state() {
            State::Connected => Ok(()),
            State::Pending | State::Disconnected => Err(NatsError::Away("not connected".to_owned())),
        }
    }

    /// Publishes to a stream and waits until it has the message for good.
    pub(crate) async fn store(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: String,
    ) -> Result<PublishAck, NatsError> {
        self.require_connection()?;
        // Of many that are sent at once each has to go before the next. Tokio would interrupt them after some time and go
        // on in another order.
        let sent = tokio::task::unconstrained(async {
            self.jetstream.publish_with_headers(subject.to_owned(), headers, payload.into()).await?.await
        });
        let stored = tokio::time::timeout(ANSWER, sent).await.map_err(|_| no_answer())?;
        stored.map_err(|error| match error.kind() {
            PublishErrorKind::StreamNotFound => NatsError::NoStream(subject.to_owned()),
            PublishErrorKind::TimedOut => no_answer(),
            PublishErrorKind::BrokenPipe => NatsError::Away("the connection ended".to_owned()),
            _ => match error.source().and_then(|source| source.downcast_ref::<jetstream::Error>()) {
                Some(refused) => NatsError::Refused(refused.to_string()),
                None => NatsError::Refused(error.to_string()),
            },
        })
    }

    /// Publishes without a stream; what nobody reads is lost.
    pub(crate) async fn tell(&self, subject: String, payload: String) -> Result<(), NatsError> {
        self.require_connection()?;
        within(async {
            self.client.publish(subject, payload.into()).await?;
            self.client.flush().await?;
            Ok::<_, async_nats::Error>(())
        })
        .await
    }

    /// Asks `JetStream` something, to know that it answers.
    pub(crate) async fn ask(&self) -> Result<(), NatsError> {
        self.require_connection()?;
        within(self.jetstream.query_account()).await.map(drop)
    }

    /// Sends what is still in the client's buffer, acknowledgements above all. For the end of the process.
    pub async fn flush(&self) -> Result<(), NatsError> {
        self.require_connection()?;
        within(self.client.flush()).await
    }
}

fn no_answer() -> NatsError {
    NatsError::Away(format!("no answer within {} s", ANSWER.as_secs()))
}

/// Waits for an answer, but not for ever.
pub(crate) async fn within<T, E: std::fmt::Display>(asked: impl Future<Output = Result<T, E>>) -> Result<T, NatsError> {
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(answer) => answer.map_err(|error| NatsError::Refused(error.to_string())),
        Err(_) => Err(no_answer()),
    }
}

/// How long to wait before the `attempt`-th try: twice as long each time, between half of it and all of it, so that
/// replicas do not come back all at once.
pub(crate) fn pause(attempt: usize) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
    // Random enough for this, without a crate for it: each hasher begins with other keys.
    let dice = std::hash::RandomState::new().build_hasher().finish();
    doubled.mul_f64(0.5 + (dice % 1024) as f64 / 2048.0)
}

/// What the client tells of its connection.
fn note(event: &Event, metrics: &Metrics, counted: &watch::Sender<u64>, failures: &LogLimit) {
    match event {
        Event::Connected => {
            metrics.bus_connected.set(1);
            metrics.bus_connections.inc();
            counted.send_modify(|count| *count += 1);
            tracing::info!("NATS is connected");
        }
        Event::Disconnected => {
            metrics.bus_connected.set(0);
            tracing::warn!("NATS is not connected any more; it is tried again");
        }
        Event::Closed | Event::Draining => metrics.bus_connected.set(0),
        other => {
            // Only candle events come so fast. One of these stands for one message, as far as the client tells of them.
            if matches!(other, Event::SlowConsumer(_)) {
                metrics.events.with_label_values(&["missed"]).inc();
            }
            if let Some(withheld) = failures.admit() {
                tracing::warn!(event = %other, withheld, "NATS");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        assert!((0..100).all(|_| (50..=100).contains(&pause(0).as_millis())));
        assert!((0..100).all(|_| (2000..=4000).contains(&pause(usize::MAX).as_millis())));
        assert!((0..100).map(|_| pause(50)).collect::<std::collections::HashSet<_>>().len() > 10);
    }
}
