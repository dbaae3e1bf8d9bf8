//! Tests with a full queue and with an unavailable one.

use super::*;

/// Waits until the queue holds at least `depth` jobs.
async fn filled(queue: &dyn JobQueue, depth: usize) {
    let filled = async {
        while queue.depth().await.unwrap() < depth {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), filled).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_candle_passes_a_long_catch_up_which_can_be_stopped() {
    let service = Service::new("AAAUSDT,BBBUSDT,CCCUSDT", "5m").await;
    for symbol in ["AAAUSDT", "BBBUSDT"] {
        let jobs = service.candles(symbol, M5, 1000, 0).await;
        service.begin_before(&jobs[0]).await;
    }
    let Service { schedule: first, engine } = service;
    let stop = CancellationToken::new();
    let queue = Arc::clone(&first.queue);
    let running = tokio::spawn(first.run(stop.clone()));
    filled(&*queue, CATCH_UP_DEPTH).await;
    tokio::time::sleep(5 * UNTIL_ROOM).await;
    assert_eq!(queue.depth().await.unwrap(), CATCH_UP_DEPTH, "a catch-up takes no more of the queue");
    let mut oldest = queue.next(CATCH_UP_DEPTH).await;
    let service = Service { schedule: schedule(&engine), engine };
    let fresh = service.candles("CCCUSDT", M5, 1, 0).await;
    service.begin_before(&fresh[0]).await;
    service.engine.local_bus.announce(br#"{"symbol": "CCCUSDT", "period": "5m"}"#.to_vec());
    filled(&*queue, CATCH_UP_DEPTH + 1).await;
    assert_eq!(queue.next(1).await[0].job(), &fresh[0]);
    oldest.truncate(100);
    for delivery in oldest {
        delivery.done().await;
    }
    filled(&*queue, CATCH_UP_DEPTH).await;
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(2), running).await.expect("it stops at once").unwrap();
    assert_eq!(service.sweep(&mut Progress::default()).await.len(), 2001, "the next start finds all of them");
}

/// A queue that is unavailable until `back` is set.
struct AwayQueue {
    inner: LocalQueue,
    back: std::sync::atomic::AtomicBool,
}

#[async_trait::async_trait]
impl JobQueue for AwayQueue {
    async fn push(&self, queued: QueuedJob) -> Result<bool, JobsError> {
        // Jobs of one symbol get through anyway.
        let passes = queued.job.symbol.as_str() == "BTCUSDT";
        if passes || self.back.load(std::sync::atomic::Ordering::Relaxed) {
            return self.inner.push(queued).await;
        }
        Err(JobsError("it is away".to_owned()))
    }

    async fn next(&self, most: usize) -> Vec<crate::pipeline::job_queue::Delivery> {
        self.inner.next(most).await
    }

    async fn close(&self) {}

    async fn depth(&self) -> Result<usize, JobsError> {
        self.inner.depth().await
    }

    async fn probe(&self) -> Result<(), JobsError> {
        self.inner.probe().await
    }
}

#[tokio::test]
async fn what_the_queue_does_not_take_waits_in_its_order() {
    let mut service = Service::new("BTCUSDT,ETHUSDT", "5m").await;
    let inner = LocalQueue::new(Arc::clone(&service.engine.analyst.metrics));
    let queue = Arc::new(AwayQueue { inner, back: false.into() });
    service.schedule.queue = Arc::clone(&queue) as _;
    let eth = service.candles("ETHUSDT", M5, 5, 0).await;
    let btc = service.candles("BTCUSDT", M5, 1, 1).await;
    for jobs in [&btc, &eth] {
        service.begin_before(&jobs[0]).await;
    }
    let mut progress = Progress::default();
    service.schedule.sweep(&mut progress).await;
    assert_eq!(service.schedule.push_some(&mut progress.waiting).await, UNTIL_BACK);
    assert_eq!((progress.waiting.len(), queue.depth().await.unwrap()), (5, 1));
    queue.back.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(service.schedule.push_some(&mut progress.waiting).await, Duration::ZERO);
    let taken: Vec<_> = queue.next(10).await.iter().map(|delivery| delivery.job().clone()).collect();
    assert_eq!(taken, [btc, reversed(&eth)].concat());
}
