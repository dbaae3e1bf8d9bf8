//! The storm of faults. Replicas and servers are killed and connections disturbed, in an order that a seed determines.
//! Afterwards the stream and the table hold exactly the signals of an undisturbed run: none is lost, none is there
//! twice. Plain subscribers saw each at most once, and lack only what was stored while they or NATS were away.
//!
//! The leader is elected in each of the ways. `STORM_SEEDS=7,11` runs only those seeds, `STORM_COUNT=20` runs the first
//! 20, and `STORM_ELECTION=mysql` elects in that way only.

use std::time::Duration;

use ta_bot_core::Timestamp;
use ta_bot_test_servers::{Mode, Proxy, Side};
use ta_bot_tests::{
    chance::{Chance, seeds},
    replicas::{Election, Fleet, Market, Neighbour, stream},
};
use tokio::sync::Notify;

use crate::{
    expected::{self, Expected},
    terms,
};

const SYMBOLS: usize = 200;
const MINUTES: i64 = 10;
const REPLICAS: usize = 3;
/// How many seeds are run by default, with the Lease and with each of the other ways.
const SEEDS: u64 = 2;
const SEEDS_OF_OTHERS: u64 = 1;
/// How long a minute of the market takes.
const PACE: Duration = Duration::from_millis(1200);
/// How many parts may be broken at once.
const MOST_BROKEN: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_loses_or_repeats_a_signal() {
    let market = Market::new(SYMBOLS, MINUTES);
    let expected = expected::signals(&market).await;
    assert!(expected.published.len() > 1000, "{} signals prove little", expected.published.len());
    let only = std::env::var("STORM_ELECTION").ok();
    let ways = Election::ALL.into_iter().filter(|way| only.as_ref().is_none_or(|only| only == way.name()));
    let mut storms = 0;
    for way in ways {
        for seed in seeds(if way == Election::Kubernetes { SEEDS } else { SEEDS_OF_OTHERS }) {
            println!("storm: {}, seed {seed}", way.name());
            weather(way, seed, &market, &expected).await;
            storms += 1;
        }
    }
    assert!(storms > 0, "STORM_ELECTION is none of the ways: {only:?}");
}

/// Runs the storm of one seed.
async fn weather(way: Election, seed: u64, market: &Market, expected: &Expected) {
    let mut fleet = Fleet::start_by(way, market, REPLICAS).await;
    let pool = fleet.pool();
    fleet.start_replicas().await;
    let neighbours = Neighbour::all(&fleet.nats.url()).await;
    let events = async_nats::connect(fleet.nats.url()).await.unwrap();
    let over = Notify::new();
    let market_goes_on = async {
        market.go_on(&pool, &events, PACE).await;
        over.notify_one();
    };
    let mut chance = Chance::new(seed);
    let what = format!("{}, seed {seed}", way.name());
    let ((), killed) = tokio::join!(market_goes_on, faults(&mut fleet, &mut chance, &over));
    fleet.until_finished(market.jobs()).await;
    expected::compare(&what, &fleet, expected).await;
    let stored = stream::stored(&fleet.nats.url()).await;
    for neighbour in &neighbours {
        neighbour.account(&stored).await.check(&what);
    }
    println!("  {} terms, never two at once", terms::never_two(&fleet, &killed));
}

/// Breaks and mends parts until the market is over, and then mends the rest. Returns which replica was killed when.
async fn faults(fleet: &mut Fleet, chance: &mut Chance, over: &Notify) -> Vec<(usize, Timestamp)> {
    let parts = Part::all(fleet);
    let mut broken: Vec<Part> = Vec::new();
    let mut killed: Vec<(usize, Timestamp)> = Vec::new();
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
            if let Part::Replica(index) = part {
                killed.push((index, Timestamp::now()));
            }
            broken.push(part);
        }
    }
    for part in broken {
        part.mend(fleet).await;
    }
    killed
}

/// What can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Replica(usize),
    Mysql,
    Nats,
    Mongodb,
    Kubernetes,
    /// The connections to a server: those of all replicas to a store or the bus, or those of one replica to what the
    /// leader is elected in.
    Way(usize),
}

impl Part {
    fn all(fleet: &Fleet) -> Vec<Self> {
        let servers = [Self::Mysql, Self::Nats, Self::Mongodb];
        let kubernetes = fleet.kube.is_some().then_some(Self::Kubernetes);
        let ways = (0..fleet.proxies.all().count()).map(Self::Way);
        (0..fleet.replicas.len()).map(Self::Replica).chain(servers).chain(kubernetes).chain(ways).collect()
    }

    /// Breaks the part. Returns how, as text.
    async fn spoil(self, fleet: &mut Fleet, chance: &mut Chance) -> String {
        match self {
            Self::Replica(index) => fleet.replicas[index].kill().await,
            Self::Mysql => fleet.maria.kill().unwrap(),
            Self::Nats => fleet.nats.kill().unwrap(),
            Self::Mongodb => fleet.mongo.kill().unwrap(),
            Self::Kubernetes => fleet.kube.as_mut().unwrap().kill().unwrap(),
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
            Self::Kubernetes => fleet.kube.as_mut().unwrap().restart().await.unwrap(),
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
    // Now and then the open connections are cut as well.
    if chance.below(2) == 0 {
        proxy.reset_all().await.unwrap();
    }
    how
}
