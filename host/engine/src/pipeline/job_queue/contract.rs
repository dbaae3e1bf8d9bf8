//! The tests that every job queue must pass.
//!
//! A driver runs [`all`] in its tests. Each case gets an empty queue of its own, as two handles that stand for two
//! replicas of the service.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, reason = "tests may fail loudly")]

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use ta_bot_core::{Job, Timeframe, Timestamp};
use tokio::time::timeout;

use super::{Delivery, JobQueue, QueuedJob};

/// Two handles of one empty queue.
pub type Replicas = (Arc<dyn JobQueue>, Arc<dyn JobQueue>);

/// Long enough even on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// Long enough for an unexpected job to arrive.
const QUIET: Duration = Duration::from_millis(200);
/// 2026-01-01 00:00.
const START: i64 = 1_767_225_600_000;

/// Runs every case, each on a queue that `fresh` makes.
pub async fn all(fresh: impl AsyncFn() -> Replicas) {
    jobs_arrive_as_they_were_pushed(fresh().await).await;
    the_oldest_come_first(fresh().await).await;
    a_job_is_held_once(fresh().await).await;
    a_job_that_is_done_can_be_asked_for_again(fresh().await).await;
    a_job_that_is_given_back_comes_again(fresh().await).await;
    a_job_keeps_the_moment_at_which_it_was_queued(fresh().await).await;
    a_job_that_is_given_back_waits_its_time(fresh().await).await;
    a_job_whose_worker_vanished_comes_again(fresh().await).await;
    each_job_goes_to_one_replica(fresh().await).await;
    whoever_stops_waiting_loses_nothing(fresh().await).await;
    a_closed_replica_keeps_nothing(fresh().await).await;
}

/// The job of the candle that closed `index` quarters of an hour after the start.
pub fn job(index: i64) -> Job {
    let candle_close = Timestamp::from_millis(START + index * Timeframe::M15.millis());
    Job { symbol: "BTCUSDT".parse().unwrap(), timeframe: Timeframe::M15, candle_close }
}

async fn push(queue: &Arc<dyn JobQueue>, index: i64) -> bool {
    queue.push(job(index).into()).await.unwrap()
}

/// Takes one job, which arrives soon.
async fn take(queue: &Arc<dyn JobQueue>) -> Delivery {
    let mut taken = timeout(PATIENCE, queue.next(1)).await.expect("a job should have come by now");
    assert_eq!(taken.len(), 1);
    taken.pop().unwrap()
}

async fn nothing_comes(queue: &Arc<dyn JobQueue>) {
    let taken = timeout(QUIET, queue.next(1)).await;
    assert!(taken.is_err(), "nothing should be there");
}

