//! What the stream of signals holds, and how a signal gets into it that it has lost.

use std::collections::HashSet;

use async_nats::{
    datetime,
    header::NATS_MESSAGE_ID,
    jetstream::{
        self,
        consumer::{AckPolicy, DeliverPolicy, pull},
    },
};
use futures_util::TryStreamExt as _;
use ta_bot_core::Timestamp;

use crate::nats::connection::{Nats, NatsError, within};

/// How many messages one request brings.
const BATCH: usize = 1000;
/// Stands between a signal's id and what tells apart how often it was published.
const AGAIN: char = '/';

/// The ids of the signals that are in the stream of this subject and were stored since a moment. Only headers are read.
pub(super) async fn ids(nats: &Nats, subject: &str, since: Timestamp) -> Result<HashSet<String>, NatsError> {
    nats.require_connection()?;
    let refused = |error: &dyn std::fmt::Display| NatsError::Refused(error.to_string());
    let start_time = datetime::from_nanos(i128::from(since.millis()) * 1_000_000).map_err(|error| refused(&error))?;
    let name = within(nats.jetstream().stream_by_subject(subject)).await?;
    let stream = within(nats.jetstream().get_stream(name)).await?;
    let wanted = pull::Config {
        ack_policy: AckPolicy::None,
        deliver_policy: DeliverPolicy::ByStartTime { start_time },
        headers_only: true,
        ..pull::Config::default()
    };
    let consumer = within(stream.create_consumer(wanted)).await?;
    let mut ids = HashSet::new();
    loop {
        let batch = within(consumer.fetch().max_messages(BATCH).messages()).await?;
        let messages: Vec<jetstream::Message> = within(batch.try_collect()).await?;
        if messages.is_empty() {
            break;
        }
        ids.extend(messages.iter().filter_map(id));
    }
    // It would go by itself after a while without requests.
    within(stream.delete_consumer(&consumer.cached_info().name)).await?;
    Ok(ids)
}

/// The id of the signal that a message holds.
fn id(message: &jetstream::Message) -> Option<String> {
    let id = message.headers.as_ref()?.get(NATS_MESSAGE_ID)?.as_str();
    Some(id.split(AGAIN).next().unwrap_or(id).to_owned())
}

/// A message id under which a signal is taken although the stream may remember the signal's own: a stream goes on to
/// know the ids of messages that it has thrown away.
pub(super) fn again(id: &str) -> String {
    format!("{id}{AGAIN}{}", Timestamp::now().millis())
}
