//! Who delivers: the leader, and the next one goes on where the one before it came to.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use ta_bot_core::Timestamp;
use ta_bot_drivers::webhooks::{Sources, Webhooks};
use ta_bot_engine::{
    pipeline::leadership::{Held, Leadership, Standing, Term},
    signals::{
        actions::PublishedActions,
        expiry::{Expiry, MaxAge},
        feed::Feed,
        receivers::{Delivery, Receivers},
    },
};
use ta_bot_tests::until;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    file::wait_for,
    receiver::{Receiver, Reply},
    service::{Service, entry},
};

const PATIENCE: Duration = Duration::from_mins(1);

/// The webhooks of a replica that leads when it is told to.
struct Replica {
    standing: watch::Sender<Standing>,
    receivers: Arc<Receivers>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Replica {
    fn start(service: &Service) -> Self {
        let webhooks = Webhooks::open(&service.path, &PublishedActions::default()).unwrap();
        let (standing, watched) = watch::channel(Standing::default());
        let (stop, feed) = (CancellationToken::new(), Arc::new(Feed::new(Arc::clone(&service.outbox))));
        tokio::spawn(Arc::clone(&feed).run(stop.clone()));
        let sources = Sources {
            outbox: Arc::clone(&service.outbox),
            feed,
            leadership: Leadership::elected("test", "a replica".to_owned(), watched),
            // The candles are old ones.
            expiry: Expiry::new(MaxAge::Unlimited, ta_bot_engine::market::clock::MarketClock::default()),
        };
        let receivers = webhooks.receivers();
        let running = tokio::spawn(webhooks.run(sources, stop.clone()));
        Self { standing, receivers, stop, running }
    }

    fn leads(&self, leads: bool) {
        let term = Term { since: Timestamp::now() };
        self.standing.send_modify(|standing| standing.held = leads.then_some(Held { term, until: None }));
    }

    fn delivered(&self) -> u64 {
        self.receivers.all().iter().map(|receiver| receiver.counted(Delivery::Delivered)).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_leader_delivers_and_the_next_one_goes_on() {
    let receiver = Receiver::start(|_, _| Reply::Status(200, "")).await;
    let service = Service::new(&json!([entry("desk", &receiver, &json!({}))]), &[]).await;
    let (one, other) = (Replica::start(&service), Replica::start(&service));
    let kept = async || service.outbox.reader("webhook:desk").await.unwrap().map(|cursor| cursor.position());
    one.leads(true);
    until(PATIENCE, async || "not begun".to_owned(), async || kept().await == Some(0)).await;
    service.commit((0..50).map(|index| ("BTCUSDT", index))).await;
    wait_for(&receiver, 50).await;
    until(PATIENCE, async || format!("{:?}", kept().await), async || kept().await == Some(50)).await;
    one.leads(false);
    // Nobody leads: what is stored now waits.
    service.commit((50..80).map(|index| ("BTCUSDT", index))).await;
    other.leads(true);
    wait_for(&receiver, 80).await;
    service.commit((80..100).map(|index| ("BTCUSDT", index))).await;
    wait_for(&receiver, 100).await;
    assert_eq!((one.delivered(), other.delivered()), (50, 50));
    for replica in [one, other] {
        replica.stop.cancel();
        replica.running.await.unwrap();
    }
    assert_eq!(kept().await, Some(100), "it is stored at the end");
}
