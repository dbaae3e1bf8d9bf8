//! The storm of faults. Replicas and servers are killed and connections spoiled, in an order that a seed decides; afterwards the
//! stream and the table hold exactly the signals of an undisturbed run: none lost, none twice.
//!
//! `STORM_SEEDS=7,11` runs those seeds only, `STORM_COUNT=20` as many from the first one on.

use std::{collections::BTreeSet, env, time::Duration};

use sqlx::MySqlPool;
use ta_bot_test_servers::{Mode, Proxy, Side};
use tokio::sync::Notify;

use crate::{
    chance::Chance,
    expected,
    fleet::{Fleet, SUBJECT},
    market::Market,
    stream,
};

const SYMBOLS: usize = 200;
const MINUTES: i64 = 10;
const REPLICAS: usize = 3;
/// How many seeds are run where nothing else is asked for.
const SEEDS: u64 = 3;
/// How long a minute of the market takes.
const PACE: Duration = Duration::from_millis(1200);
/// How many parts may be broken at once.
const MOST_BROKEN: usize = 3;
const BEGUN: &str = "SELECT COUNT(*) FROM begun_series";
const FINISHED: &str = "SELECT COUNT(*) FROM finished_jobs";
const WAITING: &str = "SELECT COUNT(*) FROM signals WHERE published_at IS NULL";

fn seeds() -> Vec<u64> {
    if let Ok(seeds) = env::var("STORM_SEEDS") {
        return seeds.split(',').map(|seed| seed.trim().parse().expect("STORM_SEEDS is a list of numbers")).collect();
    }
    let count = env::var("STORM_COUNT").map_or(SEEDS, |count| count.parse().expect("STORM_COUNT is a number"));
    (1..=count).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_loses_or_repeats_a_signal() {
    let market = Market::new(SYMBOLS, MINUTES);
    let expected = expected::signals(&market).await;
    assert!(expected.len() > 1000, "{} signals prove little", expected.len());
    for seed in seeds() {
        println!("storm: seed {seed}");
        weather(seed, &market, &expected).await;
    }
}

/// One run.
async fn weather(seed: u64, market: &Market, expected: &BTreeSet<String>) {
    let mut fleet = Fleet::start(market, REPLICAS).await;
    let pool = fleet.pool();
    fleet.start_replicas().await;
    fleet.until("every series is begun", BEGUN, 2 * SYMBOLS).await;
    let events = async_nats::connect(fleet.nats.url()).await.unwrap();
    let over = Notify::new();
    let market_goes_on = async {
        for minute in 0..market.minutes() {
            market.write_minute(&pool, minute).await;
            market.announce(&events, minute).await;
            tokio::time::sleep(PACE).await;
        }
        over.notify_one();
    };
    let mut chance = Chance::new(seed);
    tokio::join!(market_goes_on, faults(&mut fleet, &mut chance, &over));
    fleet.until("every job is finished", FINISHED, market.jobs()).await;
    fleet.until("every signal is published", WAITING, 0).await;
    compare(seed, &fleet, &pool, expected).await;
}

/// Breaks and mends until the market is over, and then mends the rest.
async fn faults(fleet: &mut Fleet, chance: &mut Chance, over: &Notify) {
    let parts = Part::all(REPLICAS);
    let mut broken: Vec<Part> = Vec::new();
    loop {
        tokio::select! {
            () = over.notified() => break,
            () = tokio::time::sleep(chance.millis(100, 800)) => {}
        }
        let part = parts[chance.below(parts.len() as u64) as usize];
        let mend = broken.len() == MOST_BROKEN || (!broken.is_empty() && chance.below(2) == 0);
        if mend {
            let part = broken.swap_remove(chance.below(broken.len() as u64) as usize);
            println!("  mends {part:?}");
            part.mend(fleet).await;
        } else if !broken.contains(&part) {
            let how = part.spoil(fleet, chance).await;
            println!("  {part:?}: {how}");
            broken.push(part);
        }
    }
    for part in broken {
        part.mend(fleet).await;
    }
}

/// What can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Replica(usize),
    Mysql,
    Nats,
    Mongodb,
    Kubernetes,
    /// The way to a server: of all replicas to a store or the bus, or of one replica to the Lease.
    Way(usize),
}

