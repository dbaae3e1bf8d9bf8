//! Leader election with a stream of NATS: the one message of the stream `ta-bot-leader` is the register.
//!
//! Its version is its sequence. A write names the sequence that it replaces, and the leader of the stream refuses every
//! other one. A new stream begins at the time in microseconds, so that a sequence does not come again if somebody
//! deletes the stream. Reads are answered by the stream's leader as well. Nothing depends on the server's clock: the
//! message has no time to live, since it would end by that clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_nats::{
    HeaderMap,
    header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
    jetstream::{
        ErrorCode,
        context::PublishErrorKind,
        stream::{Config, DiscardPolicy, LastRawMessageErrorKind, StorageType},
    },
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use ta_bot_engine::{
    pipeline::election::{Record, Register, RegisterError, States, Word},
    support::metrics::Metrics,
};
use tokio::sync::OnceCell;

use super::{Nats, NatsAddress, NatsError};
use crate::causes::with_causes;

/// What the stream and its subject are called within the namespace.
const LEADER: &str = "leader";

/// How often it is looked whether there is a new connection.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The message of a stream.
#[derive(Clone)]
pub struct NatsLeader(Arc<Inner>);

struct Inner {
    address: NatsAddress,
    identity: String,
    namespace: String,
    /// On how many servers of a cluster a new stream is; `None` leaves that to NATS.
    replicas: Option<usize>,
    nats: OnceCell<Nats>,
    /// Whether the last answer did not come, although there was a connection.
    stalled: AtomicBool,
}

/// The message as it is stored.
#[derive(Serialize, Deserialize)]
struct Body {
    holder: Option<String>,
    acquired_us: Option<i64>,
    renewed_us: Option<i64>,
    duration_ms: u64,
    transitions: i64,
}

impl NatsLeader {
    /// The message on the servers of `address`, as the process `identity` reaches it. It has a connection of its own,
    /// which can be given up as soon as an answer is late: a term must not end because a dead connection is waited for.
    /// Makes no call.
    pub fn new(address: NatsAddress, identity: &str, namespace: &str, replicas: Option<usize>) -> Self {
        let (identity, namespace) = (format!("{identity} (election)"), namespace.to_owned());
        let (nats, stalled) = (OnceCell::new(), AtomicBool::new(false));
        Self(Arc::new(Inner { address, identity, namespace, replicas, nats, stalled }))
    }

    /// The connection, once there is one. Its future is large, and every call would carry it.
    async fn nats(&self) -> Result<&Nats, RegisterError> {
        Box::pin(self.connection()).await
    }

    async fn connection(&self) -> Result<&Nats, RegisterError> {
        let Inner { address, identity, namespace, .. } = &*self.0;
        // The metrics of connections are those of the bus, so this connection has some of its own.
        let connect = async {
            let metrics = Metrics::new().map_err(|error| RegisterError(error.to_string()))?;
            let connected = Nats::connect(address, identity, namespace, Arc::new(metrics)).await;
            connected.map_err(|error: NatsError| RegisterError(error.to_string()))
        };
        let nats = Box::pin(self.0.nats.get_or_try_init(|| connect)).await?;
        nats.connected().await;
        Ok(nats)
    }

