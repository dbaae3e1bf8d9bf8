//! Tests followers on a real store.

use std::{collections::HashSet, path::Path};

use super::*;
use crate::{
    signals::outbox::{
        FinishedJob,
        contract::{job, signal},
    },
    sqlite::{Database, outbox::SqliteOutbox},
};

async fn outbox(folder: &Path) -> Arc<dyn Outbox> {
    Arc::new(SqliteOutbox::new(Database::open(folder).await.unwrap()))
}

/// Commits the signals of these candles, and returns their ids.
async fn commit(outbox: &dyn Outbox, candles: std::ops::Range<i64>) -> Vec<String> {
    let finished = |index| {
        let job = job("BTCUSDT", index);
        FinishedJob { signals: vec![signal(&job, "rsi", 0)], job, revision: 0 }
    };
    let jobs: Vec<FinishedJob> = candles.map(finished).collect();
    outbox.commit(&jobs, Timestamp::now()).await.unwrap();
    jobs.iter().map(|done| done.signals[0].id.to_string()).collect()
}

async fn next(follower: &mut Follower, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        ids.push(follower.next().await.unwrap().unwrap().id.clone());
    }
    ids
}

struct Running {
    feed: Arc<Feed>,
    stop: CancellationToken,
}

fn run(outbox: &Arc<dyn Outbox>) -> Running {
    let (feed, stop) = (Arc::new(Feed::new(Arc::clone(outbox))), CancellationToken::new());
    tokio::spawn(Arc::clone(&feed).run(stop.clone()));
    Running { feed, stop }
}

#[tokio::test]
async fn a_follower_gets_what_is_stored_and_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(folder.path()).await;
    let Running { feed, .. } = run(&outbox);
    let before = commit(&*outbox, 0..250).await;
    let mut follower = feed.follow(Cursor::default());
    assert_eq!(next(&mut follower, 250).await, before);
    let mut newcomer = feed.follow(from_now_on(&*outbox).await.unwrap());
    let later = commit(&*outbox, 250..300).await;
    assert_eq!(next(&mut follower, 50).await, later);
    assert_eq!(next(&mut newcomer, 50).await, later);
}

/// A follower goes on after the last signal that it gave, in this process or another.
#[tokio::test]
async fn a_follower_goes_on_from_its_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(folder.path()).await;
    let Running { feed, .. } = run(&outbox);
    let mut expected = commit(&*outbox, 0..150).await;
    let mut given = Vec::new();
    let mut cursor = Cursor::default();
    for round in 0..6 {
        let mut follower = feed.follow(cursor);
        given.extend(next(&mut follower, 30 + round).await);
        cursor = follower.cursor().to_string().parse().unwrap();
        expected.extend(commit(&*outbox, 150 + 20 * round as i64..170 + 20 * round as i64).await);
    }
    given.extend(next(&mut feed.follow(cursor), expected.len() - given.len()).await);
    assert_eq!(given, expected);
}

/// One that does not keep up reads what it has missed from the store, and delays nobody.
#[tokio::test]
async fn a_slow_follower_misses_nothing_and_delays_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(folder.path()).await;
    let Running { feed, .. } = run(&outbox);
    let first = commit(&*outbox, 0..1).await;
    let (mut slow, mut quick) = (feed.follow(Cursor::default()), feed.follow(Cursor::default()));
    assert_eq!(next(&mut slow, 1).await, first);
    assert_eq!(next(&mut quick, 1).await, first);
    let mut expected = Vec::new();
    for round in 0..4 * KEPT as i64 / 50 {
        let stored = commit(&*outbox, 1 + 50 * round..51 + 50 * round).await;
        assert_eq!(next(&mut quick, 50).await, stored);
        expected.extend(stored);
    }
    assert_eq!(next(&mut slow, expected.len()).await, expected);
}

/// Followers that come and go while signals are stored: the feed stops when nobody follows, and begins again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_a_follower_comes_it_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(folder.path()).await;
    let Running { feed, stop } = run(&outbox);
    let writer = tokio::spawn({
        let outbox = Arc::clone(&outbox);
        async move {
            let mut ids = Vec::new();
            for index in 0..200 {
                ids.extend(commit(&*outbox, 3 * index..3 * index + 3).await);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            ids
        }
    });
    let mut given = Vec::new();
    let mut cursor = Cursor::default();
    while given.len() < 600 {
        let mut follower = feed.follow(cursor);
        let count = (1 + given.len() % 7).min(600 - given.len());
        given.extend(next(&mut follower, count).await);
        cursor = follower.cursor().clone();
        drop(follower);
        tokio::task::yield_now().await;
    }
    assert_eq!(given, writer.await.unwrap());
    assert_eq!(given.iter().collect::<HashSet<_>>().len(), 600);
    stop.cancel();
    let mut last = feed.follow(cursor);
    drop(feed);
    assert!(last.next().await.unwrap().is_none(), "the feed has ended");
}