impl Part {
    fn all(replicas: usize) -> Vec<Self> {
        let servers = [Self::Mysql, Self::Nats, Self::Mongodb, Self::Kubernetes];
        let ways = (0..3 + replicas).map(Self::Way);
        (0..replicas).map(Self::Replica).chain(servers).chain(ways).collect()
    }

    /// Breaks it and says how.
    async fn spoil(self, fleet: &mut Fleet, chance: &mut Chance) -> String {
        match self {
            Self::Replica(index) => fleet.replicas[index].kill().await,
            Self::Mysql => fleet.maria.kill().unwrap(),
            Self::Nats => fleet.nats.kill().unwrap(),
            Self::Mongodb => fleet.mongo.kill().unwrap(),
            Self::Kubernetes => fleet.kube.kill().unwrap(),
            Self::Way(index) => {
                let proxy = fleet.proxies.all().nth(index).unwrap();
                return spoil_way(proxy, chance).await;
            }
        }
        "killed".to_owned()
    }

    async fn mend(self, fleet: &mut Fleet) {
        match self {
            Self::Replica(index) => fleet.replicas[index].start().await,
            Self::Mysql => fleet.maria.restart().await.unwrap(),
            Self::Nats => fleet.nats.restart().await.unwrap(),
            Self::Mongodb => fleet.mongo.restart().await.unwrap(),
            Self::Kubernetes => fleet.kube.restart().await.unwrap(),
            Self::Way(index) => fleet.proxies.all().nth(index).unwrap().set(Mode::Forward).await.unwrap(),
        }
    }
}

async fn spoil_way(proxy: &Proxy, chance: &mut Chance) -> String {
    let mode = match chance.below(4) {
        0 => Mode::Stall,
        1 => Mode::Delay(chance.millis(20, 300)),
        2 => Mode::Refuse,
        _ => {
            let from = if chance.below(2) == 0 { Side::Server } else { Side::Client };
            Mode::CutAfter { from, bytes: chance.below(20_000) as _ }
        }
    };
    let how = format!("{mode:?}");
    proxy.set(mode).await.unwrap();
    // Connections that are there already are cut as well now and then.
    if chance.below(2) == 0 {
        proxy.reset_all().await.unwrap();
    }
    how
}

async fn compare(seed: u64, fleet: &Fleet, pool: &MySqlPool, expected: &BTreeSet<String>) {
    let sent = stream::ids(&fleet.nats.url(), SUBJECT).await;
    let distinct: BTreeSet<String> = sent.iter().cloned().collect();
    assert_eq!(sent.len(), distinct.len(), "seed {seed}: {} ids are twice in the stream", sent.len() - distinct.len());
    let stored: Vec<String> = sqlx::query_scalar("SELECT signal_id FROM signals").fetch_all(pool).await.unwrap();
    let stored: BTreeSet<String> = stored.into_iter().collect();
    for (place, found) in [("stream", &distinct), ("table", &stored)] {
        let (lost, more): (Vec<_>, Vec<_>) =
            (expected.difference(found).collect(), found.difference(expected).collect());
        assert!(
            lost.is_empty() && more.is_empty(),
            "seed {seed}: {} signals are lost and {} are too many in the {place}, such as {:?} and {:?}\n{}",
            lost.len(),
            more.len(),
            lost.first(),
            more.first(),
            fleet.logs()
        );
    }
    let dead: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM dead_jobs").fetch_one(pool).await.unwrap();
    assert_eq!(dead, 0, "seed {seed}: jobs were given up\n{}", fleet.logs());
    println!("  {} signals, each once", sent.len());
}
