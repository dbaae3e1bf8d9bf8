//! Tests the pipeline on real stores, in a directory that is removed at the end, with an outbox that fails on demand.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use ta_bot_core::{Candle, Signal, SignalId, Symbol, Timeframe, Timestamp};

use tokio::task::JoinHandle;

use super::*;
use crate::{
    pipeline::job_queue::{contract::job, local::LocalQueue},
    signals::{
        cursor::Cursor,
        outbox::{Backlog, Committed, DeadFilter, DeadJob, RetriedJob, SignalFilter, StoredSignal},
    },
    support::abilities::Ability,
    testing::{Engine, settings},
};

const TIMEFRAME: Timeframe = Timeframe::M15;
type Closes = [(Symbol, Timestamp)];
type Stored<T> = Result<T, StoreError>;

/// An outbox that fails on demand.
struct Troubled {
    inner: Arc<dyn Outbox>,
    /// The errors of the next commits.
    failures: Mutex<Vec<StoreError>>,
    /// Whether every commit fails.
    is_away: AtomicBool,
    /// A job that every commit rejects.
    poison: Mutex<Option<Job>>,
    /// A job that can't be written.
    unwritable: Mutex<Option<Job>>,
    /// A job that the next commit leaves out, as if an older log had decided it.
    outdated: Mutex<Option<Job>>,
}

#[async_trait]
impl Outbox for Troubled {
    async fn commit(&self, finished: &[FinishedJob], at: Timestamp) -> Stored<Committed> {
        if let Some(failure) = self.failures.lock().unwrap().pop() {
            return Err(failure);
        }
        if self.is_away.load(Ordering::Relaxed) {
            return Err(away());
        }
        let poison = self.poison.lock().unwrap().clone();
        if finished.iter().any(|finished| Some(&finished.job) == poison.as_ref()) {
            return Err(StoreError::Corrupt { store: "test", reason: "it is poison".to_owned() });
        }
        let unwritable = self.unwritable.lock().unwrap().clone();
        if finished.iter().any(|finished| Some(&finished.job) == unwritable.as_ref()) {
            return Err(StoreError::CannotWrite { store: "test", reason: "it is too long".to_owned() });
        }
        let outdated = self.outdated.lock().unwrap().take_if(|job| finished.iter().any(|done| done.job == *job));
        let rest: Vec<_> = finished.iter().filter(|done| Some(&done.job) != outdated.as_ref()).cloned().collect();
        let committed = self.inner.commit(&rest, at).await?;
        Ok(Committed { outdated: outdated.into_iter().collect(), ..committed })
    }

    async fn add(&self, signals: &[Signal], at: Timestamp) -> Stored<Vec<SignalId>> {
        self.inner.add(signals, at).await
    }

    async fn unpublished(&self, limit: u32) -> Stored<Vec<StoredSignal>> {
        self.inner.unpublished(limit).await
    }

    async fn mark_published(&self, ids: &[String], at: Timestamp) -> Stored<()> {
        self.inner.mark_published(ids, at).await
    }

    async fn mark_expired(&self, ids: &[String], at: Timestamp) -> Stored<()> {
        self.inner.mark_expired(ids, at).await
    }

    async fn mark_withheld(&self, ids: &[String], at: Timestamp) -> Stored<()> {
        self.inner.mark_withheld(ids, at).await
    }

    async fn backlog(&self) -> Stored<Backlog> {
        self.inner.backlog().await
    }

    async fn signal(&self, id: &SignalId) -> Stored<Option<StoredSignal>> {
        self.inner.signal(id).await
    }

    async fn signals(&self, filter: &SignalFilter) -> Stored<Vec<StoredSignal>> {
        self.inner.signals(filter).await
    }

    async fn unseen(&self, cursor: &Cursor, limit: u32) -> Stored<Vec<StoredSignal>> {
        self.inner.unseen(cursor, limit).await
    }

    async fn reader(&self, name: &str) -> Stored<Option<Cursor>> {
        self.inner.reader(name).await
    }

    async fn keep_reader(&self, name: &str, cursor: &Cursor, at: Timestamp) -> Stored<()> {
        self.inner.keep_reader(name, cursor, at).await
    }

    async fn begin(&self, series: &[(Symbol, Timeframe, Timestamp)]) -> Stored<()> {
        self.inner.begin(series).await
    }

    async fn begun(&self, timeframe: Timeframe) -> Stored<Vec<(Symbol, Timestamp)>> {
        self.inner.begun(timeframe).await
    }

    async fn finished(&self, timeframe: Timeframe, jobs: &Closes) -> Stored<Vec<(Symbol, Timestamp)>> {
        self.inner.finished(timeframe, jobs).await
    }