/// Waits until the queue holds `expected` jobs. A queue may learn a moment later that a job is done.
async fn depth(queue: &Arc<dyn JobQueue>, expected: usize) {
    let reached = async {
        while queue.depth().await.unwrap() != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("the depth should have been reached by now");
}

/// All fields of a job arrive, including its trace.
pub async fn jobs_arrive_as_they_were_pushed((one, two): Replicas) {
    let queued = QueuedJob { job: job(1), traceparent: Some("00-1-2-01".to_owned()), retry: false };
    assert!(one.push(queued.clone()).await.unwrap());
    let delivery = take(&two).await;
    assert_eq!((&delivery.queued, delivery.attempt), (&queued, 1));
    depth(&one, 1).await;
    delivery.done().await;
    depth(&one, 0).await;
    nothing_comes(&one).await;
}

/// This holds even if many jobs are added at once. No call returns more jobs than requested.
pub async fn the_oldest_come_first((one, two): Replicas) {
    let pushed = join_all((0..50).map(|index| one.push(job(index).into()))).await;
    assert!(pushed.into_iter().all(|new| new.unwrap()));
    depth(&two, 50).await;
    let mut taken = Vec::new();
    while taken.len() < 50 {
        let some = timeout(PATIENCE, two.next(7)).await.expect("they are there");
        assert!((1..=7).contains(&some.len()));
        for delivery in some {
            taken.push(delivery.job().clone());
            delivery.done().await;
        }
    }
    assert_eq!(taken, (0..50).map(job).collect::<Vec<_>>());
}

/// A job is not added again while it waits or is under way.
pub async fn a_job_is_held_once((one, two): Replicas) {
    assert!(push(&one, 1).await);
    assert!(!push(&two, 1).await);
    assert!(push(&two, 2).await);
    let first = take(&one).await;
    assert!(!push(&one, 1).await);
    let again = QueuedJob { retry: true, ..QueuedJob::from(job(1)) };
    assert!(!one.push(again).await.unwrap(), "not even an operator can have it twice");
    let second = take(&one).await;
    assert_eq!((first.job(), second.job()), (&job(1), &job(2)));
    nothing_comes(&two).await;
    first.done().await;
    second.done().await;
    depth(&one, 0).await;
}

/// An operator can retry a job right after it is done.
pub async fn a_job_that_is_done_can_be_asked_for_again((one, two): Replicas) {
    for _ in 0..3 {
        let again = QueuedJob { retry: true, ..QueuedJob::from(job(1)) };
        assert!(one.push(again).await.unwrap());
        let delivery = take(&two).await;
        assert_eq!((delivery.job(), delivery.attempt, delivery.queued.retry), (&job(1), 1, true));
        delivery.done().await;
        depth(&one, 0).await;
    }
}

/// The delivery carries the number of the attempt.
pub async fn a_job_that_is_given_back_comes_again((one, two): Replicas) {
    push(&one, 1).await;
    for attempt in 1..5 {
        let delivery = take(&two).await;
        assert_eq!((delivery.job(), delivery.attempt), (&job(1), attempt));
        delivery.give_back(Duration::ZERO).await;
    }
    assert!(!push(&one, 1).await, "it is still held");
    let delivery = take(&one).await;
    assert_eq!(delivery.attempt, 5);
    delivery.done().await;
    depth(&one, 0).await;
}

/// However often it comes, and from whichever replica.
pub async fn a_job_keeps_the_moment_at_which_it_was_queued((one, two): Replicas) {
    let before = Timestamp::now();
    push(&one, 1).await;
    let after = Timestamp::now();
    let first = take(&two).await;
    let queued_at = first.queued_at;
    // The server's clock is this machine's.
    assert!((before..=after).contains(&queued_at), "{before} {queued_at} {after}");
    first.give_back(Duration::ZERO).await;
    let second = take(&one).await;
    assert_eq!((second.queued_at, second.attempt), (queued_at, 2));
    second.done().await;
}

/// Other jobs go on meanwhile.
pub async fn a_job_that_is_given_back_waits_its_time((one, two): Replicas) {
    let delay = Duration::from_millis(700);
    push(&one, 1).await;
    let given_back = Instant::now();
    take(&one).await.give_back(delay).await;
    push(&one, 2).await;
    let other = take(&two).await;
    assert_eq!(other.job(), &job(2));
    other.done().await;
    let again = take(&two).await;
    assert_eq!((again.job(), again.attempt), (&job(1), 2));
    assert!(given_back.elapsed() >= delay, "{:?}", given_back.elapsed());
    again.done().await;
}

/// The job comes again after a pause.
pub async fn a_job_whose_worker_vanished_comes_again((one, two): Replicas) {
    push(&one, 1).await;
    drop(take(&one).await);
    let again = take(&two).await;
    assert_eq!((again.job(), again.attempt), (&job(1), 2));
    again.done().await;
    depth(&two, 0).await;
}

/// This holds however many workers take jobs at once.
pub async fn each_job_goes_to_one_replica((one, two): Replicas) {
    let work = async |queue: &Arc<dyn JobQueue>, enough: &tokio_util::sync::CancellationToken| {
        let mut taken = Vec::new();
        while let Some(some) = enough.run_until_cancelled(queue.next(4)).await {
            for delivery in some {
                taken.push(delivery.job().clone());
                delivery.done().await;
            }
        }
        taken
    };
    let enough = tokio_util::sync::CancellationToken::new();
    let pushed = async {
        join_all((0..200).map(|index| push(&one, index))).await;
        depth(&one, 0).await;
        enough.cancel();
    };
    let ((), first, second) = tokio::join!(pushed, work(&one, &enough), work(&two, &enough));
    let both: BTreeSet<_> = first.iter().chain(&second).cloned().collect();
    assert_eq!((first.len() + second.len(), both.len()), (200, 200), "each once");
}

/// This holds at whatever moment the caller gives up.
pub async fn whoever_stops_waiting_loses_nothing((one, two): Replicas) {
    let mut taken = BTreeSet::new();
    for index in 0..40 {
        for delivery in timeout(Duration::from_micros(200 * index), two.next(1)).await.unwrap_or_default() {
            assert!(taken.insert(delivery.job().clone()), "{} came twice", delivery.job());
            delivery.done().await;
        }
        push(&one, index as i64).await;
    }
    while taken.len() < 40 {
        let delivery = take(&two).await;
        assert!(taken.insert(delivery.job().clone()), "{} came twice", delivery.job());
        delivery.done().await;
    }
}

/// The jobs that it had fetched go to the other replica.
pub async fn a_closed_replica_keeps_nothing((one, two): Replicas) {
    let _ = timeout(Duration::from_millis(50), two.next(1)).await;
    push(&one, 1).await;
    two.close().await;
    let delivery = take(&one).await;
    assert_eq!(delivery.job(), &job(1));
    delivery.done().await;
}
