//! Probes: whether a job could be queued and a signal published.

use async_nats::jetstream::stream::{DiscardPolicy, RetentionPolicy};

use super::*;

const BALLAST: &str = "ballast";

/// Bounds of a stream that refuses what is beyond them.
fn bounded(name: &str, subject: &str, most: i64) -> Config {
    Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        discard: DiscardPolicy::New,
        max_messages: most,
        ..Config::default()
    }
}

/// Fills the storage of a server with messages that get smaller and smaller.
async fn fill(jetstream: &jetstream::Context) {
    let config = Config { name: BALLAST.to_owned(), subjects: vec![BALLAST.to_owned()], ..Config::default() };
    jetstream.create_stream(config).await.unwrap();
    for size in [500_000, 10_000, 500] {
        while jetstream.publish(BALLAST, vec![b'x'; size].into()).await.unwrap().await.is_ok() {}
    }
}

#[tokio::test]
async fn a_stream_that_is_full_is_told_before_anything_is_sent() {
    let server = Nats::start().await.unwrap();
    let jetstream = jetstream::new(plain(&server.url()).await);
    jetstream.create_stream(bounded("theirs", "ta-bot.signals.>", 1)).await.unwrap();
    let jobs = Config {
        retention: RetentionPolicy::WorkQueue,
        discard_new_per_subject: true,
        max_messages_per_subject: 1,
        ..bounded("ta-bot-jobs", "ta-bot.jobs.>", 1)
    };
    jetstream.create_stream(jobs).await.unwrap();
    let (bus, _) = bus_at(&server.url()).await;
    let (queue, _) = queue_at(&server.url(), ACK_WAIT).await;
    until(async || bus.probe().await.is_ok() && queue.probe().await.is_ok()).await;
    publish_at_last(&bus, "an-id").await;
    queue.push(job(1).into()).await.unwrap();
    let told = [bus.probe().await.unwrap_err().to_string(), queue.probe().await.unwrap_err().to_string()];
    assert!(told[0].contains("the stream theirs is full: it holds 1 messages"), "{told:?}");
    assert!(told[1].contains("the stream ta-bot-jobs is full: it holds 1 messages"), "{told:?}");
    for delivery in soon(queue.next(1)).await {
        delivery.done().await;
    }
    until(async || queue.probe().await.is_ok()).await;
    assert_eq!(ids(&server.url(), "theirs").await, ["an-id"], "a probe leaves nothing there");
}

/// How much room there is, is measured as far as it is known.
#[tokio::test]
async fn what_streams_hold_and_may_hold_is_measured() {
    let server = Nats::start().await.unwrap();
    let jetstream = jetstream::new(plain(&server.url()).await);
    let theirs = Config { max_bytes: 1 << 20, ..bounded("theirs", "ta-bot.signals.>", 100) };
    jetstream.create_stream(theirs).await.unwrap();
    let (bus, of_bus) = bus_at(&server.url()).await;
    let (queue, of_queue) = queue_at(&server.url(), ACK_WAIT).await;
    publish_at_last(&bus, "an-id").await;
    until(async || queue.push(job(1).into()).await.is_ok()).await;
    let value = |metrics: &Metrics, series: &str| {
        let text: String = metrics.render().unwrap().collect();
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse::<u64>().ok())
    };
    let holds = |metrics: &Metrics, series: &str| value(metrics, series).is_some_and(|bytes| bytes > 0);
    until(async || holds(&of_bus, r#"ta_bot_stream_bytes{stream="theirs"}"#)).await;
    assert_eq!(value(&of_bus, r#"ta_bot_stream_limit_bytes{stream="theirs"}"#), Some(1 << 20));
    until(async || holds(&of_bus, "ta_bot_jetstream_bytes")).await;
    assert_eq!(value(&of_bus, "ta_bot_jetstream_limit_bytes"), None, "the account has no limit");
    until(async || holds(&of_queue, r#"ta_bot_stream_bytes{stream="ta-bot-jobs"}"#)).await;
    assert_eq!(value(&of_queue, r#"ta_bot_stream_limit_bytes{stream="ta-bot-jobs"}"#), None, "the stream has no limit");
}

#[tokio::test]
async fn a_server_that_is_full_is_told_although_the_streams_have_no_bounds() {
    let server = Nats::start_with_room(4 << 20).await.unwrap();
    let (bus, _) = bus_at(&server.url()).await;
    let (queue, _) = queue_at(&server.url(), ACK_WAIT).await;
    until(async || bus.probe().await.is_ok() && queue.probe().await.is_ok()).await;
    let jetstream = jetstream::new(plain(&server.url()).await);
    fill(&jetstream).await;
    let told = [bus.probe().await.unwrap_err().to_string(), queue.probe().await.unwrap_err().to_string()];
    assert!(told.iter().all(|told| told.contains("resources")), "{told:?}");
    jetstream.delete_stream(BALLAST).await.unwrap();
    bus.probe().await.unwrap();
    queue.probe().await.unwrap();
}

#[tokio::test]
async fn a_server_without_its_storage_is_told_as_that() {
    let mut server = Nats::start_with_room(4 << 20).await.unwrap();
    let (bus, _) = bus_at(&server.url()).await;
    let (queue, _) = queue_at(&server.url(), ACK_WAIT).await;
    until(async || bus.probe().await.is_ok() && queue.probe().await.is_ok()).await;
    server.restart_with_jetstream(false).await.unwrap();
    let is_told = |error: String| error.contains("run NATS with JetStream");
    until(async || {
        bus.probe().await.is_err_and(|error| is_told(error.to_string()))
            && queue.probe().await.is_err_and(|error| is_told(error.to_string()))
    })
    .await;
    server.restart_with_jetstream(true).await.unwrap();
    until(async || bus.probe().await.is_ok() && queue.probe().await.is_ok()).await;
}
