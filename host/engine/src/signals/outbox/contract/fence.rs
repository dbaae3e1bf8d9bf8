//! The cases about jobs that were decided by an older log of deployments.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ta_bot_core::DeploymentEntry;

use super::{
    super::{Committed, DeadJob, FinishedJob},
    Job, finished, finished_of, ids_of, job, moment, texts, waiting,
};
use crate::deployments::log::contract::{Replica, Replicas, add, change, log};

/// Runs every case, each on an empty database that `fresh` makes, with the log of deployments beside the outbox.
pub async fn fenced(fresh: impl AsyncFn() -> Replicas) {
    a_job_that_an_older_log_decided_is_left_out(fresh().await).await;
    a_candle_before_the_newer_entry_is_committed(fresh().await).await;
    of_many_jobs_those_that_are_outdated_are_left_out(fresh().await).await;
    a_finished_job_is_left_alone_whatever_decided_it(fresh().await).await;
    more_jobs_are_left_out_than_fit_into_a_statement(fresh().await).await;
    no_replica_commits_what_another_s_entry_decides(fresh().await).await;
}

/// A finished job with a signal, decided by the log up to `revision`.
fn decided(index: i64, revision: i64) -> FinishedJob {
    FinishedJob { revision, ..finished("BTCUSDT", index, &["rsi"]) }
}

fn outdated(jobs: &[Job]) -> Committed {
    Committed { new: Vec::new(), outdated: jobs.to_vec() }
}

/// The job is left out with all its signals until it is decided again. The same holds for a dead job.
pub async fn a_job_that_an_older_log_decided_is_left_out((one, two): Replicas) {
    one.outbox.commit(&[decided(1, 0)], moment(1000)).await.unwrap();
    let entry = add(&*two.deployments, &change("rsi", 1)).await;
    assert!(entry.from > job("BTCUSDT", 1).candle_close && entry.from <= job("BTCUSDT", 2).candle_close);
    let dead = DeadJob {
        job: job("BTCUSDT", 2),
        attempts: 5,
        reason: "it failed".to_owned(),
        died_at: moment(1000),
        retried_at: None,
    };
    one.outbox.bury(&dead).await.unwrap();
    for store in [&one.outbox, &two.outbox] {
        let committed = store.commit(&[decided(2, 0)], moment(2000)).await.unwrap();
        assert_eq!(committed, outdated(&[job("BTCUSDT", 2)]));
        assert_eq!(waiting(&**store).await, texts(&ids_of(&[decided(1, 0)])));
        assert_eq!(store.dead(10).await.unwrap().len(), 1, "it is dead as before");
    }
    let again = one.outbox.commit(&[decided(2, entry.revision)], moment(3000)).await.unwrap();
    assert_eq!(again, Committed { new: ids_of(&[decided(2, 1)]), outdated: Vec::new() });
    assert_eq!(two.outbox.dead(10).await.unwrap(), []);
}

/// Late jobs are decided by the log that applies to their candle. Later entries do not change it.
pub async fn a_candle_before_the_newer_entry_is_committed((one, two): Replicas) {
    let seen = |index| Some(job("BTCUSDT", index).candle_close);
    one.deployments.add(&change("rsi", 1), 0, seen(5)).await.unwrap();
    two.deployments.add(&change("macd", 1), 0, seen(8)).await.unwrap();
    let late = [decided(5, 0), decided(1, 0), decided(8, 1), decided(6, 1)];
    let committed = one.outbox.commit(&late, moment(1000)).await.unwrap();
    assert_eq!(committed, Committed { new: ids_of(&late), outdated: Vec::new() });
    let behind = [decided(9, 1), decided(7, 0)];
    let committed = two.outbox.commit(&behind, moment(1000)).await.unwrap();
    assert_eq!(committed, outdated(&[job("BTCUSDT", 7), job("BTCUSDT", 9)]));
    // A job with a newer revision than the log has is not outdated.
    assert_eq!(one.outbox.commit(&[decided(10, 99)], moment(1000)).await.unwrap().outdated, []);
}

/// The others are committed, in order. For a job that occurs twice, the occurrence that was committed counts.
pub async fn of_many_jobs_those_that_are_outdated_are_left_out((one, two): Replicas) {
    for (strategy, index) in [("rsi", 3), ("macd", 6), ("ema", 9)] {
        let seen = Some(job("BTCUSDT", index).candle_close);
        one.deployments.add(&change(strategy, 1), 0, seen).await.unwrap();
    }
    let kept = [decided(9, 2), decided(3, 0), decided(11, 3), decided(5, 1)];
    let left = [decided(4, 0), decided(7, 1), decided(10, 2)];
    let twice = [decided(11, 0), decided(10, 2)];
    let all: Vec<_> = left[..1].iter().chain(&kept).chain(&left[1..]).chain(&twice).cloned().collect();
    let committed = two.outbox.commit(&all, moment(1000)).await.unwrap();
    assert_eq!(committed.outdated, left.each_ref().map(|done| done.job.clone()));
    assert_eq!(committed.new, ids_of(&kept));
    assert_eq!(waiting(&*one.outbox).await, texts(&ids_of(&kept)));
    let jobs: Vec<_> = left.iter().chain(&kept).map(|done| done.job.clone()).collect();
    assert_eq!(finished_of(&*one.outbox, &jobs).await.len(), kept.len());
}

