//! The connection to NATS, which the bus and the job queue share.
//!
//! The connection is never given up: the client reconnects forever, with growing pauses, and it waits for a server that
//! is away at the start. While the server is away nothing is queued beyond the client's own small buffer, and a caller
//! that publishes gets an error at once.

use std::{
    error::Error as _,
    future::Future,
    hash::{BuildHasher as _, Hasher as _},
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use async_nats::{
    Client, ConnectOptions, Event, HeaderMap,
    connection::State,
    jetstream::{
        self, Context, ErrorCode,
        context::{ContextBuilder, PublishErrorKind},
        publish::PublishAck,
    },
};
use thiserror::Error;
use tokio::sync::watch;

use ta_bot_engine::support::{log_limit::LogLimit, metrics::Metrics};

mod address;
pub(crate) mod once;
pub(crate) mod room;
pub(crate) mod subjects;

pub use address::{AddressError, NatsAddress};
pub use subjects::EventSubjects;

/// The prefix of the names of subjects and streams. Two services on one NATS need two accounts, or two namespaces.
pub const NAMESPACE: &str = "ta-bot";
/// How long NATS may take to answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);
/// How many commands may wait in the client, even while it is not connected.
const COMMANDS: usize = 1024;
/// How many messages may wait for each of our readers.
const MESSAGES: usize = 4096;
/// How often the connection is tested with a ping. Two pings without an answer end it.
const PING: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Why NATS did not do what it was asked.
#[derive(Debug, Clone, Error)]
pub enum NatsError {
    /// There is no connection, so nothing was sent.
    #[error("NATS is away: not connected")]
    NotConnected,
    /// The connection ended, or there was no answer in time. A retry helps.
    #[error("NATS is away: {0}")]
    Away(String),
    /// No stream takes this subject.
    #[error("no stream takes the subject {0}")]
    NoStream(String),
    /// There is no room for the message.
    #[error(
        "NATS has no room: {0}. Give JetStream more, or the stream: NATS_SIGNALS_MAX_BYTES and NATS_JOBS_MAX_BYTES set \
         what streams of TA Bot may take"
    )]
    Full(String),
    /// NATS refused the request.
    #[error("NATS refused: {0}")]
    Refused(String),
}

impl NatsError {
    /// What an answer of `JetStream` to a message means.
    fn of_answer(error: &jetstream::Error) -> Self {
        let text = error.to_string();
        match error.error_code() {
            ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::MEMORY_RESOURCES_EXCEEDED => Self::Full(text),
            // A subject that has its message already is not full.
            ErrorCode::STREAM_STORE_FAILED if !text.contains("per subject") => Self::Full(text),
            _ => Self::Refused(text),
        }
    }
}

/// A connection to NATS. It is cheap to clone and ends when the last clone is dropped.
#[derive(Clone)]
pub struct Nats {
    client: Client,
    jetstream: Context,
    namespace: Arc<str>,
    connections: watch::Receiver<u64>,
    /// How often in a row it could not be tried whether messages are stored.
    untried: Arc<AtomicU32>,
}

