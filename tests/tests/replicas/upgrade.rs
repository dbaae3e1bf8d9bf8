//! An upgrade from an older version and back, while the market goes on: replicas of both versions work side by side,
//! one of them is killed, and nothing is lost or repeated.
//!
//! `make upgrade-drill FROM=<commit>` builds the older version and runs this. It is not part of `make test`, since that
//! build takes as long as all of the tests.

use std::{path::PathBuf, time::Duration};

use ta_bot_core::Timestamp;
use ta_bot_tests::{
    binary,
    replicas::{Fleet, Market, Neighbour, Reader, SUBJECT, stream},
};

use crate::expected;

const SYMBOLS: usize = 100;
const REPLICAS: usize = 3;
/// How long a minute of the market takes.
const PACE: Duration = Duration::from_millis(1200);

/// What the replicas are replaced by, one after the other.
#[derive(Debug, Clone, Copy)]
enum Version {
    Older,
    Newer,
    /// The newer one, which publishes to the subject of readers itself.
    NewerDirectly,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs OLDER_TA_BOT, the path of an older version; see make upgrade-drill"]
async fn an_upgrade_and_the_way_back_lose_and_repeat_nothing() {
    drill(SUBJECT, 45, &[Version::Newer, Version::Older]).await;
}

/// The subject is taken from the older replicas in one step, so the way back leads over publishing directly.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs OLDER_TA_BOT, the path of an older version; see make upgrade-drill"]
async fn the_same_holds_if_the_older_version_had_a_subject_for_each_strategy() {
    let subject = format!("{SUBJECT}.{{strategy}}");
    drill(&subject, 60, &[Version::Newer, Version::NewerDirectly, Version::Older]).await;
}

async fn drill(subject: &str, minutes: i64, versions: &[Version]) {
    let market = Market::new(SYMBOLS, minutes);
    let expected = expected::signals(&market).await;
    let mut fleet = Fleet::start(&market, REPLICAS).await;
    for index in 0..REPLICAS {
        fleet.replicas[index].set("NATS_TOPIC_INTENTS", subject);
        becomes(&mut fleet, index, Version::Older);
    }
    fleet.start_replicas().await;
    let cio = Neighbour::start(&fleet.nats.url(), Reader::Cio).await;
    let events = async_nats::connect(fleet.nats.url()).await.unwrap();
    let pool = fleet.pool();
    let market_goes_on = async {
        market.go_on(&pool, &events, PACE).await;
        Timestamp::now()
    };
    let (market_ended, replaced) = tokio::join!(market_goes_on, replace_all(&mut fleet, versions));
    assert!(replaced < market_ended, "the market ended before the last replica was replaced: give it more minutes");
    fleet.until_finished(market.jobs()).await;
    // The older version publishes signals of every action, the newer one buys and sells.
    expected::compare_with(subject, &fleet, &expected, &expected.all).await;
    // It does not hear what the older version sends without the strategy's name.
    let account = cio.account(&stream::stored(&fleet.nats.url()).await).await;
    println!("  the CIO heard {} signals, {} of them more than once", account.received, account.repeated.len());
}

/// Replaces all replicas by one version after the other, as a rolling update does: the next one when the last is ready.
/// Returns when the last one was ready.
async fn replace_all(fleet: &mut Fleet, versions: &[Version]) -> Timestamp {
    for version in versions {
        tokio::time::sleep(3 * PACE).await;
        for index in 0..REPLICAS {
            if index == 1 {
                fleet.replicas[index].kill().await;
            } else {
                assert!(fleet.replicas[index].terminate().await.success(), "{}", fleet.replicas[index].log_tail());
            }
            becomes(fleet, index, *version);
            fleet.replicas[index].start().await;
            fleet.replicas[index].ready().await;
            println!("  replica {index} is {version:?}");
            tokio::time::sleep(PACE).await;
        }
    }
    Timestamp::now()
}

fn becomes(fleet: &mut Fleet, index: usize, version: Version) {
    let older = || std::env::var_os("OLDER_TA_BOT").map(PathBuf::from).expect("OLDER_TA_BOT names the older version");
    let (binary, delivery) = match version {
        Version::Older => (older(), "republish"),
        Version::Newer => (binary::ta_bot(), "republish"),
        Version::NewerDirectly => (binary::ta_bot(), "direct"),
    };
    fleet.replicas[index].set_binary(&binary);
    fleet.replicas[index].set("NATS_SIGNAL_DELIVERY", delivery);
}
