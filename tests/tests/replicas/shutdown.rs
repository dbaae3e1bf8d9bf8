//! The shutdown under load: jobs that have begun are finished, jobs that were taken go back, committed signals are
//! sent, and the Lease is given up.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, AckKind, consumer::PullConsumer, stream::Stream};
use futures_util::StreamExt as _;
use ta_bot_drivers::nats::job_queue::ACK_WAIT;
use ta_bot_tests::replicas::{Fleet, Market};

use crate::expected;

const SYMBOLS: usize = 200;
const MINUTES: i64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_in_the_middle_of_a_storm_of_closes_leaves_no_job_behind() {
    let market = Market::new(SYMBOLS, MINUTES);
    let expected = expected::signals(&market).await;
    let mut fleet = Fleet::start(&market, 1).await;
    fleet.start_replicas().await;
    let pool = fleet.pool();
    let client = async_nats::connect(fleet.nats.url()).await.unwrap();
    let jetstream = jetstream::new(client.clone());
    let mut stopped_under_way = 0;
    for minute in 0..market.minutes() {
        market.write_minute(&pool, minute).await;
        market.announce(&client, minute).await;
        until_some_are_finished(&fleet, minute).await;
        let began = Instant::now();
        let status = fleet.replicas[0].terminate().await;
        println!("minute {minute}: ended after {} ms", began.elapsed().as_millis());
        assert!(status.success(), "{status}\n{}", fleet.logs());
        let log = fleet.replicas[0].log();
        assert!(!log.contains("not everything was finished in time"), "{log}");
        // The line is there for each of the shutdowns so far.
        assert_eq!(log.matches("the Lease was given up").count() as i64, minute + 1, "{log}");
        let mut jobs = jetstream.get_stream("ta-bot-jobs").await.unwrap();
        let left = jobs.info().await.unwrap().state.messages;
        all_can_be_had(&jobs, left, &fleet).await;
        let waiting = "SELECT COUNT(*) FROM signals WHERE waiting = 1";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&pool).await.unwrap();
        assert_eq!(waiting, 0, "committed signals that were not sent\n{}", fleet.logs());
        stopped_under_way += usize::from(left > 0);
        fleet.replicas[0].start().await;
    }
    assert!(stopped_under_way > 0, "every time all jobs had been finished before the shutdown: this shows nothing");
    fleet.until_finished(market.jobs()).await;
    expected::compare("shutdowns", &fleet, &expected).await;
}

/// Takes every job that is left and gives it back. NATS holds back a job that was taken and not answered for
/// `ACK_WAIT`, but hands out a job at once that was given back. It counts both as pending.
async fn all_can_be_had(jobs: &Stream, left: u64, fleet: &Fleet) {
    let workers: PullConsumer = jobs.get_consumer("workers").await.unwrap();
    let began = Instant::now();
    let mut taken = Vec::new();
    while (taken.len() as u64) < left {
        let missing = left as usize - taken.len();
        assert!(began.elapsed() < ACK_WAIT / 3, "{missing} jobs were not given back\n{}", fleet.logs());
        let mut some = workers.fetch().max_messages(missing).messages().await.unwrap();
        while let Some(job) = some.next().await {
            taken.push(job.unwrap());
        }
    }
    for job in taken {
        job.ack_with(AckKind::Nak(None)).await.unwrap();
    }
}

/// Waits until the first jobs of a minute are finished: then the others are under way.
async fn until_some_are_finished(fleet: &Fleet, minute: i64) {
    let pool = fleet.pool();
    let finished = async || {
        let count = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM finished_jobs").fetch_one(&pool);
        count.await.unwrap()
    };
    let before = finished().await;
    let began = Instant::now();
    // Checks often, so that most jobs are still to come when this returns.
    while finished().await == before {
        assert!(began.elapsed() < Duration::from_mins(1), "nothing is finished in minute {minute}\n{}", fleet.logs());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
