//! The stream of signals, read with a plain client.

use std::time::{Duration, Instant};

use async_nats::{
    Client, Subscriber,
    jetstream::{
        self,
        consumer::{DeliverPolicy, pull::OrderedConfig},
        stream::State,
    },
};
use futures_util::{FutureExt as _, StreamExt as _};

/// The stream of signals.
pub const STREAM: &str = "ta-bot-signals";

/// After this long without a signal no more are expected: the time to wait for the first one, and for each further one.
const QUIET: (Duration, Duration) = (Duration::from_millis(250), Duration::from_millis(60));

/// When the last of the signals arrived that are arriving now. `None` if none arrives, since not every candle makes a
/// signal.
pub async fn last_arrival(signals: &mut Subscriber) -> Option<Instant> {
    let mut last = None;
    let (mut patience, further) = QUIET;
    while let Ok(Some(_)) = tokio::time::timeout(patience, signals.next()).await {
        (last, patience) = (Some(Instant::now()), further);
        while signals.next().now_or_never().is_some() {}
    }
    last
}

/// The state of the stream of signals, as NATS reports it.
pub async fn state(client: &Client) -> State {
    let context = jetstream::new(client.clone());
    context.get_stream(STREAM).await.unwrap().cached_info().state.clone()
}

/// When NATS stored the last signal, in Unix milliseconds. NATS acknowledges a signal at once when it has stored it.
pub async fn last_stored(client: &Client) -> i64 {
    (state(client).await.last_timestamp.unix_timestamp_nanos() / 1_000_000) as i64
}

/// A signal in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: String,
    /// When NATS stored it, in Unix milliseconds.
    pub at: i64,
}

/// The ids of all signals, in the order in which the stream holds them.
pub async fn ids(url: &str) -> Vec<String> {
    stored(url).await.into_iter().map(|stored| stored.id).collect()
}

/// All signals, in the order in which the stream holds them.
pub async fn stored(url: &str) -> Vec<Stored> {
    let client = async_nats::connect(url).await.unwrap();
    let context = jetstream::new(client);
    let mut stream = context.get_stream(STREAM).await.unwrap();
    let messages = stream.info().await.unwrap().state.messages;
    let config = OrderedConfig { deliver_policy: DeliverPolicy::All, ..OrderedConfig::default() };
    let consumer = stream.create_consumer(config).await.unwrap();
    let mut read = consumer.messages().await.unwrap();
    let mut all = Vec::new();
    while (all.len() as u64) < messages {
        let next = tokio::time::timeout(Duration::from_secs(30), read.next()).await.expect("the stream goes on");
        let message = next.unwrap().unwrap();
        let id = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id")).unwrap().to_string();
        let body: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(body["signal_id"], id.as_str(), "header and body name the same signal");
        let at = (message.info().unwrap().published.unix_timestamp_nanos() / 1_000_000) as i64;
        all.push(Stored { id, at });
    }
    all
}
