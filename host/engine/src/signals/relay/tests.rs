//! Tests the relay between a real outbox and a bus that is slow or fails.

use std::{
    collections::BTreeSet,
    sync::{Mutex, atomic::AtomicUsize},
};

use crate::sqlite::{Database, outbox::SqliteOutbox};
use async_trait::async_trait;
use tokio::sync::broadcast;

use super::*;
use crate::market::clock::MarketClock;
use crate::signals::{
    bus::Notice,
    expiry::MaxAge,
    outbox::{
        FinishedJob, SignalFilter, SignalState,
        contract::{job, signal},
    },
};

/// How long a round trip to the bus takes.
const WAY: Duration = Duration::from_millis(20);

#[derive(Default)]
struct SlowBus {
    sent: Mutex<Vec<String>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    /// The messages that fail, by their index in the order of sending.
    failing: BTreeSet<usize>,
}

#[async_trait]
impl Bus for SlowBus {
    async fn publish(&self, message: Outgoing) -> Result<(), BusError> {
        let place = {
            let mut sent = self.sent.lock().unwrap();
            sent.push(message.id);
            sent.len() - 1
        };
        let under_way = 1 + self.under_way.fetch_add(1, Ordering::SeqCst);
        self.most_under_way.fetch_max(under_way, Ordering::SeqCst);
        tokio::time::sleep(WAY).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        if self.failing.contains(&place) { Err(BusError::Refused("it is full".to_owned())) } else { Ok(()) }
    }

    fn candle_events(&self) -> broadcast::Receiver<Vec<u8>> {
        broadcast::channel(1).1
    }

    async fn notify(&self, _: Notice) -> Result<(), BusError> {
        Ok(())
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        broadcast::channel(1).1
    }

    async fn ping(&self) -> Result<(), BusError> {
        Ok(())
    }

    async fn probe(&self) -> Result<(), BusError> {
        Ok(())
    }

    async fn tell(&self, _: &str, _: String) -> Result<(), BusError> {
        Ok(())
    }
}

/// Creates a relay with `count` waiting signals, and their ids in the order of their commits.
async fn relay(bus: &Arc<SlowBus>, count: i64) -> (Relay, Vec<String>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Arc::new(SqliteOutbox::new(Database::open(folder.path()).await.unwrap()));
    let finished = |index| {
        let job = job("BTCUSDT", index);
        FinishedJob { signals: vec![signal(&job, "rsi", 0)], job, revision: 0 }
    };
    outbox.commit(&(0..count).map(finished).collect::<Vec<_>>(), Timestamp::now()).await.unwrap();
    let ids = outbox.unpublished(10_000).await.unwrap().into_iter().map(|signal| signal.id).collect();
    let metrics = Arc::new(Metrics::new().unwrap());
    let relay = Relay {
        outbox,
        bus: Arc::clone(bus) as _,
        subject: "signals.{strategy}".parse().unwrap(),
        actions: PublishedActions::default(),
        expiry: Expiry::new(MaxAge::Unlimited, MarketClock::default()),
        wakeup: Arc::default(),
        abilities: Arc::new(Abilities::new(Arc::clone(&metrics))),
        metrics,
    };
    (relay, ids, folder)
}

#[tokio::test]
async fn many_signals_share_the_way_to_the_bus_in_their_order() {
    let bus = Arc::new(SlowBus::default());
    let (relay, ids, _folder) = relay(&bus, 600).await;
    relay.drain(&mut Progress::default()).await.unwrap();
    assert_eq!(*bus.sent.lock().unwrap(), ids);
    assert_eq!(bus.most_under_way.load(Ordering::SeqCst), IN_FLIGHT);
    assert_eq!(relay.outbox.backlog().await.unwrap().signals, 0);
    assert_eq!(relay.metrics.signals_published.get(), 600);
}

#[tokio::test]
async fn after_a_failure_what_was_acknowledged_is_not_sent_again() {
    let bus = Arc::new(SlowBus { failing: BTreeSet::from([3, 70]), ..SlowBus::default() });
    let (relay, ids, _folder) = relay(&bus, 200).await;
    assert!(relay.drain(&mut Progress::default()).await.is_err());
    let begun = bus.sent.lock().unwrap().len();
    assert!(begun < 2 * IN_FLIGHT, "nothing is begun after the failure, and {begun} were");
    let waiting = relay.outbox.unpublished(1000).await.unwrap();
    assert_eq!(waiting[0].id, ids[3]);
    while relay.drain(&mut Progress::default()).await.is_err() {}
    let sent = bus.sent.lock().unwrap().clone();
    assert_eq!(sent.iter().collect::<BTreeSet<_>>().len(), 200);
    assert_eq!(sent.len(), 202, "each once, and each that failed once more");
}

/// A bus that is full for a while must not be asked for everything that waits, again and again.
#[tokio::test]
async fn after_a_failure_a_single_signal_is_tried_until_it_is_taken() {
    let bus = Arc::new(SlowBus { failing: (0..5).collect(), ..SlowBus::default() });
    let (relay, ids, _folder) = relay(&bus, 300).await;
    let mut progress = Progress { has_failed: true, ..Progress::default() };
    for tries in 1..=5 {
        assert!(relay.drain(&mut progress).await.is_err());
        assert_eq!(*bus.sent.lock().unwrap(), vec![ids[0].clone(); tries], "only the first one, once each time");
    }
    relay.drain(&mut progress).await.unwrap();
    assert_eq!(bus.sent.lock().unwrap()[5..], ids, "then all of them");
    assert_eq!(relay.outbox.backlog().await.unwrap().signals, 0);
}

