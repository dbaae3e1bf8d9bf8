//! What plain subscribers see, who neither know nor acknowledge anything.

use std::collections::BTreeMap;

use super::*;

const MINE: &str = "cio.intent.trading";

/// A plain subscriber, as the readers of signals are.
struct Plain {
    client: async_nats::Client,
    signals: async_nats::Subscriber,
    /// How often each id came.
    seen: BTreeMap<String, usize>,
    with_reply: usize,
}

impl Plain {
    async fn start(url: &str) -> Self {
        let client = plain(url).await;
        let signals = client.subscribe(format!("{MINE}.>")).await.unwrap();
        subscribed(&client).await;
        Self { client, signals, seen: BTreeMap::new(), with_reply: 0 }
    }

    /// Reads until a signal with this id has come, and replies wherever it is asked to.
    async fn read_until(&mut self, id: &str) {
        while !self.seen.contains_key(id) {
            self.read_one().await;
        }
    }

    async fn read_one(&mut self) {
        let message = soon(self.signals.next()).await.unwrap();
        let id = message.headers.as_ref().unwrap().get("Nats-Msg-Id").unwrap().to_string();
        *self.seen.entry(id).or_default() += 1;
        if let Some(reply) = message.reply {
            self.with_reply += 1;
            self.client.publish(reply, r#"{"status":"error","error":"not today"}"#.into()).await.unwrap();
        }
    }

    fn repeated(&self) -> Vec<&String> {
        self.seen.iter().filter(|(_, count)| **count > 1).map(|(id, _)| id).collect()
    }
}

fn signal(id: &str) -> Outgoing {
    Outgoing { subject: format!("{MINE}.rsi"), ..message(id) }
}

/// Publishes until it is acknowledged, as the relay does.
async fn sent_at_last(bus: &NatsBus, id: &str) {
    until(async || bus.publish(signal(id)).await.is_ok()).await;
}

#[tokio::test]
async fn a_signal_that_is_sent_again_is_seen_once_and_without_a_reply_subject() {
    let server = Nats::start().await.unwrap();
    let mut reader = Plain::start(&server.url()).await;
    let proxy = Proxy::start(server.address()).unwrap();
    let (bus, _) = bus_with(&server.url_at(proxy.address()), "x", MINE).await;
    sent_at_last(&bus, "first").await;
    for round in 0..5 {
        let id = format!("cut-{round}");
        // The acknowledgement is lost, so the signal is sent again.
        proxy.set(Mode::CutAfter { from: Side::Server, bytes: 0 }).await.unwrap();
        assert!(bus.publish(signal(&id)).await.is_err());
        proxy.set(Mode::Forward).await.unwrap();
        sent_at_last(&bus, &id).await;
        bus.publish(signal(&id)).await.unwrap();
    }
    sent_at_last(&bus, "last").await;
    reader.read_until("last").await;
    assert_eq!((reader.seen.len(), reader.repeated().len(), reader.with_reply), (7, 0, 0), "{:?}", reader.seen);
}

/// A subscriber that is away misses what is stored meanwhile: sending it again does not bring it.
#[tokio::test]
async fn who_was_not_there_misses_a_signal_and_finds_it_in_the_stream() {
    let server = Nats::start().await.unwrap();
    let (bus, _) = bus_with(&server.url(), "x", MINE).await;
    sent_at_last(&bus, "unseen").await;
    let mut reader = Plain::start(&server.url()).await;
    bus.publish(signal("unseen")).await.unwrap();
    sent_at_last(&bus, "seen").await;
    reader.read_until("seen").await;
    assert_eq!(reader.seen.keys().collect::<Vec<_>>(), ["seen"]);
    assert_eq!(ids(&server.url(), STREAM).await, ["unseen", "seen"]);
}

/// Publishes signals until one is refused. Returns those that were taken, and why the last one was refused.
async fn fill(bus: &NatsBus) -> (Vec<String>, String) {
    let mut taken = Vec::new();
    loop {
        let id = format!("{:04}", taken.len());
        let large = Outgoing { payload: format!("{{\"rationale\": \"{}\"}}", "x".repeat(8192)), ..signal(&id) };
        match bus.publish(large).await {
            Ok(()) => taken.push(id),
            Err(error) => return (taken, error.to_string()),
        }
        assert!(taken.len() < 2000, "it is never full");
    }
}

/// Checks that a full stream refuses, that readers see nothing of what it refuses, and that it goes on with room.
async fn is_full_and_goes_on(server: &Nats, bus: &NatsBus, reader: &mut Plain) {
    let (taken, refused) = fill(bus).await;
    assert!(taken.len() > 3, "{refused}");
    assert!(refused.contains("no room") && refused.contains("NATS_SIGNALS_MAX_BYTES"), "{refused}");
    let next = format!("{:04}", taken.len());
    for _ in 0..20 {
        assert!(bus.publish(Outgoing { payload: "x".repeat(8192), ..signal(&next) }).await.is_err());
    }
    let mut stored = ids(&server.url(), STREAM).await;
    stored.retain(|id| id != "first");
    assert_eq!(stored, taken, "what was acknowledged is all there: nothing was thrown away");
    stream_named(&server.url(), STREAM).await.purge().await.unwrap();
    sent_at_last(bus, &next).await;
    reader.read_until(&next).await;
    assert_eq!(reader.repeated(), [""; 0]);
    assert_eq!(reader.with_reply, 0);
    assert_eq!(reader.seen.len(), taken.len() + 2, "each that was acknowledged, and the first");
}

#[tokio::test]
async fn a_full_stream_refuses_and_passes_nothing_on() {
    let server = Nats::start().await.unwrap();
    let mut reader = Plain::start(&server.url()).await;
    let bounds = Bounds { max_bytes: Some(1 << 17), ..Bounds::default() };
    let (bus, _) = bus_on(&server.url(), "x", SignalRoute { bounds, ..route(MINE, Delivery::Republish) }).await;
    sent_at_last(&bus, "first").await;
    is_full_and_goes_on(&server, &bus, &mut reader).await;
}

#[tokio::test]
async fn a_full_jetstream_refuses_and_passes_nothing_on() {
    let server = Nats::start_with_room(1 << 18).await.unwrap();
    let mut reader = Plain::start(&server.url()).await;
    let (bus, _) = bus_with(&server.url(), "x", MINE).await;
    sent_at_last(&bus, "first").await;
    is_full_and_goes_on(&server, &bus, &mut reader).await;
}

#[tokio::test]
async fn without_jetstream_nothing_counts_as_sent_and_readers_see_nothing() {
    let server = Nats::start_without_jetstream().await.unwrap();
    let mut reader = Plain::start(&server.url()).await;
    let (bus, _) = bus_with(&server.url(), "x", MINE).await;
    let mut refused = String::new();
    until(async || {
        refused = bus.publish(signal("an-id")).await.unwrap_err().to_string();
        !refused.contains("not connected")
    })
    .await;
    for _ in 0..5 {
        assert!(bus.publish(signal("an-id")).await.is_err());
    }
    reader.client.publish(format!("{MINE}.rsi"), "the end".into()).await.unwrap();
    let seen = soon(reader.signals.next()).await.unwrap();
    assert_eq!(seen.payload, "the end", "nothing came before it: {refused}");
}

/// NATS dies between storing and passing on, or while a subscriber connects again. Nothing else may be lost.
#[tokio::test]
async fn restarts_of_nats_repeat_nothing() {
    let mut server = Nats::start().await.unwrap();
    let mut reader = Plain::start(&server.url()).await;
    let (bus, _) = bus_with(&server.url(), "x", MINE).await;
    let mut sent = Vec::new();
    for round in 0..4 {
        let round: Vec<_> = (0..50).map(|index| format!("{round}-{index}")).collect();
        let publishing = async {
            for id in &round {
                sent_at_last(&bus, id).await;
            }
        };
        let killing = async {
            // The moment is the point of this pause: there is no condition to wait for.
            tokio::time::sleep(Duration::from_millis(15)).await;
            server.kill().unwrap();
            server.restart().await.unwrap();
        };
        tokio::join!(publishing, killing);
        sent.extend(round);
    }
    // Until the reader is there again.
    for tries in 0.. {
        sent_at_last(&bus, &format!("there-{tries}")).await;
        while let Ok(()) = timeout(Duration::from_millis(100), reader.read_one()).await {}
        if reader.seen.keys().any(|id| id.starts_with("there")) {
            break;
        }
    }
    let stored: Vec<_> = ids(&server.url(), STREAM).await.into_iter().filter(|id| !id.starts_with("there")).collect();
    assert_eq!(stored, sent, "each once in the stream");
    assert_eq!((reader.repeated().len(), reader.with_reply), (0, 0), "{:?}", reader.seen);
    let missed = sent.iter().filter(|id| !reader.seen.contains_key(*id)).count();
    println!("{missed} of {} signals were stored while the reader or NATS was away", sent.len());
    assert!(missed < sent.len() / 2, "{missed}");
}

/// What the setting for accounts that may not create a stream costs.
#[tokio::test]
async fn sent_directly_a_signal_is_seen_as_often_as_it_is_sent() {
    let server = Nats::start().await.unwrap();
    let mut reader = Plain::start(&server.url()).await;
    let (bus, _) = bus_on(&server.url(), "x", route(MINE, Delivery::Direct)).await;
    stream_named(&server.url(), STREAM).await;
    for _ in 0..3 {
        bus.publish(signal("an-id")).await.unwrap();
        reader.read_one().await;
    }
    assert_eq!((reader.seen["an-id"], reader.with_reply), (3, 3));
    assert_eq!(ids(&server.url(), STREAM).await, ["an-id"], "the stream has it once");
}

/// What a stream has lost can be found, and brought back although the stream remembers its id.
#[tokio::test]
async fn a_signal_that_the_stream_has_lost_is_found_and_sent_again() {
    let server = Nats::start().await.unwrap();
    let (bus, _) = bus_with(&server.url(), "x", MINE).await;
    for id in ["one", "two", "three"] {
        sent_at_last(&bus, id).await;
    }
    let hour_ago = ta_bot_core::Timestamp::now().plus_millis(-3_600_000);
    let kept = async || bus.kept_since(hour_ago).await.unwrap().unwrap().into_iter().collect::<BTreeSet<_>>();
    assert_eq!(kept().await, ["one", "three", "two"].map(str::to_owned).into());
    stream_named(&server.url(), STREAM).await.delete_message(2).await.unwrap();
    assert_eq!(kept().await, ["one", "three"].map(str::to_owned).into());
    bus.publish(signal("two")).await.unwrap();
    assert!(!kept().await.contains("two"), "the stream takes it for a repetition");
    bus.publish_again(signal("two")).await.unwrap();
    assert_eq!(kept().await, ["one", "three", "two"].map(str::to_owned).into());
    let later = ta_bot_core::Timestamp::now().plus_millis(3_600_000);
    assert_eq!(bus.kept_since(later).await.unwrap().unwrap().len(), 0);
}
