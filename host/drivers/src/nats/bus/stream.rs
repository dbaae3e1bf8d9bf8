//! The stream that signals go to.
//!
//! If a stream that takes the subject exists already, it belongs to somebody else and stays as it is. Otherwise the
//! stream is created.

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    context::CreateStreamErrorKind,
    stream::{Config, Info, StorageType},
};
use serde::Deserialize;
use serde_json::json;

use crate::nats::connection::{Nats, NatsError, subjects::covers, within};

/// How long the stream recognises an id that it has seen. This must be longer than a signal may wait between two
/// attempts to publish it, which is the longest time for which the service, its store or NATS is away, a weekend
/// included.
pub const DUPLICATE_WINDOW: Duration = Duration::from_hours(72);
/// How long a signal stays readable.
const MAX_AGE: Duration = Duration::from_hours(7 * 24);

/// The stream of a subject.
pub(super) struct SignalStream {
    nats: Nats,
    pattern: String,
    /// Held while the stream is created, so that many publishers wait for one creation.
    making: tokio::sync::Mutex<()>,
}

/// `JetStream`'s answer to a request for its streams.
#[derive(Deserialize)]
struct StreamList {
    streams: Option<Vec<Info>>,
}

impl SignalStream {
    pub(super) fn new(nats: Nats, pattern: String) -> Self {
        Self { nats, pattern, making: tokio::sync::Mutex::new(()) }
    }

    /// The pattern of the subjects that it takes.
    pub(super) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Creates the stream if there is none.
    pub(super) async fn ensure(&self) -> Result<(), NatsError> {
        let _making = self.making.lock().await;
        let filter = json!({"subject": self.pattern});
        let asked = self.nats.jetstream().request("STREAM.LIST", &filter);
        let there: Vec<Info> = within::<StreamList, _>(asked).await?.streams.unwrap_or_default();
        let covering = there.iter().find(|stream| stream.config.subjects.iter().any(|s| covers(s, &self.pattern)));
        match (covering, there.as_slice()) {
            (Some(stream), _) => inspect(&stream.config),
            (None, []) => self.make().await?,
            (None, parts) => {
                let names: Vec<_> = parts.iter().map(|stream| stream.config.name.as_str()).collect();
                tracing::error!(
                    subject = self.pattern,
                    streams = names.join(", "),
                    "existing streams take only part of the subject of signals: signals outside it can't be published; \
                     add the subject to one of them"
                );
            }
        }
        Ok(())
    }

    async fn make(&self) -> Result<(), NatsError> {
        let config = Config {
            name: self.nats.stream_name("signals"),
            description: Some("Signals of TA Bot".to_owned()),
            subjects: vec![self.pattern.clone()],
            storage: StorageType::File,
            max_age: MAX_AGE,
            duplicate_window: DUPLICATE_WINDOW,
            ..Config::default()
        };
        let name = config.name.clone();
        let created =
            tokio::time::timeout(crate::nats::connection::ANSWER, self.nats.jetstream().create_stream(config)).await;
        match created {
            Ok(Ok(_)) => {
                tracing::info!(stream = name, subject = self.pattern, "created the stream of signals");
                Ok(())
            }
            Ok(Err(error)) => match error.kind() {
                CreateStreamErrorKind::JetStream(refused) if refused.error_code() == ErrorCode::STREAM_NAME_EXIST => {
                    self.extend(&name).await
                }
                _ => Err(NatsError::Refused(error.to_string())),
            },
            Err(_) => Err(NatsError::Away("no answer to the making of a stream".to_owned())),
        }
    }

    /// Adds the subject to our stream, which exists with another subject from an earlier configuration.
    async fn extend(&self, name: &str) -> Result<(), NatsError> {
        let jetstream = self.nats.jetstream();
        let mut config = within(jetstream.get_stream(name)).await?.cached_info().config.clone();
        config.subjects.push(self.pattern.clone());
        within(jetstream.update_stream(&config)).await?;
        tracing::info!(stream = name, subject = self.pattern, "added a subject to the stream of signals");
        Ok(())
    }
}

/// Logs what an existing stream does not do for us.
fn inspect(config: &Config) {
    if config.duplicate_window < DUPLICATE_WINDOW {
        tracing::warn!(
            stream = config.name,
            window_seconds = config.duplicate_window.as_secs(),
            wanted_seconds = DUPLICATE_WINDOW.as_secs(),
            "the stream of signals forgets ids too early: a signal that is published again after that is stored twice"
        );
    }
    if config.no_ack {
        tracing::error!(stream = config.name, "the stream of signals acknowledges nothing: no signal counts as sent");
    }
}
