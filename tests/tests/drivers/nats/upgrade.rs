//! From the version that published to the subject of readers, and back. That version created the stream
//! `ta-bot-signals` with this subject, and added it to the stream if that had others.

use super::*;

const BASE: &str = "cio.intent.trading";

/// The stream as the version before left it.
async fn old_stream(url: &str, subject: &str) -> jetstream::Context {
    let jetstream = jetstream::new(plain(url).await);
    let config = Config {
        name: STREAM.to_owned(),
        description: Some("Signals of TA Bot".to_owned()),
        subjects: vec![subject.to_owned()],
        max_age: Duration::from_hours(7 * 24),
        duplicate_window: ta_bot_drivers::nats::bus::DUPLICATE_WINDOW,
        ..Config::default()
    };
    jetstream.create_stream(config).await.unwrap();
    jetstream
}

/// Publishes as the version before does. Returns whether the stream had the signal already.
async fn publish_as_before(jetstream: &jetstream::Context, subject: &str, id: &str) -> Result<bool, String> {
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Msg-Id", id);
    let sent = jetstream.publish_with_headers(subject.to_owned(), headers, message(id).payload.into()).await;
    let sent = sent.map_err(|error| error.to_string())?;
    sent.await.map(|stored| stored.duplicate).map_err(|error| error.to_string())
}

async fn config_of(url: &str) -> Config {
    stream_named(url, STREAM).await.cached_info().config.clone()
}

async fn passes_on(url: &str) {
    until(async || config_of(url).await.republish.is_some()).await;
}

fn signal(id: &str) -> Outgoing {
    Outgoing { subject: format!("{BASE}.rsi"), ..message(id) }
}

#[tokio::test]
async fn replicas_of_both_versions_publish_side_by_side() {
    let server = Nats::start().await.unwrap();
    let url = server.url();
    let old = old_stream(&url, BASE).await;
    publish_as_before(&old, BASE, "before").await.unwrap();
    let client = plain(&url).await;
    let mut reader = client.subscribe(format!("{BASE}.>")).await.unwrap();
    subscribed(&client).await;
    let (bus, _) = bus_with(&url, "x", BASE).await;
    passes_on(&url).await;
    let config = config_of(&url).await;
    assert_eq!(config.subjects, [BASE, "ta-bot.signals.>"], "the old one stays: the other replica uses it");
    assert_eq!(config.discard, DiscardPolicy::New);
    assert_eq!(publish_as_before(&old, BASE, "old-1").await, Ok(false));
    bus.publish(signal("new-1")).await.unwrap();
    // Each takes over what the other did not mark as sent.
    bus.publish(signal("old-1")).await.unwrap();
    bus.publish(signal("before")).await.unwrap();
    assert_eq!(publish_as_before(&old, BASE, "new-1").await, Ok(true));
    bus.publish(signal("new-2")).await.unwrap();
    assert_eq!(ids(&url, STREAM).await, ["before", "old-1", "new-1", "new-2"]);
    for id in ["new-1", "new-2"] {
        let seen = soon(reader.next()).await.unwrap();
        assert_eq!(seen.headers.unwrap().get("Nats-Msg-Id").unwrap().as_str(), id);
        assert_eq!((seen.subject.as_str(), seen.reply), ("cio.intent.trading.rsi", None));
    }
}

/// With placeholders the old subject is the one that is passed on to, so it can't stay in the stream.
#[tokio::test]
async fn a_subject_with_placeholders_is_moved_in_one_step() {
    let server = Nats::start().await.unwrap();
    let url = server.url();
    let subject = format!("{BASE}.{{strategy}}");
    let old = old_stream(&url, &format!("{BASE}.*")).await;
    publish_as_before(&old, "cio.intent.trading.rsi", "before").await.unwrap();
    let (bus, _) = bus_with(&url, "x", &subject).await;
    passes_on(&url).await;
    assert_eq!(config_of(&url).await.subjects, ["ta-bot.signals.>"]);
    // The replica of the version before can't publish any more: what it has committed is taken over.
    assert!(publish_as_before(&old, "cio.intent.trading.rsi", "old-1").await.is_err());
    for id in ["before", "old-1"] {
        bus.publish(signal(id)).await.unwrap();
    }
    assert_eq!(ids(&url, STREAM).await, ["before", "old-1"], "what was there stays, and its id is known");
}

