//! The shutdown under load: what was begun is finished, what was taken goes back, what was committed is sent, and the Lease
//! is given up.

use std::time::{Duration, Instant};

use async_nats::jetstream;
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
    fleet.until_begun(2 * SYMBOLS).await;
    let (pool, client) = (fleet.pool(), async_nats::connect(fleet.nats.url()).await.unwrap());
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
        assert!(log.contains("the Lease was given up"), "{log}");
        let mut jobs = jetstream.get_stream("ta-bot-jobs").await.unwrap();
        let left = jobs.info().await.unwrap().state.messages;
        let mut workers: jetstream::consumer::PullConsumer = jobs.get_consumer("workers").await.unwrap();
        let unanswered = workers.info().await.unwrap().num_ack_pending;
        assert_eq!(unanswered, 0, "jobs that were taken and neither finished nor given back\n{}", fleet.logs());
        let waiting = "SELECT COUNT(*) FROM signals WHERE published_at IS NULL";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&pool).await.unwrap();
        assert_eq!(waiting, 0, "committed signals that were not sent\n{}", fleet.logs());
        stopped_under_way += usize::from(left > 0);
        fleet.replicas[0].start().await;
    }
    assert!(stopped_under_way > 0, "every time all jobs had been finished before the shutdown: this shows nothing");
    fleet.until_finished(market.jobs()).await;
    expected::compare("shutdowns", &fleet, &expected).await;
}

/// Waits until the first jobs of a minute are finished: now the others are under way.
async fn until_some_are_finished(fleet: &Fleet, minute: i64) {
    let pool = fleet.pool();
    let finished = async || {
        let count = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM finished_jobs").fetch_one(&pool);
        count.await.unwrap()
    };
    let before = finished().await;
    let waiting = async {
        while finished().await == before {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), waiting).await;
    assert!(waited.is_ok(), "nothing is finished in minute {minute}\n{}", fleet.logs());
}
