//! The Lease never allows two leaders at once. Here every replica is made to lead, and that does no harm.

use ta_bot_tests::replicas::{Fleet, Market};

use crate::expected;

const SYMBOLS: usize = 20;
const MINUTES: i64 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn three_leaders_at_once_send_each_signal_once() {
    let market = Market::new(SYMBOLS, MINUTES);
    let expected = expected::signals(&market).await;
    let mut fleet = Fleet::start(&market, 3).await;
    for replica in &mut fleet.replicas {
        // A replica that takes no part in the election always leads.
        replica.set("LEADER_ELECTION_ENABLED", "false");
    }
    fleet.start_replicas().await;
    for replica in &fleet.replicas {
        assert_eq!(replica.get("/health").await["leader_election"]["is_leader"], true, "{}", fleet.logs());
    }
    let pool = fleet.pool();
    let events = async_nats::connect(fleet.nats.url()).await.unwrap();
    for minute in 0..market.minutes() {
        market.write_minute(&pool, minute).await;
        market.announce(&events, minute).await;
    }
    fleet.until_finished(market.jobs()).await;
    expected::compare("three leaders", &fleet, &expected).await;
}