#[tokio::test]
async fn the_way_back_is_to_send_directly_first() {
    let server = Nats::start().await.unwrap();
    let url = server.url();
    let subject = format!("{BASE}.{{strategy}}");
    let (bus, _) = bus_with(&url, "x", &subject).await;
    publish(&bus, "new-1").await;
    drop(bus);
    let (bus, _) = bus_on(&url, "x", route(&subject, Delivery::Direct)).await;
    until(async || config_of(&url).await.republish.is_none()).await;
    assert_eq!(config_of(&url).await.subjects, ["ta-bot.signals.>", "cio.intent.trading.*"]);
    publish(&bus, "direct-1").await;
    publish(&bus, "new-1").await;
    let old = jetstream::new(plain(&url).await);
    assert_eq!(publish_as_before(&old, "cio.intent.trading.rsi", "old-1").await, Ok(false));
    assert_eq!(publish_as_before(&old, "cio.intent.trading.rsi", "new-1").await, Ok(true));
    assert_eq!(ids(&url, STREAM).await, ["new-1", "direct-1", "old-1"]);
}

/// Without placeholders, the version before adds its subject to our stream by itself.
#[tokio::test]
async fn the_version_before_finds_its_subject_free() {
    let server = Nats::start().await.unwrap();
    let url = server.url();
    let (bus, _) = bus_with(&url, "x", BASE).await;
    publish(&bus, "new-1").await;
    let old = jetstream::new(plain(&url).await);
    let mut config = config_of(&url).await;
    config.subjects.push(BASE.to_owned());
    old.update_stream(&config).await.unwrap();
    assert_eq!(publish_as_before(&old, BASE, "old-1").await, Ok(false));
    assert_eq!(publish_as_before(&old, BASE, "new-1").await, Ok(true));
    bus.publish(signal("new-2")).await.unwrap();
    assert_eq!(ids(&url, STREAM).await, ["new-1", "old-1", "new-2"]);
}

async fn publish(bus: &NatsBus, id: &str) {
    until(async || bus.publish(signal(id)).await.is_ok()).await;
}

#[tokio::test]
async fn bounds_that_are_set_reach_streams_that_are_there_and_others_stay() {
    let server = Nats::start().await.unwrap();
    let url = server.url();
    old_stream(&url, BASE).await;
    let bounds = Bounds { max_bytes: Some(1 << 20), ..Bounds::default() };
    let (_bus, _) = bus_on(&url, "x", SignalRoute { bounds, ..route(BASE, Delivery::Republish) }).await;
    passes_on(&url).await;
    let config = config_of(&url).await;
    assert_eq!((config.max_bytes, config.max_age), (1 << 20, Duration::from_hours(7 * 24)));
    let metrics = Arc::new(Metrics::new().unwrap());
    let of_jobs = async |bounds: Bounds| {
        let queue = NatsQueue::new(connect(&url, &metrics).await, ACK_WAIT, bounds, Arc::clone(&metrics));
        // A probe sees to the stream, as a worker does that takes jobs.
        until(async || queue.probe().await.is_ok()).await;
        stream_named(&url, "ta-bot-jobs").await.cached_info().config.clone()
    };
    let unbounded = Box::pin(of_jobs(Bounds::default())).await;
    let max_age = Some(Duration::from_hours(24));
    let bounded = Box::pin(of_jobs(Bounds { max_bytes: Some(1 << 20), max_age, replicas: None })).await;
    assert_eq!((unbounded.max_bytes, bounded.max_bytes), (-1, 1 << 20));
    assert_eq!((unbounded.max_age, bounded.max_age), (Duration::ZERO, Duration::from_hours(24)));
    assert_eq!(unbounded.max_messages, bounded.max_messages);
}