    async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, RegisterError>>,
    ) -> Result<T, RegisterError> {
        let renewed = async {
            if self.0.stalled.swap(false, Ordering::Relaxed) {
                self.renew_connection().await?;
            }
            call.await
        };
        if let Ok(answer) = tokio::time::timeout(limit, renewed).await {
            return answer;
        }
        let is_connected = self.0.nats.get().is_some_and(|nats| nats.require_connection().is_ok());
        self.0.stalled.store(is_connected, Ordering::Relaxed);
        let what = if is_connected { "no answer" } else { "no connection" };
        Err(self.failed(&format!("{what} within {} ms", limit.as_millis())))
    }

    /// Gives the connection up for a new one, and waits for that: what is asked before is sent on the old one, whose
    /// answers nobody reads any more. The client itself would wait for the answers of two pings first.
    async fn renew_connection(&self) -> Result<(), RegisterError> {
        let Some(client) = self.0.nats.get().map(Nats::client) else { return Ok(()) };
        let statistics = client.statistics();
        let made = || statistics.connects.load(Ordering::Relaxed);
        let before = made();
        client.force_reconnect().await.map_err(|error| RegisterError(with_causes(&error)))?;
        while made() == before {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    async fn find(&self) -> Result<Option<Record<()>>, RegisterError> {
        let nats = self.nats().await?;
        let stream = nats.jetstream().get_stream_no_info(nats.stream_name(LEADER)).await;
        let stream = stream.map_err(|error| self.failed(&with_causes(&error)))?;
        match stream.get_last_raw_message_by_subject(&nats.subject(LEADER)).await {
            Ok(message) => Ok(Some(record(read(&message.payload), message.sequence))),
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                LastRawMessageErrorKind::JetStream(refused) if refused.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    Ok(None)
                }
                _ => Err(self.failed(&with_causes(&error))),
            },
        }
    }

    async fn first(&self, word: &Word) -> Result<Option<Record<()>>, RegisterError> {
        match self.write(0, word).await? {
            Written::As(record) => Ok(Some(record)),
            Written::AnotherWasFirst => Ok(None),
            Written::NoStream => {
                self.make_stream().await?;
                match self.write(0, word).await? {
                    Written::As(record) => Ok(Some(record)),
                    Written::AnotherWasFirst => Ok(None),
                    Written::NoStream => Err(self.failed("the stream was made, and does not take its subject")),
                }
            }
        }
    }

    async fn next(&self, over: u64, word: &Word) -> Result<Option<Record<()>>, RegisterError> {
        match self.write(over, word).await? {
            Written::As(record) => Ok(Some(record)),
            Written::AnotherWasFirst | Written::NoStream => Ok(None),
        }
    }

    /// Writes over a sequence, 0 if there must be no message.
    async fn write(&self, over: u64, word: &Word) -> Result<Written, RegisterError> {
        let nats = self.nats().await?;
        let Word { holder, acquired, renewed, duration, transitions } = word.clone();
        let duration_ms = duration.as_millis() as u64;
        let body = Body { holder, acquired_us: acquired, renewed_us: renewed, duration_ms, transitions };
        let body = serde_json::to_string(&body).map_err(|error| RegisterError(error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, over.to_string());
        let subject = nats.subject(LEADER);
        let sent = nats.jetstream().publish_with_headers(subject, headers, body.into()).await;
        let stored = match sent {
            Ok(sent) => sent.await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(stored) => Ok(Written::As(record(word.clone(), stored.sequence))),
            Err(error) => match error.kind() {
                PublishErrorKind::WrongLastSequence => Ok(Written::AnotherWasFirst),
                PublishErrorKind::StreamNotFound => Ok(Written::NoStream),
                _ => Err(self.failed(&with_causes(&error))),
            },
        }
    }

    async fn make_stream(&self) -> Result<(), RegisterError> {
        let nats = self.nats().await?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let config = Config {
            name: nats.stream_name(LEADER),
            description: Some("Who leads the replicas of TA Bot: one message".to_owned()),
            subjects: vec![nats.subject(LEADER)],
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            max_messages_per_subject: 1,
            num_replicas: self.0.replicas.unwrap_or(1),
            first_sequence: Some(since.as_micros() as u64),
            ..Config::default()
        };
        match nats.jetstream().create_stream(config).await {
            Ok(_) => Ok(()),
            // Another process may have made it at the same moment, beginning elsewhere.
            Err(_) if nats.jetstream().get_stream(nats.stream_name(LEADER)).await.is_ok() => Ok(()),
            Err(error) => Err(self.failed(&with_causes(&error))),
        }
    }

    fn failed(&self, said: &str) -> RegisterError {
        RegisterError(format!("{}: {said} (about the stream {}-{LEADER})", self.0.address, self.0.namespace))
    }
}

enum Written {
    As(Record<()>),
    AnotherWasFirst,
    NoStream,
}

/// What a message says. What is no message of ours was written by a person, and is waited for like every change by
/// hand.
fn read(payload: &[u8]) -> Word {
    match serde_json::from_slice::<Body>(payload) {
        Ok(Body { holder, acquired_us, renewed_us, duration_ms, transitions }) => {
            let (acquired, renewed, duration) = (acquired_us, renewed_us, Duration::from_millis(duration_ms));
            Word { holder, acquired, renewed, duration, transitions }
        }
        Err(_) => Word { renewed: Some(0), ..Word::default() },
    }
}

fn record(word: Word, sequence: u64) -> Record<()> {
    Record { word, version: sequence.to_string(), rest: () }
}

#[async_trait]
impl Register for NatsLeader {
    type Rest = ();
    const WAY: &'static str = "nats";
    const WHAT: &'static str = "the message of ta-bot-leader";

    fn place(&self) -> String {
        self.0.address.to_string()
    }

    async fn read(&self, limit: Duration) -> Result<Option<Record<()>>, RegisterError> {
        self.within(limit, self.find()).await
    }

    async fn create(&self, word: &Word, limit: Duration) -> Result<Option<Record<()>>, RegisterError> {
        self.within(limit, self.first(word)).await
    }

    async fn replace(
        &self,
        record: &Record<()>,
        word: &Word,
        limit: Duration,
    ) -> Result<Option<Record<()>>, RegisterError> {
        // Each version was a sequence, so it is a number.
        let Ok(over) = record.version.parse() else { return Ok(None) };
        self.within(limit, self.next(over, word)).await
    }

    /// A takeover waits for the next read: a reader of the subject would hear of messages that the stream refuses, too.
    async fn watch(&self, _: Duration) -> Result<Option<States<()>>, RegisterError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_of_ours_is_waited_for() {
        for payload in [&b""[..], b"me", b"{}", b"{\"holder\": 3}"] {
            let word = read(payload);
            assert_eq!((word.holder, word.renewed), (None, Some(0)));
        }
        let payload = br#"{"holder":"a","acquired_us":1,"renewed_us":2,"duration_ms":6000,"transitions":3}"#;
        let word = read(payload);
        assert_eq!((word.holder.as_deref(), word.duration), (Some("a"), Duration::from_secs(6)));
    }
}