    async fn bury(&self, dead: &DeadJob) -> Stored<()> {
        self.inner.bury(dead).await
    }

    async fn retry(&self, which: &DeadFilter, at: Timestamp) -> Stored<u64> {
        self.inner.retry(which, at).await
    }

    async fn retried(&self, limit: u32) -> Stored<Vec<RetriedJob>> {
        self.inner.retried(limit).await
    }

    async fn dead(&self, limit: u32) -> Stored<Vec<DeadJob>> {
        self.inner.dead(limit).await
    }

    async fn ping(&self) -> Stored<()> {
        self.inner.ping().await
    }

    async fn probe(&self) -> Stored<()> {
        self.inner.probe().await
    }
}

/// A service without strategies. Its pipeline is not started.
struct Service {
    engine: Engine,
    outbox: Arc<Troubled>,
    queue: Arc<dyn JobQueue>,
}

impl Service {
    /// Creates a service with the candles of the first ten jobs.
    async fn new() -> Self {
        Self::with_candles(10).await
    }

    /// Creates a service with the candles of the first `count` jobs.
    async fn with_candles(count: i64) -> Self {
        let engine = Engine::new(settings()).await;
        let candle = |index| {
            let open_time = TIMEFRAME.open_of(job(index).candle_close.plus_millis(-1));
            Candle { open_time, open: 100.0, high: 101.0, low: 99.0, close: 100.5, volume: 1.0 }
        };
        engine.candles.insert(&job(0).symbol, TIMEFRAME, &(0..count).map(candle).collect::<Vec<_>>()).await.unwrap();
        Self::of(engine)
    }

    fn of(engine: Engine) -> Self {
        let outbox = Troubled {
            inner: Arc::clone(&engine.outbox),
            failures: Mutex::default(),
            is_away: AtomicBool::new(false),
            poison: Mutex::default(),
            unwritable: Mutex::default(),
            outdated: Mutex::default(),
        };
        let queue = Arc::new(LocalQueue::new(Arc::clone(&engine.analyst.metrics)));
        Self { engine, outbox: Arc::new(outbox), queue }
    }

    async fn push(&self, index: i64) {
        assert!(self.queue.push(job(index).into()).await.unwrap());
    }

    /// Starts the pipeline with up to `parallel` jobs at once.
    fn start(&self, parallel: usize) -> (JoinHandle<()>, CancellationToken) {
        let analyst = Arc::clone(&self.engine.analyst);
        let outbox = Arc::clone(&self.outbox) as _;
        let pipeline = Pipeline::new(analyst, outbox, Arc::clone(&self.queue), Arc::default(), parallel, None, None);
        let stop = CancellationToken::new();
        (tokio::spawn(pipeline.run(stop.clone())), stop)
    }

    /// Runs the pipeline until the queue is empty.
    async fn work(&self) {
        let running = self.start(2);
        self.end(running).await;
    }