impl Nats {
    /// Starts to connect, and does not wait for the connection. `name` is what NATS shows for this process.
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
        Ok(Self { client, jetstream, namespace: namespace.into(), connections, untried: Arc::default() })
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) const fn jetstream(&self) -> &Context {
        &self.jetstream
    }

    /// The name of one of our streams, such as `ta-bot-jobs`. Names of streams can't contain dots.
    pub(crate) fn stream_name(&self, what: &str) -> String {
        format!("{}-{what}", self.namespace.replace('.', "-"))
    }

    /// One of our subjects, such as `ta-bot.notices`.
    pub(crate) fn subject(&self, what: &str) -> String {
        format!("{}.{what}", self.namespace)
    }

    /// The number of connections made so far. Requests over an earlier connection are lost.
    pub(crate) fn connections(&self) -> watch::Receiver<u64> {
        self.connections.clone()
    }

    /// Waits until NATS is connected.
    pub(crate) async fn connected(&self) {
        let mut connections = self.connections.clone();
        while self.require_connection().is_err() {
            // The count may lag a moment behind the state, so this does not wait for the count alone.
            let _ = tokio::time::timeout(FIRST_PAUSE, connections.changed()).await;
        }
    }

    /// Fails if there is no connection: the client would keep the command until there is one.
    pub(crate) fn require_connection(&self) -> Result<(), NatsError> {
        match self.client.connection_state() {
            State::Connected => Ok(()),
            State::Pending | State::Disconnected => Err(NatsError::NotConnected),
        }
    }

    /// Publishes to a stream and waits until the stream has stored the message.
    pub(crate) async fn store(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: String,
    ) -> Result<PublishAck, NatsError> {
        self.require_connection()?;
        // Messages that are sent at the same time must each be sent before the next. Tokio would interrupt them after
        // some time and continue in another order.
        let sent = tokio::task::unconstrained(async {
            self.jetstream.publish_with_headers(subject.to_owned(), headers, payload.into()).await?.await
        });
        let stored = tokio::time::timeout(ANSWER, sent).await.map_err(|_| no_answer())?;
        stored.map_err(|error| match error.kind() {
            PublishErrorKind::StreamNotFound => NatsError::NoStream(subject.to_owned()),
            PublishErrorKind::TimedOut => no_answer(),
            PublishErrorKind::BrokenPipe => NatsError::Away("the connection ended".to_owned()),
            _ => match error.source().and_then(|source| source.downcast_ref::<jetstream::Error>()) {
                Some(refused) => NatsError::of_answer(refused),
                None => NatsError::Refused(error.to_string()),
            },
        })
    }

    /// Publishes without a stream; a message that nobody reads is lost.
    pub(crate) async fn tell(&self, subject: String, payload: String) -> Result<(), NatsError> {
        self.require_connection()?;
        within(async {
            self.client.publish(subject, payload.into()).await?;
            self.client.flush().await?;
            Ok::<_, async_nats::Error>(())
        })
        .await
    }

    /// Queries `JetStream`, to find out whether it answers.
    pub(crate) async fn ask(&self) -> Result<(), NatsError> {
        self.require_connection()?;
        within(self.jetstream.query_account()).await.map(drop).map_err(|error| match error {
            NatsError::Refused(reason) => NatsError::Refused(format!(
                "JetStream does not answer ({reason}): run NATS with JetStream, and let the account use it"
            )),
            other => other,
        })
    }

    /// Sends what is still in the client's buffer, above all acknowledgements. This is for the end of the process.
    pub async fn flush(&self) -> Result<(), NatsError> {
        self.require_connection()?;
        within(self.client.flush()).await
    }
}

fn no_answer() -> NatsError {
    NatsError::Away(format!("no answer within {} s", ANSWER.as_secs()))
}

/// Waits for an answer, but not forever.
pub(crate) async fn within<T, E: std::fmt::Display>(asked: impl Future<Output = Result<T, E>>) -> Result<T, NatsError> {
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(answer) => answer.map_err(|error| NatsError::Refused(error.to_string())),
        Err(_) => Err(no_answer()),
    }
}

/// How long to wait before the `attempt`-th try. The full pause doubles each time; the result is random between half of
/// it and all of it, so that replicas do not all come back at once.
pub(crate) fn pause(attempt: usize) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
    // Random enough for this without a crate for it: each hasher starts with different keys.
    let dice = std::hash::RandomState::new().build_hasher().finish();
    doubled.mul_f64(0.5 + (dice % 1024) as f64 / 2048.0)
}

/// Notes what the client reports about its connection.
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
            tracing::warn!("NATS is not connected any more; reconnecting");
        }
        Event::Closed | Event::Draining => metrics.bus_connected.set(0),
        other => {
            // Only candle events arrive this fast. One of these client events stands for one message, as far as the
            // client reports them.
            if matches!(other, Event::SlowConsumer(_)) {
                metrics.events.with_label_values(&["missed"]).inc();
            }
            if let Some(withheld) = failures.admit() {
                tracing::warn!(event = %other, withheld, "NATS reports an event");
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
