//! Tests of bus and job queue on NATS.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, pull},
    stream::{Config, DiscardPolicy, Republish, Stream},
};
use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _};
use ta_bot_drivers::nats::{
    Bounds, NAMESPACE, Nats as Connection,
    bus::{Delivery, NatsBus, SignalRoute},
    job_queue::{ACK_WAIT, NatsQueue},
};
use ta_bot_engine::{
    pipeline::job_queue::{
        JobQueue,
        contract::{self as jobs_contract, job},
    },
    signals::bus::{
        Bus, Notice, Outgoing,
        contract::{self as bus_contract, Fixture, Outside, next_told},
    },
    support::metrics::Metrics,
};
use ta_bot_test_servers::{Mode, Nats, Proxy, Side};
use tokio::time::timeout;

mod bus;
mod delivery;
mod jobs;
mod leader;
mod room;
mod upgrade;

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(1);
const SUBJECT: &str = "signals.{strategy}.{symbol}.{timeframe}";
const STREAM: &str = "ta-bot-signals";

async fn soon<T>(awaited: impl Future<Output = T>) -> T {
    timeout(PATIENCE, awaited).await.expect("it should have come by now")
}

/// Waits until `holds` returns true.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    soon(async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

async fn connect(url: &str, metrics: &Arc<Metrics>) -> Connection {
    Connection::connect(&url.parse().unwrap(), "test", NAMESPACE, Arc::clone(metrics)).await.unwrap()
}

async fn bus_at(url: &str) -> (NatsBus, Arc<Metrics>) {
    bus_with(url, "binance.extraction", SUBJECT).await
}

async fn bus_with(url: &str, events: &str, signals: &str) -> (NatsBus, Arc<Metrics>) {
    bus_on(url, events, route(signals, Delivery::Republish)).await
}

async fn bus_on(url: &str, events: &str, route: SignalRoute) -> (NatsBus, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new().unwrap());
    let connection = connect(url, &metrics).await;
    (NatsBus::start(connection, &events.parse().unwrap(), route, Arc::clone(&metrics)).await.unwrap(), metrics)
}

fn route(subject: &str, delivery: Delivery) -> SignalRoute {
    SignalRoute { subject: subject.parse().unwrap(), delivery, bounds: Bounds::default() }
}

async fn queue_at(url: &str, ack_wait: Duration) -> (Arc<NatsQueue>, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new().unwrap());
    let connection = connect(url, &metrics).await;
    (Arc::new(NatsQueue::new(connection, ack_wait, Bounds::default(), Arc::clone(&metrics))), metrics)
}

/// A plain client, without our driver.
async fn plain(url: &str) -> async_nats::Client {
    let options = async_nats::ConnectOptions::new().retry_on_initial_connect();
    options.reconnect_delay_callback(|_| Duration::from_millis(20)).connect(url).await.unwrap()
}

/// Waits until the server has taken what this client has subscribed to: it answers behind that.
async fn subscribed(client: &async_nats::Client) {
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.unwrap();
    client.publish(inbox, "".into()).await.unwrap();
    soon(answers.next()).await.unwrap();
}

async fn stream_named(url: &str, name: &str) -> Stream {
    let jetstream = jetstream::new(plain(url).await);
    let mut found = None;
    until(async || {
        found = jetstream.get_stream(name).await.ok();
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// A reader that gets any number of messages, because it does not acknowledge them.
fn unacknowledged() -> pull::Config {
    pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() }
}

/// The ids of all messages of a stream, in order.
async fn ids(url: &str, name: &str) -> Vec<String> {
    let mut stream = stream_named(url, name).await;
    let count = usize::try_from(stream.info().await.unwrap().state.messages).unwrap();
    let consumer = stream.create_consumer(unacknowledged()).await.unwrap();
    let messages: Vec<_> = consumer.fetch().max_messages(count).messages().await.unwrap().try_collect().await.unwrap();
    let id = |message: &jetstream::Message| message.headers.as_ref().unwrap().get("Nats-Msg-Id").unwrap().to_string();
    messages.iter().map(id).collect()
}

fn message(id: &str) -> Outgoing {
    let payload = r#"{"price": 1.5, "rationale": "ärger", "_otel_trace_headers": {"traceparent": "00-a-b-01", "tracestate": "x=1"}}"#;
    Outgoing { subject: "signals.rsi.BTCUSDT.15m".to_owned(), id: id.to_owned(), payload: payload.to_owned() }
}

/// Publishes until it is acknowledged, as the relay does. Returns how often it tried.
async fn publish_at_last(bus: &NatsBus, id: &str) -> usize {
    let mut tries = 0;
    until(async || {
        tries += 1;
        bus.publish(message(id)).await.is_ok()
    })
    .await;
    tries
}