    /// Waits until the queue is empty and ends the pipeline.
    async fn end(&self, (running, stop): (JoinHandle<()>, CancellationToken)) {
        let empty = async {
            while self.queue.depth().await.unwrap() > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), empty).await.unwrap();
        stop.cancel();
        running.await.unwrap();
    }

    /// Waits until this many decisions are kept.
    async fn keeps(&self, count: i64) {
        let kept = async {
            while self.engine.analyst.metrics.delivery.decisions_kept.get() != count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), kept).await.unwrap();
    }

    /// The sum of a metric's series.
    fn metric(&self, name: &str) -> f64 {
        let rendered: String = self.engine.analyst.metrics.render().unwrap().collect();
        let series =
            rendered.lines().filter(|line| line.starts_with(name) && line[name.len()..].starts_with(['{', ' ']));
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// How often a candle was analysed.
    fn analyses(&self) -> f64 {
        self.metric("ta_bot_signal_processing_duration_count")
    }

    fn can_commit(&self) -> bool {
        self.engine
            .analyst
            .abilities
            .all()
            .iter()
            .any(|state| state.ability == Ability::Commit && state.able == Some(true) && state.trouble.is_none())
    }

    /// How many of the first jobs are finished or dead.
    async fn over(&self, count: i64) -> usize {
        let jobs: Vec<_> = (0..count).map(|index| (job(index).symbol, job(index).candle_close)).collect();
        self.engine.outbox.finished(TIMEFRAME, &jobs).await.unwrap().len()
    }

    fn outcomes(&self) -> HashMap<&'static str, u64> {
        let count = |outcome| (outcome, self.engine.analyst.metrics.jobs.with_label_values(&[outcome]).get());
        ["finished", "known", "dead", "given_back", "decided_anew", "refused", "unfinished"]
            .map(count)
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

fn away() -> StoreError {
    StoreError::Unavailable { store: "test", reason: "it is away".to_owned() }
}

/// The decision is kept: only its commit is tried again.
#[tokio::test]
async fn a_job_stays_in_the_queue_until_a_store_that_was_away_has_it() {
    let service = Service::new().await;
    *service.outbox.failures.lock().unwrap() =
        vec![away(), StoreError::CannotWrite { store: "test", reason: "disk full".to_owned() }, away()];
    service.push(0).await;
    service.work().await;
    assert_eq!(service.outcomes(), HashMap::from([("finished", 1)]));
    assert_eq!((service.over(1).await, service.analyses()), (1, 1.0));
    assert!(service.can_commit() && service.outbox.failures.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_signal_that_waits_for_its_commit_is_made_once_and_counted_once() {
    let engine = Engine::with_strategies(settings(), &["rsi"]).await;
    let job = engine.fall("BTCUSDT", TIMEFRAME, 300).await;
    let service = Service::of(engine);
    service.outbox.is_away.store(true, Ordering::Relaxed);
    service.queue.push(job.into()).await.unwrap();
    let running = service.start(2);
    service.keeps(1).await;
    assert!(!service.can_commit());
    let counted =
        || (service.metric("ta_bot_signals_generated_total"), service.metric("ta_bot_signals_committed_total"));
    assert_eq!(counted(), (1.0, 0.0), "nothing is committed yet");
    service.outbox.is_away.store(false, Ordering::Relaxed);
    service.end(running).await;
    assert_eq!((counted(), service.analyses()), ((1.0, 1.0), 1.0));
    assert_eq!(service.outcomes(), HashMap::from([("finished", 1)]));
}

/// From the moment at which the job was queued, however long its commit takes.
#[tokio::test]
async fn a_signal_is_measured_from_its_job_and_what_was_stored_before_is_not() {
    let engine = Engine::with_strategies(settings(), &["rsi"]).await;
    let job = engine.fall("BTCUSDT", TIMEFRAME, 300).await;
    let service = Service::of(engine);
    let latency = &service.engine.analyst.metrics.latency;
    let begun = Timestamp::now();
    service.outbox.is_away.store(true, Ordering::Relaxed);
    service.queue.push(job.clone().into()).await.unwrap();
    let running = service.start(2);
    service.keeps(1).await;
    assert_eq!(latency.overdue(begun.plus_millis(60_000)), [""; 0], "nothing is committed yet");
    service.outbox.is_away.store(false, Ordering::Relaxed);
    service.end(running).await;
    let waiting = service.engine.outbox.unpublished(10).await.unwrap();
    assert_eq!(latency.overdue(begun.plus_millis(60_000)), [waiting[0].id.as_str()]);
    latency.acknowledged(&waiting[0].id, waiting[0].created_at, begun.plus_millis(30_000));
    let (count, sum) = latency.measured();
    let longest = (begun.millis() + 30_000 - waiting[0].created_at.millis()) as f64 / 1000.0;
    assert!(
        count == 1 && sum > longest && sum <= 30.0,
        "from the job on, and not from its commit: {sum} s, {longest} s"
    );

    // The job comes once more, and changes nothing.
    service.queue.push(job.into()).await.unwrap();
    service.work().await;
    assert_eq!(latency.overdue(begun.plus_millis(60_000)), [""; 0]);
}

#[tokio::test]
async fn a_process_that_stops_gives_what_it_can_not_commit_back() {
    let service = Service::new().await;
    service.outbox.is_away.store(true, Ordering::Relaxed);
    service.push(0).await;
    let (running, stop) = service.start(2);
    service.keeps(1).await;
    stop.cancel();
    running.await.unwrap();
    assert_eq!(service.outcomes(), HashMap::from([("given_back", 1)]));
    assert_eq!(service.queue.depth().await.unwrap(), 1, "it is still there for the next one");
    service.outbox.is_away.store(false, Ordering::Relaxed);
    service.work().await;
    assert_eq!(service.over(1).await, 1);
}

/// No job is taken beyond what may be kept.
#[tokio::test]
async fn only_so_many_decisions_are_kept() {
    let jobs = DECISIONS_KEPT as i64 + 50;
    let service = Service::with_candles(jobs).await;
    service.outbox.is_away.store(true, Ordering::Relaxed);
    for index in 0..jobs {
        service.push(index).await;
    }
    let running = service.start(16);
    service.keeps(DECISIONS_KEPT as i64).await;
    assert_eq!(service.analyses(), DECISIONS_KEPT as f64);
    service.outbox.is_away.store(false, Ordering::Relaxed);
    service.end(running).await;
    assert_eq!((service.over(jobs).await, service.analyses()), (jobs as usize, jobs as f64));
    assert_eq!(service.outcomes(), HashMap::from([("finished", jobs as u64)]));
}

/// A full disk still has room for some jobs, and a value that no row can hold is no reason for others to wait.
#[tokio::test]
async fn a_job_that_can_not_be_written_is_kept_and_keeps_no_other_waiting() {
    let service = Service::new().await;
    *service.outbox.unwritable.lock().unwrap() = Some(job(3));
    for index in 0..10 {
        service.push(index).await;
    }
    let running = service.start(16);
    let others = async {
        while service.over(10).await < 9 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), others).await.unwrap();
    service.keeps(1).await;
    *service.outbox.unwritable.lock().unwrap() = None;
    service.end(running).await;
    assert_eq!((service.over(10).await, service.analyses()), (10, 10.0));
    assert_eq!(service.outcomes(), HashMap::from([("finished", 10)]));
}

#[tokio::test]
async fn a_job_that_no_commit_takes_is_given_up_and_holds_no_other_up() {
    let service = Service::new().await;
    *service.outbox.poison.lock().unwrap() = Some(job(3));
    for index in 0..10 {
        service.push(index).await;
    }
    service.work().await;
    assert_eq!(service.outcomes(), HashMap::from([("finished", 9), ("given_back", 4), ("dead", 1)]));
    let dead = service.engine.outbox.dead(10).await.unwrap();
    assert_eq!((&dead[0].job, dead[0].attempts, dead[0].reason.as_str()), (&job(3), ATTEMPTS, "it is poison"));
}

/// The job is evaluated again and then committed. The other jobs are not held up.
#[tokio::test]
async fn a_job_that_an_older_log_decided_is_decided_again() {
    let service = Service::new().await;
    *service.outbox.outdated.lock().unwrap() = Some(job(3));
    for index in 0..10 {
        service.push(index).await;
    }
    service.work().await;
    assert_eq!(service.outcomes(), HashMap::from([("finished", 10), ("decided_anew", 1)]));
    assert_eq!(service.over(10).await, 10);
}

#[tokio::test]
async fn a_job_without_its_candle_is_given_up_with_its_reason() {
    let service = Service::new().await;
    service.push(10).await;
    service.work().await;
    assert_eq!(service.outcomes(), HashMap::from([("dead", 1)]));
    let dead = service.engine.outbox.dead(10).await.unwrap();
    assert!(dead.len() == 1 && dead[0].reason.starts_with("missing: there is no candle"), "{dead:?}");
}

#[tokio::test]
async fn a_job_whose_candle_has_a_bad_row_is_given_up_at_once_and_named() {
    let service = Service::new().await;
    let open_time = TIMEFRAME.open_of(job(10).candle_close.plus_millis(-1));
    let zero = Candle { open_time, open: 100.0, high: 101.0, low: 0.0, close: 0.0, volume: 1.0 };
    service.engine.candles.insert(&job(10).symbol, TIMEFRAME, &[zero]).await.unwrap();
    for index in 8..=10 {
        service.push(index).await;
    }
    service.work().await;
    assert_eq!(service.outcomes(), HashMap::from([("finished", 2), ("refused", 1)]));
    let dead = service.engine.outbox.dead(10).await.unwrap();
    assert_eq!((dead.len(), &dead[0].job), (1, &job(10)));
    assert!(dead[0].reason.starts_with("unsound: low is 0"), "{dead:?}");
}

#[tokio::test]
async fn a_job_that_comes_again_is_not_worked_on_where_another_replica_finished_it() {
    let service = Service::new().await;
    service.push(0).await;
    service.push(1).await;
    let finished = FinishedJob { job: job(0), signals: Vec::new(), revision: 0 };
    service.engine.outbox.commit(&[finished], Timestamp::now()).await.unwrap();
    for delivery in service.queue.next(2).await {
        delivery.give_back(Duration::ZERO).await;
    }
    service.work().await;
    assert_eq!(service.outcomes(), HashMap::from([("known", 1), ("finished", 1)]));
}

#[tokio::test]
async fn an_operator_has_a_dead_job_looked_at_again() {
    let service = Service::new().await;
    let dead =
        DeadJob { job: job(0), attempts: 5, reason: "once".to_owned(), died_at: Timestamp::now(), retried_at: None };
    service.engine.outbox.bury(&dead).await.unwrap();
    let asked = crate::pipeline::job_queue::QueuedJob { retry: true, ..job(0).into() };
    service.queue.push(asked).await.unwrap();
    // The job is evaluated even if it comes a second time.
    for delivery in service.queue.next(1).await {
        delivery.give_back(Duration::ZERO).await;
    }
    service.work().await;
    assert_eq!(service.outcomes(), HashMap::from([("finished", 1)]));
    assert_eq!(service.engine.outbox.dead(10).await.unwrap(), []);
}