/// A finished job is not reported as outdated.
pub async fn a_finished_job_is_left_alone_whatever_decided_it((one, two): Replicas) {
    let seen = Some(job("BTCUSDT", 1).candle_close);
    let entry = one.deployments.add(&change("rsi", 1), 0, seen).await.unwrap();
    one.outbox.commit(&[decided(2, entry.revision)], moment(1000)).await.unwrap();
    let committed = two.outbox.commit(&[decided(2, 0), decided(3, 0)], moment(2000)).await.unwrap();
    assert_eq!(committed, outdated(&[job("BTCUSDT", 3)]));
    assert_eq!(waiting(&*two.outbox).await, texts(&ids_of(&[decided(2, 1)])));
}

/// As many other jobs of the same call are committed.
pub async fn more_jobs_are_left_out_than_fit_into_a_statement((one, _): Replicas) {
    let seen = Some(job("BTCUSDT", 1099).candle_close);
    one.deployments.add(&change("rsi", 1), 0, seen).await.unwrap();
    let jobs: Vec<_> = (0..2200).map(|index| decided(index, 0)).collect();
    let committed = one.outbox.commit(&jobs, moment(1000)).await.unwrap();
    assert_eq!(committed.new, ids_of(&jobs[..1100]));
    let left: Vec<_> = jobs[1100..].iter().map(|done| done.job.clone()).collect();
    assert_eq!(committed.outdated, left);
    assert_eq!(finished_of(&*one.outbox, &left).await, []);
}

/// How long the race may take.
const RACE: Duration = Duration::from_mins(1);

/// The state that the tasks of a race share.
#[derive(Default)]
struct Race {
    /// The index of the next candle that closes.
    next: AtomicI64,
    /// The revision by which each job was committed.
    committed: Mutex<HashMap<Job, i64>>,
    /// The number of jobs that were left out.
    left_out: AtomicU64,
    is_over: AtomicBool,
}

impl Race {
    /// Commits candle after candle. The log is read again only when it was too old.
    async fn commit(&self, replica: &Replica) {
        let mut revision = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            // One of the two candles is late: newer ones were already looked at.
            let mut jobs =
                vec![finished("BTCUSDT", index, &["rsi"]), finished("ETHUSDT", (index - 9).max(0), &["rsi"])];
            while !jobs.is_empty() {
                for done in &mut jobs {
                    done.revision = revision;
                }
                let answer = replica.outbox.commit(&jobs, moment(1000)).await.unwrap();
                let (left, taken): (Vec<_>, Vec<_>) =
                    jobs.into_iter().partition(|done| answer.outdated.contains(&done.job));
                // A job that another task had already finished brings no new signals.
                let taken = taken.into_iter().filter(|done| answer.new.contains(&done.signals[0].id));
                self.committed.lock().unwrap().extend(taken.map(|done| (done.job, revision)));
                self.left_out.fetch_add(left.len() as u64, Ordering::Relaxed);
                if !left.is_empty() {
                    revision = log(&*replica.deployments).await.revision();
                }
                jobs = left;
            }
        }
    }

    /// Waits until more than `than` jobs are committed. Returns how many are.
    async fn goes_on(&self, than: usize) -> usize {
        let begun = Instant::now();
        loop {
            let committed = self.committed.lock().unwrap().len();
            if committed > than {
                return committed;
            }
            assert!(begun.elapsed() < RACE, "nothing is committed any more");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// However commits and entries interleave, each committed job was decided with every entry that applies to its candle.
pub async fn no_replica_commits_what_another_s_entry_decides((one, two): Replicas) {
    const ENTRIES: u8 = 30;
    let race = Arc::new(Race::default());
    let writers = (0..6).map(|writer| {
        let race = Arc::clone(&race);
        let replica = if writer % 2 == 0 { one.clone() } else { two.clone() };
        tokio::spawn(async move { race.commit(&replica).await })
    });
    let writers: Vec<_> = writers.collect();
    let mut committed = 0;
    for index in 0..ENTRIES {
        committed = race.goes_on(committed).await;
        let replica = if index.is_multiple_of(3) { &one } else { &two };
        add(&*replica.deployments, &change("rsi", index)).await;
    }
    race.goes_on(committed).await;
    race.is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let entries: Vec<DeploymentEntry> = one.deployments.since(0).await.unwrap();
    assert_eq!(entries.len(), usize::from(ENTRIES));
    let committed = race.committed.lock().unwrap().clone();
    for (job, revision) in &committed {
        let newer = entries.iter().find(|entry| entry.revision > *revision && entry.from <= job.candle_close);
        assert!(newer.is_none(), "{job} was decided by revision {revision}, and {newer:?} decides it");
    }
    let jobs: Vec<_> = committed.keys().cloned().collect();
    assert_eq!(finished_of(&*two.outbox, &jobs).await.len(), jobs.len());
    assert_eq!(waiting(&*two.outbox).await.len(), jobs.len(), "no signal is lost, and none is there without its job");
    // No writer knows an entry at first, so some job must have been left out.
    assert!(race.left_out.load(Ordering::Relaxed) > 0, "nothing was left out");
}
