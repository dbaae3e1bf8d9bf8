//! The bus.

use super::*;

async fn announce(server: &Nats) {
    let client = plain(&server.url()).await;
    client.publish("binance.extraction.x", "event".into()).await.unwrap();
    client.flush().await.unwrap();
}

/// The Data Extractor and a plain subscriber to signals.
struct Others {
    client: async_nats::Client,
    signals: tokio::sync::Mutex<async_nats::Subscriber>,
}

#[async_trait]
impl Outside for Others {
    async fn announce(&self, body: Vec<u8>) {
        self.client.publish("binance.extraction.klines.BTCUSDT.15m", body.into()).await.unwrap();
    }

    async fn next_signal(&self) -> Outgoing {
        let message = self.signals.lock().await.next().await.unwrap();
        assert_eq!(message.reply, None, "a reply would reach whoever waits for the acknowledgement");
        let id = message.headers.as_ref().unwrap().get("Nats-Msg-Id").unwrap().to_string();
        let payload = String::from_utf8(message.payload.to_vec()).unwrap();
        Outgoing { subject: message.subject.to_string(), id, payload }
    }
}

#[tokio::test]
async fn the_bus_on_nats_keeps_the_contract() {
    let server = Nats::start().await.unwrap();
    Box::pin(bus_contract::all(async || {
        let client = plain(&server.url()).await;
        // The stream of the previous case.
        let _ = jetstream::new(client.clone()).delete_stream(STREAM).await;
        let (one, two) = (bus_at(&server.url()).await.0, bus_at(&server.url()).await.0);
        // Both have subscribed once they answer.
        until(async || one.ping().await.is_ok() && two.ping().await.is_ok()).await;
        stream_named(&server.url(), STREAM).await;
        let signals = client.subscribe("signals.>").await.unwrap();
        subscribed(&client).await;
        let signals = signals.into();
        Fixture { replicas: (Arc::new(one), Arc::new(two)), outside: Box::new(Others { client, signals }) }
    }))
    .await;
}

#[tokio::test]
async fn a_reader_sees_headers_and_body() {
    let server = Nats::start().await.unwrap();
    let (bus, _) = bus_at(&server.url()).await;
    publish_at_last(&bus, "an-id").await;
    let stream = stream_named(&server.url(), STREAM).await;
    let read = stream.get_last_raw_message_by_subject("ta-bot.signals.signals.rsi.BTCUSDT.15m").await.unwrap();
    assert_eq!(read.payload, message("an-id").payload);
    let header = |name: &str| read.headers.get(name).map(ToString::to_string);
    assert_eq!(header("Nats-Msg-Id").as_deref(), Some("an-id"));
    assert_eq!(header("traceparent").as_deref(), Some("00-a-b-01"));
    assert_eq!(header("tracestate").as_deref(), Some("x=1"));
    let config = stream.cached_info().config.clone();
    assert_eq!(config.subjects, ["ta-bot.signals.>"]);
    let (source, destination) =
        ("ta-bot.signals.signals.*.*.*", "signals.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}");
    let passes_on = Republish { source: source.to_owned(), destination: destination.to_owned(), headers_only: false };
    assert_eq!(config.republish, Some(passes_on));
    assert_eq!(config.discard, DiscardPolicy::New, "a full stream refuses");
    assert_eq!(config.duplicate_window, ta_bot_drivers::nats::bus::DUPLICATE_WINDOW);
}