#[tokio::test]
async fn commits_do_not_shorten_the_pause_after_a_refusal() {
    let bus = Arc::new(SlowBus { failing: (0..1_000_000).collect(), ..SlowBus::default() });
    let (relay, _, _folder) = relay(&bus, 1).await;
    let (wakeup, stop) = (Arc::clone(&relay.wakeup), CancellationToken::new());
    let running = tokio::spawn(relay.run(stop.clone()));
    for _ in 0..100 {
        wakeup.notify_one();
        tokio::time::sleep(WAY).await;
    }
    // The pauses are half a second at least, then a second.
    let tries = bus.sent.lock().unwrap().len();
    assert!((1..=4).contains(&tries), "{tries} tries, and 100 commits");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn what_is_not_published_is_withheld_and_counted() {
    let bus = Arc::new(SlowBus::default());
    let (mut relay, ids, _folder) = relay(&bus, 10).await;
    relay.actions = "hold,close".parse().unwrap();
    relay.drain(&mut Progress::default()).await.unwrap();
    assert!(bus.sent.lock().unwrap().is_empty());
    assert_eq!(relay.outbox.backlog().await.unwrap().signals, 0);
    let all = relay.outbox.signals(&SignalFilter { limit: 100, ..SignalFilter::default() }).await.unwrap();
    assert_eq!(all.iter().filter(|signal| signal.state() == SignalState::Withheld).count(), ids.len());
    assert_eq!(relay.metrics.delivery.signals_withheld.with_label_values(&["buy"]).get(), 10);
    assert_eq!(relay.metrics.signals_published.get(), 0);
}

#[tokio::test]
async fn what_is_too_old_is_marked_and_never_sent() {
    let bus = Arc::new(SlowBus { failing: BTreeSet::from([0]), ..SlowBus::default() });
    let (mut relay, ids, _folder) = relay(&bus, 10).await;
    let clock = MarketClock::simulated();
    relay.expiry = Expiry::new(MaxAge::NextClose, clock.clone());
    // Signal `index` expires when the next candle closes.
    clock.closed(job("BTCUSDT", 4).candle_close);
    assert!(relay.drain(&mut Progress::default()).await.is_err(), "the first that is sent fails");
    let waiting = relay.outbox.unpublished(100).await.unwrap();
    assert_eq!(waiting[0].id, ids[4]);
    clock.closed(job("BTCUSDT", 6).candle_close);
    relay.drain(&mut Progress::default()).await.unwrap();
    relay.drain(&mut Progress::default()).await.unwrap();
    let sent: BTreeSet<String> = bus.sent.lock().unwrap().iter().cloned().collect();
    assert!(ids[..4].iter().all(|id| !sent.contains(id)), "what was too old before the first try was never sent");
    assert!(ids[6..].iter().all(|id| sent.contains(id)));
    let all = relay.outbox.signals(&SignalFilter { limit: 100, ..SignalFilter::default() }).await.unwrap();
    for signal in &all {
        assert_ne!(signal.published_at.is_some(), signal.expired_at.is_some(), "{signal:?}");
        // Moments of the service are its own, whatever the market's clock says.
        assert!(signal.expired_at.is_none_or(|at| at >= signal.created_at), "{signal:?}");
    }
    let expired = all.iter().filter(|signal| signal.expired_at.is_some()).count() as u64;
    assert!((4..=6).contains(&expired), "{expired}");
    let counted = |reason| relay.metrics.inputs.signals_expired.with_label_values(&[reason]).get();
    assert_eq!(counted("decided_late") + counted("waited_for_bus"), expired);
    assert_eq!(relay.metrics.signals_published.get(), 10 - expired);
}

/// A replica measures what it has committed, whoever publishes it.
#[tokio::test]
async fn what_was_committed_here_is_measured_once_also_if_another_replica_publishes_it() {
    let bus = Arc::new(SlowBus::default());
    let (relay, ids, _folder) = relay(&bus, 3).await;
    let signals: Vec<_> = (0..3).map(|index| signal(&job("BTCUSDT", index), "rsi", 0)).collect();
    let now = Timestamp::now();
    // Two were committed here, half a minute after their candles could be decided. The second is published elsewhere.
    relay.metrics.latency.begin(&signals[..2], now.plus_millis(-30_000));
    relay.metrics.latency.committed([&signals[0].id, &signals[1].id], now.plus_millis(-5_000));
    relay.outbox.mark_published(&ids[1..2], now.plus_millis(-4_000)).await.unwrap();
    for _ in 0..2 {
        relay.drain(&mut Progress::default()).await.unwrap();
        let (count, sum) = relay.metrics.latency.measured();
        assert_eq!(count, 2, "the third was committed by another replica just now");
        assert!((56.0..60.0).contains(&sum), "30 s and what the bus takes, and 26 s: {sum}");
    }
}
