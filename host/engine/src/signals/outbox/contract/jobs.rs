//! The cases about jobs.

use super::{
    super::{DeadFilter, DeadJob, FinishedJob, RetriedJob},
    Job, Replicas, Timeframe, finished, finished_of, job, moment, waiting,
};

fn dead(job: &Job, attempts: u32, at: i64) -> DeadJob {
    DeadJob {
        job: job.clone(),
        attempts,
        reason: format!("attempt {attempts}: the store was away"),
        died_at: moment(at),
        retried_at: None,
    }
}

fn hourly(symbol: &str, index: i64) -> Job {
    Job { timeframe: Timeframe::H1, ..job(symbol, index) }
}

/// The value that is stored first stays.
pub async fn a_series_begins_once((store, other): Replicas) {
    let begin = |job: Job| (job.symbol, job.timeframe, job.candle_close);
    store.begin(&[begin(job("ETHUSDT", 1)), begin(job("BTCUSDT", 2)), begin(hourly("BTCUSDT", 3))]).await.unwrap();
    other.begin(&[begin(job("BTCUSDT", 9)), begin(job("BTCUSDT", 0)), begin(job("ADAUSDT", 4))]).await.unwrap();
    let begun = |job: Job| (job.symbol, job.candle_close);
    let expected = [job("ADAUSDT", 4), job("BTCUSDT", 2), job("ETHUSDT", 1)].map(begun);
    let mut found = store.begun(Timeframe::M15).await.unwrap();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(store.begun(Timeframe::H1).await.unwrap(), [begun(hourly("BTCUSDT", 3))]);
    let many: Vec<_> = (0..1200).map(|index| begin(job(&format!("COIN{index}"), index))).collect();
    store.begin(&many).await.unwrap();
    assert_eq!(store.begun(Timeframe::M15).await.unwrap().len(), 1203);
}

/// Finished jobs are found with or without signals, only of the given timeframe, and only among the requested ones.
pub async fn finished_jobs_are_known((store, other): Replicas) {
    let jobs = [finished("ETHUSDT", 1, &["rsi"]), finished("BTCUSDT", 2, &[]), finished("BTCUSDT", 1, &[])];
    store.commit(&jobs, moment(1000)).await.unwrap();
    let hour = FinishedJob { job: hourly("BTCUSDT", 8), signals: vec![], revision: 0 };
    store.commit(&[hour], moment(1000)).await.unwrap();
    let all = [job("ADAUSDT", 2), job("BTCUSDT", 1), job("BTCUSDT", 2), job("BTCUSDT", 8), job("ETHUSDT", 1)];
    assert_eq!(finished_of(&*other, &all).await, [all[1].clone(), all[2].clone(), all[4].clone()]);
    assert_eq!(finished_of(&*other, &all[2..4]).await, [all[2].clone()]);
    assert_eq!(finished_of(&*other, &[hourly("BTCUSDT", 8), hourly("BTCUSDT", 1)]).await, [hourly("BTCUSDT", 8)]);
    assert_eq!(finished_of(&*other, &[]).await, []);
    store.bury(&dead(&job("ADAUSDT", 2), 5, 1000)).await.unwrap();
    assert_eq!(finished_of(&*other, &all[..3]).await, all[..3]);
}

/// One series went quiet long ago and the other goes on. Of each, only the requested jobs are returned.
pub async fn finished_jobs_of_a_quiet_series_are_known((store, _): Replicas) {
    let quiet: Vec<_> = (0..5).map(|index| finished("QUIETUSDT", index, &[])).collect();
    let live: Vec<_> = (0..2000).map(|index| finished("LIVEUSDT", index, &[])).collect();
    store.commit(&quiet, moment(1000)).await.unwrap();
    store.commit(&live, moment(1000)).await.unwrap();
    let asked = [job("LIVEUSDT", 1999), job("LIVEUSDT", 2000), job("QUIETUSDT", 4), job("QUIETUSDT", 5)];
    assert_eq!(finished_of(&*store, &asked).await, [asked[0].clone(), asked[2].clone()]);
    let all: Vec<_> = (0..3000).map(|index| job("LIVEUSDT", index)).collect();
    assert_eq!(finished_of(&*store, &all).await, all[..2000]);
}

/// A job that dies again reports the last time. Once it is committed it is no longer dead, and its signals go out.
pub async fn dead_jobs_are_kept_until_they_are_committed((store, other): Replicas) {
    let (first, second) = (job("BTCUSDT", 1), job("BTCUSDT", 2));
    store.bury(&dead(&first, 5, 1000)).await.unwrap();
    store.bury(&dead(&second, 5, 1500)).await.unwrap();
    other.bury(&dead(&first, 7, 2000)).await.unwrap();
    assert_eq!(store.dead(10).await.unwrap(), [dead(&first, 7, 2000), dead(&second, 5, 1500)]);
    let committed = store.commit(&[finished("BTCUSDT", 1, &["rsi"])], moment(3000)).await.unwrap();
    assert_eq!((committed.new.len(), waiting(&*store).await.len()), (1, 1));
    assert_eq!(other.dead(10).await.unwrap(), [dead(&second, 5, 1500)]);
    assert_eq!(finished_of(&*other, &[first.clone(), second.clone()]).await, [first, second.clone()]);
}