#[tokio::test]
async fn what_can_not_be_a_header_or_a_subject_does_no_harm() {
    let server = Nats::start().await.unwrap();
    let (bus, _) = bus_at(&server.url()).await;
    let odd = |id: &str, payload: &str| Outgoing { payload: payload.to_owned(), ..message(id) };
    publish_at_last(&bus, "first").await;
    for (id, payload) in [
        ("line", r#"{"_otel_trace_headers": {"traceparent": "00\r\nNats-Msg-Id: first", "tracestate": 5}}"#),
        ("list", r#"{"_otel_trace_headers": []}"#),
        ("text", "no JSON"),
    ] {
        bus.publish(odd(id, payload)).await.unwrap();
    }
    for subject in ["signals.>", "signals.a b.c.d", "signals..c.d", ""] {
        let error = bus.publish(Outgoing { subject: subject.to_owned(), ..message("bad") }).await.unwrap_err();
        assert!(error.to_string().contains("subject"), "{error}");
    }
    assert_eq!(ids(&server.url(), STREAM).await, ["first", "line", "list", "text"]);
}

/// Somebody else's stream that takes the subject of readers. It stores what is passed on to that subject.
#[tokio::test]
async fn a_stream_of_somebody_else_stays_as_it_is() {
    let server = Nats::start().await.unwrap();
    let jetstream = jetstream::new(plain(&server.url()).await);
    let theirs = Config { name: "theirs".to_owned(), subjects: vec!["signals.>".to_owned()], ..Config::default() };
    let before = jetstream.create_stream(&theirs).await.unwrap().cached_info().config.clone();
    let (bus, _) = bus_at(&server.url()).await;
    publish_at_last(&bus, "an-id").await;
    publish_at_last(&bus, "an-id").await;
    assert_eq!(jetstream.get_stream("theirs").await.unwrap().cached_info().config, before);
    until(async || Box::pin(ids(&server.url(), "theirs")).await == ["an-id"]).await;
    assert_eq!(ids(&server.url(), STREAM).await, ["an-id"]);
}

/// Without passing on, that stream is the stream of signals.
#[tokio::test]
async fn signals_that_are_sent_directly_go_to_the_stream_that_is_there() {
    let server = Nats::start().await.unwrap();
    let jetstream = jetstream::new(plain(&server.url()).await);
    let theirs = Config { name: "theirs".to_owned(), subjects: vec!["signals.>".to_owned()], ..Config::default() };
    let before = jetstream.create_stream(&theirs).await.unwrap().cached_info().config.clone();
    let (bus, _) = bus_on(&server.url(), "x", route(SUBJECT, Delivery::Direct)).await;
    publish_at_last(&bus, "an-id").await;
    assert_eq!(jetstream.get_stream("theirs").await.unwrap().cached_info().config, before);
    assert_eq!(ids(&server.url(), "theirs").await, ["an-id"]);
    assert!(jetstream.get_stream(STREAM).await.is_err(), "none is made beside it");
}

#[tokio::test]
async fn our_stream_passes_on_to_a_subject_that_was_configured_later() {
    let server = Nats::start().await.unwrap();
    let (bus, _) = bus_with(&server.url(), "x", "cio.intent.trading").await;
    stream_named(&server.url(), STREAM).await;
    drop(bus);
    let client = plain(&server.url()).await;
    let mut reader = client.subscribe("signals.>").await.unwrap();
    subscribed(&client).await;
    let (bus, _) = bus_at(&server.url()).await;
    let passes_on = async || {
        let config = stream_named(&server.url(), STREAM).await.cached_info().config.clone();
        config.republish.is_some_and(|republish| republish.source == "ta-bot.signals.signals.*.*.*")
    };
    until(passes_on).await;
    publish_at_last(&bus, "an-id").await;
    assert_eq!(soon(reader.next()).await.unwrap().subject.as_str(), "signals.rsi.BTCUSDT.15m");
    let subjects = stream_named(&server.url(), STREAM).await.cached_info().config.subjects.clone();
    assert_eq!(subjects, ["ta-bot.signals.>"]);
}

#[tokio::test]
async fn a_stream_that_was_deleted_is_made_again() {
    let server = Nats::start().await.unwrap();
    let (bus, _) = bus_at(&server.url()).await;
    publish_at_last(&bus, "one").await;
    jetstream::new(plain(&server.url()).await).delete_stream(STREAM).await.unwrap();
    bus.publish(message("two")).await.unwrap();
    assert_eq!(ids(&server.url(), STREAM).await, ["two"]);
}

#[tokio::test]
async fn a_stream_of_a_part_of_the_subject_takes_that_part() {
    let server = Nats::start().await.unwrap();
    let jetstream = jetstream::new(plain(&server.url()).await);
    let part = Config { name: "part".to_owned(), subjects: vec!["signals.rsi.*.*".to_owned()], ..Config::default() };
    jetstream.create_stream(&part).await.unwrap();
    let (bus, _) = bus_on(&server.url(), "x", route(SUBJECT, Delivery::Direct)).await;
    publish_at_last(&bus, "an-id").await;
    let other = Outgoing { subject: "signals.macd.BTCUSDT.15m".to_owned(), ..message("other") };
    assert!(bus.publish(other).await.unwrap_err().to_string().contains("no stream"));
}

#[tokio::test]
async fn prefixes_that_overlap_bring_each_event_once() {
    let server = Nats::start().await.unwrap();
    let (bus, _) = bus_with(&server.url(), "binance.*,*.extraction,binance.extraction.klines,other", SUBJECT).await;
    until(async || bus.ping().await.is_ok()).await;
    let mut events = bus.candle_events();
    let client = plain(&server.url()).await;
    for (subject, body) in [
        ("binance.extraction.klines.BTCUSDT.15m", "1"),
        ("kraken.extraction.klines.BTCUSDT.15m", "2"),
        ("nobody.reads.this", "3"),
        ("other.batch.15m", "4"),
        ("binance.trades.x", "5"),
    ] {
        client.publish(subject, body.into()).await.unwrap();
        client.flush().await.unwrap();
    }
    let mut came = BTreeSet::new();
    for _ in 0..4 {
        assert!(came.insert(soon(events.recv()).await.unwrap()), "twice");
    }
    assert_eq!(came, ["1", "2", "4", "5"].map(|body| body.as_bytes().to_vec()).into());
    assert!(timeout(Duration::from_millis(200), events.recv()).await.is_err());
}

#[tokio::test]
async fn events_of_a_megabyte_and_a_flood_are_harmless() {
    let server = Nats::start().await.unwrap();
    let (bus, metrics) = bus_at(&server.url()).await;
    until(async || bus.ping().await.is_ok()).await;
    let mut events = bus.candle_events();
    let client = plain(&server.url()).await;
    let subject = "binance.extraction.klines.BTCUSDT.15m";
    for _ in 0..20 {
        client.publish(subject, vec![b'x'; 1 << 20].into()).await.unwrap();
    }
    let too_large = metrics.events.with_label_values(&["too_large"]);
    until(async || too_large.get() == 20).await;
    for _ in 0..10_000 {
        client.publish(subject, "{".into()).await.unwrap();
    }
    let (mut read, mut missed, mut last) = (0, 0, false);
    // Announced until it is heard: in a flood an announcement may be lost.
    until(async || {
        client.publish(subject, "the last".into()).await.unwrap();
        client.flush().await.unwrap();
        loop {
            match timeout(Duration::from_millis(50), events.recv()).await {
                Ok(Ok(body)) if body == b"the last" => last = true,
                Ok(Ok(_)) => read += 1,
                Ok(Err(tokio::sync::broadcast::error::RecvError::Lagged(count))) => missed += count,
                Ok(Err(error)) => panic!("{error}"),
                Err(_) => return last,
            }
        }
    })
    .await;
    assert!(read + missed <= 10_100 && read > 0, "{read} {missed}");
    bus.publish(message("an-id")).await.unwrap();
}

#[tokio::test]
async fn nats_may_be_away_at_the_start() {
    let mut server = Nats::start().await.unwrap();
    server.kill().unwrap();
    let (bus, metrics) = bus_at(&server.url()).await;
    let started = Instant::now();
    assert!(bus.publish(message("early")).await.unwrap_err().to_string().contains("not connected"));
    assert!(bus.ping().await.is_err());
    let (mut notices, mut events) = (bus.notices(), bus.candle_events());
    assert!(bus.notify(Notice::ConfigurationChanged).await.is_err());
    notices.try_recv().expect("this replica is told all the same");
    assert!(started.elapsed() < Duration::from_secs(1), "nobody waits for what is not there");
    assert_eq!(metrics.bus_connected.get(), 0);
    server.restart().await.unwrap();
    publish_at_last(&bus, "late").await;
    assert_eq!(metrics.bus_connected.get(), 1);
    announce(&server).await;
    assert_eq!(soon(events.recv()).await.unwrap(), b"event");
    assert_eq!(ids(&server.url(), STREAM).await, ["late"]);
}

#[tokio::test]
async fn a_killed_server_has_each_id_once() {
    let mut server = Nats::start().await.unwrap();
    let (bus, metrics) = bus_at(&server.url()).await;
    let (mut notices, mut events) = (bus.notices(), bus.candle_events());
    publish_at_last(&bus, "first").await;
    let mut sent = vec!["first".to_owned()];
    for round in 0..4 {
        let round: Vec<_> = (0..50).map(|index| format!("{round}-{index}")).collect();
        let publishing = async {
            for id in &round {
                publish_at_last(&bus, id).await;
            }
        };
        let killing = async {
            tokio::time::sleep(Duration::from_millis(15)).await;
            server.kill().unwrap();
            server.restart().await.unwrap();
        };
        tokio::join!(publishing, killing);
        // As a replica does if it does not know what was acknowledged.
        for id in &round {
            publish_at_last(&bus, id).await;
        }
        sent.extend(round);
    }
    assert_eq!(ids(&server.url(), STREAM).await, sent);
    // One notice when the server was first there, and one when it was back: nothing was heard in the meantime, so
    // everything is read again.
    for _ in 0..2 {
        assert_eq!(soon(notices.recv()).await.unwrap(), Notice::ConfigurationChanged);
    }
    assert!(metrics.bus_connections.get() >= 5);
    announce(&server).await;
    assert_eq!(soon(events.recv()).await.unwrap(), b"event", "events are read after it, too");
}

#[tokio::test]
async fn what_could_not_be_told_is_told_when_the_connection_is_back() {
    let server = Nats::start().await.unwrap();
    let proxy = Proxy::start(server.address()).unwrap();
    let (one, _) = bus_at(&server.url_at(proxy.address())).await;
    let (two, _) = bus_at(&server.url()).await;
    until(async || one.ping().await.is_ok() && two.ping().await.is_ok()).await;
    // The other one keeps its connection, so only a notice makes it read again.
    let mut heard = two.notices();
    proxy.set(Mode::Refuse).await.unwrap();
    proxy.reset_all().await.unwrap();
    until(async || one.ping().await.is_err()).await;
    for _ in 0..2 {
        assert!(one.notify(Notice::JobsRetried).await.is_err());
    }
    proxy.set(Mode::Forward).await.unwrap();
    assert_eq!(soon(next_told(&mut heard)).await, Notice::JobsRetried);
    one.notify(Notice::DeploymentsChanged).await.unwrap();
    assert_eq!(soon(next_told(&mut heard)).await, Notice::DeploymentsChanged, "the other was told once");
}

/// It may have started long before it is connected, and what it has read may have changed since.
#[tokio::test]
async fn who_is_connected_late_is_reminded_to_read_again() {
    let mut server = Nats::start().await.unwrap();
    server.kill().unwrap();
    let (bus, _) = bus_at(&server.url()).await;
    let mut notices = bus.notices();
    server.restart().await.unwrap();
    assert_eq!(soon(notices.recv()).await.unwrap(), Notice::ConfigurationChanged);
}

#[tokio::test]
async fn a_lost_acknowledgement_makes_no_second_message() {
    let server = Nats::start().await.unwrap();
    let proxy = Proxy::start(server.address()).unwrap();
    let (bus, _) = bus_at(&server.url_at(proxy.address())).await;
    publish_at_last(&bus, "first").await;
    for round in 0..5 {
        let id = format!("cut-{round}");
        // Everything reaches the server; the first answer is swallowed and the connection ends.
        proxy.set(Mode::CutAfter { from: Side::Server, bytes: 0 }).await.unwrap();
        assert!(bus.publish(message(&id)).await.is_err(), "the acknowledgement is lost");
        proxy.set(Mode::Forward).await.unwrap();
        assert!(ids(&server.url(), STREAM).await.contains(&id), "the message is there");
        publish_at_last(&bus, &id).await;
    }
    assert_eq!(ids(&server.url(), STREAM).await, ["first", "cut-0", "cut-1", "cut-2", "cut-3", "cut-4"]);
}

#[tokio::test]
async fn a_server_that_hangs_fails_a_publish_in_time_and_is_found_again() {
    let server = Nats::start().await.unwrap();
    let (bus, _) = bus_at(&server.url()).await;
    publish_at_last(&bus, "first").await;
    server.pause().unwrap();
    let started = Instant::now();
    let sent = futures_util::future::join_all((0..64).map(|index| {
        let bus = &bus;
        async move { bus.publish(message(&format!("hung-{index}"))).await }
    }));
    assert!(soon(sent).await.iter().all(Result::is_err));
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert!(soon(bus.ping()).await.is_err());
    server.resume().unwrap();
    publish_at_last(&bus, "hung-0").await;
    let ids = ids(&server.url(), STREAM).await;
    assert_eq!(ids.iter().filter(|id| *id == "hung-0").count(), 1);
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "each once: {ids:?}");
}

#[tokio::test]
async fn a_thousand_signals_share_the_way() {
    let server = Nats::start().await.unwrap();
    let proxy = Proxy::start(server.address()).unwrap();
    let (bus, _) = bus_at(&server.url_at(proxy.address())).await;
    publish_at_last(&bus, "first").await;
    // A delay of 5 ms in each direction: one after the other the messages would take 10 s.
    proxy.set(Mode::Delay(Duration::from_millis(5))).await.unwrap();
    let started = Instant::now();
    let sent = futures_util::stream::iter((0..1000).map(|index| {
        let bus = &bus;
        async move { bus.publish(message(&format!("{index:04}"))).await }
    }));
    let sent: Vec<_> = sent.buffered(64).collect().await;
    assert!(sent.iter().all(Result::is_ok));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let ids = ids(&server.url(), STREAM).await;
    assert_eq!(ids.len(), 1001);
    let unsorted = ids[1..].windows(2).find(|pair| pair[0] > pair[1]);
    assert_eq!(unsorted, None, "they are in the order in which they were sent");
}
