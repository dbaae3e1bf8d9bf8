//! The tests that every bus must pass.
//!
//! A driver runs [`all`] in its tests. Each case gets a bus of its own, as two handles that stand for two replicas of
//! the service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "tests, and a test may fail loudly"
)]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::{sync::broadcast, time::timeout};

use super::{Bus, Notice, Outgoing};

/// Long enough even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough for an unexpected message to arrive.
const QUIET: Duration = Duration::from_millis(100);

/// The other end of a bus, which announces candles and reads signals.
#[async_trait]
pub trait Outside: Send + Sync {
    /// Announces candles, as the Data Extractor does.
    async fn announce(&self, body: Vec<u8>);

    /// Returns the next signal, in the bus's order.
    async fn next_signal(&self) -> Outgoing;
}

/// One bus.
pub struct Fixture {
    /// Two handles of the bus.
    pub replicas: (Arc<dyn Bus>, Arc<dyn Bus>),
    /// The other end of the bus.
    pub outside: Box<dyn Outside>,
}

/// Runs every case, each on a bus that `fresh` makes.
pub async fn all(fresh: impl AsyncFn() -> Fixture) {
    candle_events_reach_every_replica(fresh().await).await;
    signals_arrive_as_they_were_sent(fresh().await).await;
    an_id_is_sent_once(fresh().await).await;
    many_signals_are_under_way_at_once_and_keep_their_order(fresh().await).await;
    every_replica_is_told(fresh().await).await;
    a_reader_that_sleeps_holds_nobody_up(fresh().await).await;
    it_answers(fresh().await).await;
}

async fn soon<T>(awaited: impl Future<Output = T>) -> T {
    timeout(PATIENCE, awaited).await.expect("it should have come by now")
}

fn message(id: usize) -> Outgoing {
    let payload = format!(r#"{{"signal_id": "{id}", "rationale": "ärger \"市場\""}}"#);
    Outgoing { subject: "signals.rsi.BTCUSDT.15m".to_owned(), id: format!("id-{id}"), payload }
}

async fn nothing_else<T: Clone + std::fmt::Debug>(reader: &mut broadcast::Receiver<T>) {
    let more = timeout(QUIET, reader.recv()).await;
    assert!(more.is_err(), "{more:?} came twice");
}

/// Each replica receives an announcement exactly once.
pub async fn candle_events_reach_every_replica(Fixture { replicas: (one, two), outside }: Fixture) {
    let (mut first, mut second) = (one.candle_events(), two.candle_events());
    for body in [&b"{\"symbol\": \"BTCUSDT\"}"[..], b"\x00 no JSON \xff", b""] {
        outside.announce(body.to_vec()).await;
        assert_eq!(soon(first.recv()).await.unwrap(), body);
        assert_eq!(soon(second.recv()).await.unwrap(), body);
    }
    nothing_else(&mut first).await;
    nothing_else(&mut second).await;
}

/// No byte of a signal is changed.
pub async fn signals_arrive_as_they_were_sent(Fixture { replicas: (one, two), outside }: Fixture) {
    one.publish(message(1)).await.unwrap();
    assert_eq!(soon(outside.next_signal()).await, message(1));
    two.publish(message(2)).await.unwrap();
    assert_eq!(soon(outside.next_signal()).await, message(2));
}

/// It does not matter which replica sends the signal again, or how often.
pub async fn an_id_is_sent_once(Fixture { replicas: (one, two), outside }: Fixture) {
    for bus in [&one, &two, &one] {
        bus.publish(message(1)).await.unwrap();
    }
    two.publish(message(2)).await.unwrap();
    assert_eq!(soon(outside.next_signal()).await.id, "id-1");
    assert_eq!(soon(outside.next_signal()).await.id, "id-2");
}

/// This is how the relay sends signals.
pub async fn many_signals_are_under_way_at_once_and_keep_their_order(
    Fixture { replicas: (one, _two), outside }: Fixture,
) {
    let sent = soon(join_all((0..64).map(|id| one.publish(message(id))))).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    for id in 0..64 {
        assert_eq!(soon(outside.next_signal()).await, message(id));
    }
}

/// The sender of a notice receives it too.
pub async fn every_replica_is_told(Fixture { replicas: (one, two), .. }: Fixture) {
    let (mut first, mut second) = (one.notices(), two.notices());
    one.notify(Notice::DeploymentsChanged).await.unwrap();
    for told in [&mut first, &mut second] {
        assert_eq!(soon(next_told(told)).await, Notice::DeploymentsChanged);
    }
    let again = timeout(QUIET, next_told(&mut first)).await;
    assert!(again.is_err(), "it was told once: {again:?}");
}

/// Returns the next notice that the bus did not send by itself.
pub async fn next_told(notices: &mut broadcast::Receiver<Notice>) -> Notice {
    loop {
        let notice = notices.recv().await.unwrap();
        if notice != Notice::ConfigurationChanged {
            return notice;
        }
    }
}

/// The slow reader misses some events, and gets an error that says so.
pub async fn a_reader_that_sleeps_holds_nobody_up(Fixture { replicas: (one, _two), outside }: Fixture) {
    let (mut asleep, mut awake) = (one.candle_events(), one.candle_events());
    for _ in 0..12 {
        for _ in 0..500 {
            outside.announce(b"{}".to_vec()).await;
        }
        for _ in 0..500 {
            soon(awake.recv()).await.unwrap();
        }
    }
    assert!(matches!(asleep.recv().await, Err(broadcast::error::RecvError::Lagged(_))));
}

/// A connected bus responds to a ping, and a signal could be published on it. A probe is no signal.
pub async fn it_answers(Fixture { replicas: (one, two), outside }: Fixture) {
    soon(one.ping()).await.unwrap();
    soon(two.ping()).await.unwrap();
    for _ in 0..2 {
        soon(one.probe()).await.unwrap();
        soon(two.probe()).await.unwrap();
    }
    one.publish(message(1)).await.unwrap();
    assert_eq!(soon(outside.next_signal()).await, message(1));
}