/// One replica gives up a job that the other has finished.
pub async fn a_finished_job_can_not_die((store, other): Replicas) {
    store.commit(&[finished("BTCUSDT", 1, &["rsi"])], moment(1000)).await.unwrap();
    other.bury(&dead(&job("BTCUSDT", 1), 5, 2000)).await.unwrap();
    assert_eq!(other.dead(10).await.unwrap(), []);
    assert_eq!(finished_of(&*other, &[job("BTCUSDT", 1)]).await, [job("BTCUSDT", 1)]);
}

/// No more jobs are returned than requested.
pub async fn dead_jobs_are_newest_first((store, _): Replicas) {
    for (index, at) in [(1, 2000), (2, 4000), (3, 3000)] {
        store.bury(&dead(&job("BTCUSDT", index), 5, at)).await.unwrap();
    }
    let times = async |limit| {
        let found = store.dead(limit).await.unwrap();
        found.iter().map(|dead| dead.died_at.millis()).collect::<Vec<_>>()
    };
    assert_eq!(times(10).await, [4000, 3000, 2000]);
    assert_eq!(times(2).await, [4000, 3000]);
    assert_eq!(times(0).await, [0_i64; 0]);
}

fn retried(job: &Job, at: i64) -> RetriedJob {
    RetriedJob { job: job.clone(), retried_at: moment(at) }
}

/// A retry is marked once and known to every replica. The job still counts as dead and finished until it is committed.
pub async fn a_dead_job_is_retried_until_it_is_committed((store, other): Replicas) {
    let (first, second) = (job("BTCUSDT", 1), job("BTCUSDT", 2));
    let all = DeadFilter::default();
    assert_eq!((store.retry(&all, moment(500)).await.unwrap(), store.retried(10).await.unwrap()), (0, vec![]));
    store.bury(&dead(&first, 5, 1000)).await.unwrap();
    store.bury(&dead(&second, 5, 1500)).await.unwrap();
    assert_eq!(store.retried(10).await.unwrap(), []);
    assert_eq!(store.retry(&all, moment(2000)).await.unwrap(), 2);
    assert_eq!(other.retry(&all, moment(3000)).await.unwrap(), 0, "it keeps its moment");
    assert_eq!(other.retried(10).await.unwrap(), [retried(&first, 2000), retried(&second, 2000)]);
    assert_eq!(other.retried(1).await.unwrap(), [retried(&first, 2000)]);
    let shown = |job| DeadJob { retried_at: Some(moment(2000)), ..job };
    assert_eq!(other.dead(10).await.unwrap(), [shown(dead(&second, 5, 1500)), shown(dead(&first, 5, 1000))]);
    assert_eq!(finished_of(&*other, &[first.clone(), second.clone()]).await, [first.clone(), second.clone()]);

    store.commit(&[finished("BTCUSDT", 1, &["rsi"])], moment(4000)).await.unwrap();
    assert_eq!(other.retried(10).await.unwrap(), [retried(&second, 2000)]);
    assert_eq!(waiting(&*other).await.len(), 1);
    // A job that is given up once more stays dead until the next retry.
    other.bury(&dead(&second, 10, 5000)).await.unwrap();
    assert_eq!(
        (store.retried(10).await.unwrap(), store.dead(10).await.unwrap()),
        (vec![], vec![dead(&second, 10, 5000)])
    );
    assert_eq!(store.retry(&all, moment(6000)).await.unwrap(), 1);
    assert_eq!(other.retried(10).await.unwrap(), [retried(&second, 6000)]);
}

/// Each condition works, and all of them together identify one job.
pub async fn dead_jobs_are_retried_by_what_they_are_about((store, _): Replicas) {
    let jobs = [job("BTCUSDT", 4), job("BTCUSDT", 8), job("ETHUSDT", 4), hourly("BTCUSDT", 4), hourly("ETHUSDT", 8)];
    for job in &jobs {
        store.bury(&dead(job, 5, 1000)).await.unwrap();
    }
    let found = async |filter: DeadFilter, at| {
        let count = store.retry(&filter, moment(at)).await.unwrap();
        let all = store.retried(10).await.unwrap().into_iter();
        let new: Vec<_> = all.filter(|retried| retried.retried_at == moment(at)).map(|retried| retried.job).collect();
        assert_eq!(new.len() as u64, count);
        new
    };
    let symbol = |job: &Job| Some(job.symbol.clone());
    let close = |job: &Job| Some(job.candle_close);
    let one =
        DeadFilter { symbol: symbol(&jobs[2]), timeframe: Some(jobs[2].timeframe), candle_close: close(&jobs[2]) };
    assert_eq!(found(one.clone(), 1).await, [jobs[2].clone()]);
    assert_eq!(found(one, 2).await, []);
    assert_eq!(found(DeadFilter { symbol: symbol(&job("ADAUSDT", 0)), ..DeadFilter::default() }, 3).await, []);
    let by_timeframe = DeadFilter { timeframe: Some(Timeframe::H1), ..DeadFilter::default() };
    assert_eq!(found(by_timeframe, 4).await, [jobs[3].clone(), jobs[4].clone()]);
    let by_close = DeadFilter { candle_close: close(&jobs[0]), ..DeadFilter::default() };
    assert_eq!(found(by_close, 5).await, [jobs[0].clone()]);
    let by_symbol = DeadFilter { symbol: symbol(&jobs[0]), ..DeadFilter::default() };
    assert_eq!(found(by_symbol, 6).await, [jobs[1].clone()]);
}
