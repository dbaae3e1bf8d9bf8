//! A hundred clients follow the signals of three replicas over server-sent events while a market goes on: quick ones,
//! slow ones, ones that vanish and go on with another replica, and ones that never read. A replica is killed. Each
//! client that reads gets each signal exactly once, nobody waits for those that do not, and memory stays bounded. So
//! does a client that only asks for the list, page by page.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::MySqlPool;
use ta_bot_tests::{
    chance::Chance,
    events::Events,
    replicas::{Fleet, Market},
    until,
};

const SYMBOLS: usize = 60;
const MINUTES: i64 = 60;
/// How long a minute of the market takes.
const PACE: Duration = Duration::from_millis(400);
const CLIENTS: usize = 100;
/// The replica that is killed, and the part of the market's time for which it is away.
const KILLED: usize = 1;
const AWAY: (i64, i64) = (MINUTES / 3, MINUTES / 2);
/// What the clients may add to the memory of a replica.
const MOST_MEGABYTES: u64 = 128;

/// How a client reads.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Habit {
    Quick,
    /// Pauses after each piece that it reads.
    Slow,
    /// Goes away after some signals, and goes on with another replica.
    Vanishing,
    Polling,
    /// Never reads.
    Deaf,
}

impl Habit {
    const fn of(client: usize) -> Self {
        match client % 5 {
            0 => Self::Quick,
            1 => Self::Slow,
            2 => Self::Vanishing,
            3 => Self::Polling,
            _ => Self::Deaf,
        }
    }
}

/// One client, and what it got.
struct Client {
    habit: Habit,
    chance: Chance,
    /// Where the replicas answer.
    urls: Vec<String>,
    seen: Arc<AtomicUsize>,
    ids: Vec<String>,
    cursor: String,
}

impl Client {
    async fn run(mut self, stop: Arc<AtomicUsize>) -> Vec<String> {
        let http = reqwest::Client::new();
        while stop.load(Ordering::SeqCst) == 0 {
            let url = self.urls[self.chance.below(self.urls.len() as u64) as usize].clone();
            let reading = async {
                if self.habit == Habit::Polling { self.poll(&http, &url).await } else { self.follow(&http, &url).await }
            };
            // A client that waits for a signal is asked to end, too.
            let ended = async {
                while stop.load(Ordering::SeqCst) == 0 {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::select! {
                () = reading => tokio::time::sleep(Duration::from_millis(20)).await,
                () = ended => {}
            }
        }
        self.ids
    }

    async fn follow(&mut self, http: &reqwest::Client, url: &str) {
        let request = http.get(format!("{url}/api/v1/signals/stream")).header("Last-Event-ID", &self.cursor);
        let Ok(response) = request.send().await else { return };
        assert_eq!(response.status(), 200);
        if self.habit == Habit::Deaf {
            std::future::pending::<()>().await;
        }
        let mut events = Events::of(response);
        let mut most = if self.habit == Habit::Vanishing { 1 + self.chance.below(200) } else { u64::MAX };
        while most > 0
            && let Ok(Some(event)) = events.next().await
        {
            self.ids.push(event.data["signal_id"].as_str().unwrap().to_owned());
            self.cursor = event.id;
            self.seen.fetch_add(1, Ordering::SeqCst);
            most -= 1;
            if self.habit == Habit::Slow && self.ids.len().is_multiple_of(50) {
                tokio::time::sleep(self.chance.millis(10, 300)).await;
            }
        }
    }

    async fn poll(&mut self, http: &reqwest::Client, url: &str) {
        let request = http.get(format!("{url}/api/v1/signals?limit=200&after={}", self.cursor));
        let Ok(response) = request.send().await else { return };
        let Ok(page) = response.json::<serde_json::Value>().await else { return };
        // A replica that was just killed may have answered that a store is away.
        let Some(next) = page["metadata"]["next"].as_str() else { return };
        for signal in page["data"].as_array().unwrap() {
            self.ids.push(signal["signal_id"].as_str().unwrap().to_owned());
            self.seen.fetch_add(1, Ordering::SeqCst);
        }
        next.clone_into(&mut self.cursor);
        if page["metadata"]["more"] == false {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

async fn stored(pool: &MySqlPool) -> Vec<String> {
    sqlx::query_scalar("SELECT signal_id FROM signals WHERE signal_id IS NOT NULL").fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_get_each_signal_once() {
    let market = Market::new(SYMBOLS, MINUTES);
    let mut fleet = Fleet::start(&market, 3).await;
    fleet.start_replicas().await;
    let before: Vec<u64> = fleet.replicas.iter().map(|replica| replica.memory("VmRSS")).collect();
    let stop = Arc::new(AtomicUsize::new(0));
    let urls: Vec<String> = fleet.replicas.iter().map(|replica| replica.url("")).collect();
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let (habit, seen) = (Habit::of(number), Arc::<AtomicUsize>::default());
        let client = Client {
            habit,
            chance: Chance::new(number as u64),
            urls: urls.clone(),
            seen: Arc::clone(&seen),
            ids: Vec::new(),
            cursor: "0".to_owned(),
        };
        clients.push((habit, seen, tokio::spawn(client.run(Arc::clone(&stop)))));
    }
    let (pool, events) = (fleet.pool(), async_nats::connect(fleet.nats.url()).await.unwrap());
    for minute in 0..MINUTES {
        if minute == AWAY.0 {
            fleet.replicas[KILLED].kill().await;
        }
        if minute == AWAY.1 {
            fleet.replicas[KILLED].start().await;
        }
        market.write_minute(&pool, minute).await;
        market.announce(&events, minute).await;
        tokio::time::sleep(PACE).await;
    }
    fleet.until_finished(market.jobs()).await;
    let expected = stored(&pool).await;
    assert!(expected.len() > 2000, "{} signals prove little", expected.len());
    let reading = || clients.iter().filter(|(habit, ..)| *habit != Habit::Deaf);
    let missing = || {
        let behind = reading().filter(|(_, seen, _)| seen.load(Ordering::SeqCst) < expected.len());
        behind.map(|(habit, seen, _)| (*habit, seen.load(Ordering::SeqCst))).collect::<Vec<_>>()
    };
    let otherwise = async || format!("of {} signals, clients got {:?}\n{}", expected.len(), missing(), fleet.logs());
    until(Duration::from_mins(2), otherwise, async || missing().is_empty()).await;
    let after: Vec<u64> = fleet.replicas.iter().map(|replica| replica.memory("VmRSS")).collect();
    stop.store(1, Ordering::SeqCst);
    let expected: HashSet<String> = expected.into_iter().collect();
    for (habit, _, client) in clients {
        let ids = client.await.unwrap();
        if habit != Habit::Deaf {
            assert_eq!(ids.len(), expected.len(), "{habit:?}: each signal once");
            assert_eq!(ids.into_iter().collect::<HashSet<_>>(), expected, "{habit:?}");
        }
    }
    let grown = before.iter().zip(&after).map(|(before, after)| after.saturating_sub(*before) >> 10);
    let grown: Vec<u64> = grown.collect();
    println!("{} signals for {CLIENTS} clients; replicas grew by {grown:?} MB", expected.len());
    assert!(grown.iter().all(|grown| *grown < MOST_MEGABYTES), "{grown:?} MB");
}
