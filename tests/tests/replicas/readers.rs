//! What the readers of signals see of a service whose NATS is full, dies, or has no `JetStream`. They are plain
//! subscribers, as our neighbours are. The storm has them, too, with three replicas.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream;
use ta_bot_core::Timestamp;
use ta_bot_engine::{
    signals::outbox::{FinishedJob, Outbox, contract::finished},
    support::metrics::Metrics,
};
use ta_bot_test_servers::Nats;
use ta_bot_tests::{
    app::open_with,
    replicas::{
        Neighbour,
        stream::{self, STREAM},
    },
    until,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_mins(2);

/// A service that has nothing to do but to publish what a test puts into its outbox.
struct Service {
    outbox: Arc<dyn Outbox>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
    _data: TempDir,
}

impl Service {
    async fn start(nats: &Nats, more: &[(&'static str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let strategies = data.path().join("none");
        std::fs::create_dir(&strategies).unwrap();
        let mut variables = vec![
            ("NATS_URL", nats.url()),
            ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
            ("STRATEGIES_DIR", strategies.display().to_string()),
            // The candles are old ones.
            ("SIGNAL_MAX_AGE_SECONDS", "0".to_owned()),
        ];
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let app = open_with(data.path(), &variables).await.unwrap();
        let (outbox, metrics) = (Arc::clone(&app.outbox), Arc::clone(&app.analyst.metrics));
        let stop = CancellationToken::new();
        let running = tokio::spawn(Box::pin(app.serve(None, stop.clone(), |_| {})));
        Self { outbox, metrics, stop, running, _data: data }
    }

    /// Commits a signal for each candle of a range.
    async fn commit(&self, candles: std::ops::Range<i64>) -> Vec<String> {
        let jobs: Vec<FinishedJob> = candles.map(|index| finished("BTCUSDT", index, &["rsi"])).collect();
        let committed = self.outbox.commit(&jobs, Timestamp::now()).await.unwrap();
        committed.new.iter().map(ToString::to_string).collect()
    }

    async fn waiting(&self) -> u64 {
        self.outbox.backlog().await.unwrap().signals
    }

    /// Waits until no signal waits.
    async fn until_published(&self) {
        let otherwise = async || format!("{} signals wait", self.waiting().await);
        until(PATIENCE, otherwise, async || self.waiting().await == 0).await;
    }

    /// Waits until so many tries to publish have failed.
    async fn until_failed(&self, times: u64) {
        let failures = || self.metrics.publish_failures.get();
        until(PATIENCE, async || format!("{} failures", failures()), async || failures() >= times).await;
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }
}

/// Checks that the stream holds these signals, each once, and that the readers saw what they can see.
async fn check(run: &str, nats: &Nats, neighbours: &[Neighbour], mut expected: Vec<String>) {
    let stored = stream::stored(&nats.url()).await;
    let mut ids: Vec<String> = stored.iter().map(|stored| stored.id.clone()).collect();
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected, "{run}: none is lost from the stream, none is there twice");
    for neighbour in neighbours {
        neighbour.account(&stored).await.check(run);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_costs_time_and_nothing_else() {
    let nats = Nats::start().await.unwrap();
    let neighbours = Neighbour::all(&nats.url()).await;
    let service = Service::start(&nats, &[("NATS_SIGNALS_MAX_BYTES", "131072")]).await;
    let mut sent = service.commit(0..300).await;
    service.until_failed(2).await;
    let (seen, failed) = (neighbours[0].received(), service.metrics.publish_failures.get());
    // Commits go on, and do not make the relay try more often.
    for index in 300..340 {
        sent.extend(service.commit(index..index + 1).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let tries = service.metrics.publish_failures.get() - failed;
    assert!(tries <= 3, "{tries} tries in two seconds");
    assert_eq!(neighbours[0].received(), seen, "what is refused is not passed on");
    assert!(service.waiting().await > 0 && seen > 0);
    // An operator gives it room.
    let stream = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let mut config = stream.get_stream(STREAM).await.unwrap().cached_info().config.clone();
    config.max_bytes = -1;
    stream.update_stream(&config).await.unwrap();
    service.until_published().await;
    check("a full stream", &nats, &neighbours, sent).await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_of_nats_repeat_nothing() {
    let mut nats = Nats::start().await.unwrap();
    let neighbours = Neighbour::all(&nats.url()).await;
    let service = Service::start(&nats, &[]).await;
    let mut sent = Vec::new();
    for round in 0..5 {
        for part in 0..10 {
            let first = round * 100 + part * 10;
            sent.extend(service.commit(first..first + 10).await);
            if part == 4 {
                nats.kill().unwrap();
            }
            if part == 7 {
                nats.restart().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        service.until_published().await;
    }
    check("restarts", &nats, &neighbours, sent).await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_jetstream_signals_wait_and_readers_see_nothing() {
    let nats = Nats::start_without_jetstream().await.unwrap();
    let neighbours = Neighbour::all(&nats.url()).await;
    let service = Service::start(&nats, &[]).await;
    service.commit(0..50).await;
    service.until_failed(3).await;
    assert_eq!(service.waiting().await, 50);
    for neighbour in &neighbours {
        assert_eq!(neighbour.received(), 0);
    }
    service.end().await;
}
