//! Whether `JetStream` takes another message: asked without leaving one in a stream that others read.
//!
//! A stream that refuses what is beyond its bounds says how far it is. What the account and the server still hold can't
//! be asked by every account, so a small message is stored in a stream of our own that holds one message. Its refusal
//! counts; that it could not be tried, because the account may not make the stream, does not.

use std::sync::atomic::Ordering;

use async_nats::{
    HeaderMap,
    jetstream::stream::{Config, DiscardPolicy, Info, StorageType},
};
use serde::Deserialize;
use serde_json::json;
use ta_bot_engine::support::metrics::Metrics;

use super::{Nats, NatsError, subjects::covers, within};

/// What is stored, about as long as a job and its headers.
const BYTES: usize = 512;
/// After so many tries without an answer there are no more: the account may not use the subject.
const TRIES: u32 = 3;

/// `JetStream`'s answer to a request for its streams.
#[derive(Deserialize)]
struct StreamList {
    streams: Option<Vec<Info>>,
}

/// The first of these streams that takes every subject of this pattern.
pub(crate) fn covering<'a>(streams: &'a [Info], pattern: &str) -> Option<&'a Info> {
    streams.iter().find(|stream| stream.config.subjects.iter().any(|subject| covers(subject, pattern)))
}

/// Notes what a stream holds and may hold.
pub(crate) fn note_room(Info { config, state, .. }: &Info, metrics: &Metrics) {
    // Zero and less mean that there is no limit.
    let limit = u64::try_from(config.max_bytes).ok().filter(|limit| *limit > 0);
    metrics.surroundings.stream(&config.name, state.bytes, limit);
}

/// Stores a small message if the stream for that is there, and fails if it is not taken.
pub(crate) async fn store_if_there(nats: &Nats) -> Result<(), NatsError> {
    match nats.store_probe().await {
        Err(NatsError::NoStream(_)) => Ok(()),
        stored => stored,
    }
}

impl Nats {
    /// The streams that take subjects of this pattern.
    pub(crate) async fn streams_of(&self, pattern: &str) -> Result<Vec<Info>, NatsError> {
        let filter = json!({"subject": pattern});
        let list: StreamList = within(self.jetstream.request("STREAM.LIST", &filter)).await?;
        Ok(list.streams.unwrap_or_default())
    }

    /// Fails if a message under `pattern` would be refused now.
    pub(crate) async fn room(&self, pattern: &str) -> Result<(), NatsError> {
        self.ask().await?;
        let streams = self.streams_of(pattern).await?;
        match (covering(&streams, pattern), streams.first()) {
            (Some(stream), _) => full(stream).map_or(Ok(()), |full| Err(NatsError::Refused(full)))?,
            (None, None) => return Err(NatsError::NoStream(pattern.to_owned())),
            (None, Some(part)) => {
                let name = &part.config.name;
                let reason = format!("the stream {name} takes only a part of the subject {pattern}: let it take all");
                return Err(NatsError::Refused(reason));
            }
        }
        self.try_storage().await
    }

    /// Stores a small message, and fails if `JetStream` refuses it.
    async fn try_storage(&self) -> Result<(), NatsError> {
        if self.untried.load(Ordering::Relaxed) >= TRIES {
            return Ok(());
        }
        let tried = match self.store_probe().await {
            Err(NatsError::NoStream(_)) => match self.make_probe_stream().await {
                Ok(()) => self.store_probe().await,
                Err(error) => {
                    tracing::debug!(%error, "the stream for probes can't be made");
                    Err(NatsError::Away(error.to_string()))
                }
            },
            tried => tried,
        };
        match tried {
            Ok(()) => self.untried.store(0, Ordering::Relaxed),
            Err(refused @ (NatsError::Refused(_) | NatsError::Full(_))) => return Err(refused),
            Err(NatsError::NotConnected | NatsError::Away(_) | NatsError::NoStream(_)) => {
                self.untried.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    async fn store_probe(&self) -> Result<(), NatsError> {
        self.store(&self.subject("probe"), HeaderMap::new(), " ".repeat(BYTES)).await.map(drop)
    }

    async fn make_probe_stream(&self) -> Result<(), NatsError> {
        let config = Config {
            name: self.stream_name("probe"),
            description: Some("One message, by which TA Bot finds out whether messages are stored".to_owned()),
            subjects: vec![self.subject("probe")],
            storage: StorageType::File,
            max_messages: 1,
            ..Config::default()
        };
        within(self.jetstream.get_or_create_stream(config)).await.map(drop)
    }
}

/// Why a stream takes no more messages; `None` if it does. A stream that drops its oldest messages always takes more.
pub(crate) fn full(Info { config, state, .. }: &Info) -> Option<String> {
    if config.discard != DiscardPolicy::New {
        return None;
    }
    let name = &config.name;
    let is_over = |most: i64, there: u64| u64::try_from(most).is_ok_and(|most| most > 0 && there >= most);
    if is_over(config.max_messages, state.messages) {
        return Some(format!("the stream {name} is full: it holds {} messages, and may hold no more", state.messages));
    }
    is_over(config.max_bytes, state.bytes)
        .then(|| format!("the stream {name} is full: it holds {} of {} bytes", state.bytes, config.max_bytes))
}
