//! A hundred swaps of a strategy's module together with its parameters, while a market goes on and a replica is killed:
//! every candle is decided once, by the module and with the parameters of the same deployment. Some of the swaps are
//! made by a command of which no replica is told.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_json::{Value as Json, json};
use ta_bot_core::Timestamp;
use ta_bot_tests::{
    chance::Chance,
    replicas::{Fleet, Market, Replica, deploy, upload},
};

use crate::swaps::{decided, replayed};

const SYMBOLS: usize = 100;
const MINUTES: i64 = 100;
const SWAPS: usize = 100;
/// The swap before which a replica is killed, and the one before which it is started again.
const KILLED: (usize, usize) = (30, 50);
/// How long a minute of the market takes.
const PACE: Duration = Duration::from_millis(400);
/// The symbol that has a level of its own.
const OWN: &str = "S000USDT";
/// The largest weight that the second version takes. The first one takes more.
const MOST_OF_SECOND: i64 = 10;

/// The weights of all symbols and of the one that has its own.
type Weights = (i64, i64);

/// What holds from a close on.
#[derive(Debug)]
struct Era {
    from: Timestamp,
    module: String,
    weights: Weights,
}

/// The weights that come with a swap: those of the second version are ones that the first one never has.
const fn weights(number: usize) -> Weights {
    let number = number as i64;
    if number % 2 == 0 {
        (MOST_OF_SECOND + 1 + number % 5, MOST_OF_SECOND + 6 + number % 5)
    } else {
        (1 + number % 5, 6 + number % 5)
    }
}

fn parameters((all, own): Weights) -> Json {
    json!({"global": {"weight": all}, "symbols": {OWN: {"weight": own}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_never_runs_with_the_parameters_of_another_deployment() {
    let market = Market::new(SYMBOLS, MINUTES);
    let mut fleet = Fleet::start(&market, 3).await;
    for replica in &mut fleet.replicas {
        replica.set("ENABLED_STRATEGIES", "rsi");
    }
    fleet.start_replicas().await;
    let first = &fleet.replicas[0];
    let versions = [upload(first, "versions_v1").await, upload(first, "versions_v2").await];
    let body = json!({"action": "activate", "module": versions[0], "parameters": parameters(weights(0))});
    let mut eras = vec![Era::of(&deploy(first, "versions", &body, 0).await, weights(0))];

    let pool = fleet.pool();
    let events = async_nats::connect(fleet.nats.url()).await.unwrap();
    let swaps = swap_on(&mut fleet, &versions, &mut eras);
    let ((), ()) = tokio::join!(market.go_on(&pool, &events, PACE), swaps);
    fleet.until_finished(market.jobs()).await;

    let decided = decided(&pool).await;
    assert_eq!(decided.len(), market.jobs(), "candles without a decision, or with two\n{}", fleet.logs());
    let mut wrong = Vec::new();
    let mut seen: BTreeMap<(&str, i64), usize> = BTreeMap::new();
    for ((close, timeframe, symbol), (module, weight)) in &decided {
        let era = eras.iter().rev().find(|era| era.from <= *close).unwrap();
        let wanted = if symbol == OWN { era.weights.1 } else { era.weights.0 };
        if (module, *weight) != (&era.module, wanted) {
            wrong.push(format!("{symbol} {timeframe} {close}: {module} with {weight} instead of {era:?}"));
        }
        *seen.entry((module, *weight)).or_default() += 1;
    }
    assert!(wrong.is_empty(), "{} candles, such as {:?}\n{}", wrong.len(), wrong.first(), fleet.logs());
    println!("{} swaps; {} pairs of a module and a weight decided {} candles", eras.len(), seen.len(), decided.len());
    // Ten of each kind of symbol are possible.
    assert!(seen.len() > 12, "{seen:?} proves little");
    assert_eq!(fleet.dead_jobs().await, 0, "{}", fleet.logs());
    replayed(&fleet, &pool).await;
    // What was decided by an outdated log is decided anew, so some evaluations may have been misconfigured: they are in
    // no commit, as is shown above.
    for replica in &fleet.replicas {
        for status in ["error", "trap", "timeout", "limit"] {
            let failed = replica.metric("ta_bot_strategy_executions_total", &format!("status=\"{status}\"")).await;
            assert!(failed == 0.0, "{failed} evaluations ended as {status}\n{}", fleet.logs());
        }
    }
    in_the_store(&fleet.replicas[1], eras.last().unwrap().weights).await;
}

/// Swaps back and forth at moments that a seed determines, every fifth time by a rollback, every seventh time by a
/// command that tells no replica.
async fn swap_on(fleet: &mut Fleet, versions: &[String; 2], eras: &mut Vec<Era>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parameters.json");
    let mut chance = Chance::new(16);
    for (number, revision) in (1..=SWAPS).zip(1..) {
        tokio::time::sleep(chance.millis(100, 500)).await;
        if number == KILLED.0 {
            fleet.replicas[1].kill().await;
        }
        if number == KILLED.1 {
            fleet.replicas[1].start().await;
        }
        // The replicas 0 and 2 run all the time.
        let replica = &fleet.replicas[if chance.below(2) == 0 { 0 } else { 2 }];
        let module = &versions[number % 2];
        let era = if number % 5 == 4 {
            // Versions alternate, so a rollback leads to what held before the present one.
            let before = eras[eras.len() - 2].weights;
            Era::of(&deploy(replica, "versions", &json!({"action": "roll_back"}), revision).await, before)
        } else if number % 7 == 6 {
            Era::of(&unheard(replica, module, &file, weights(number)).await, weights(number))
        } else {
            let body = json!({"action": "activate", "module": module, "parameters": parameters(weights(number))});
            Era::of(&deploy(replica, "versions", &body, revision).await, weights(number))
        };
        assert_eq!(&era.module, module, "swap {number}");
        eras.push(era);
    }
}

/// Activates by a command that does not reach NATS.
async fn unheard(replica: &Replica, module: &str, file: &Path, wanted: Weights) -> Json {
    std::fs::write(file, parameters(wanted).to_string()).unwrap();
    let file = file.display().to_string();
    let arguments = ["modules", "activate", "versions", module, "--parameters", &file];
    replica.run_without(&arguments, &["NATS_URL", "LEADER_ELECTION_ENABLED"]).await["entry"].clone()
}

/// What counts in the end is in the store of settings as well, with its history.
async fn in_the_store(replica: &Replica, (all, own): Weights) {
    for (path, weight) in [("", all), ("/S000USDT", own)] {
        let config = replica.get(&format!("/api/v1/strategies/versions/config{path}")).await;
        assert_eq!(config["data"]["stored"]["parameters"]["weight"], weight, "{config}");
    }
    let history = replica.get("/api/v1/strategies/versions/audit?limit=1000").await;
    let entries = history["data"].as_array().unwrap();
    assert!(entries.len() > SWAPS, "{} entries", entries.len());
    assert!(entries.iter().all(|entry| entry["reason"].as_str().unwrap().starts_with("deployment ")), "{history}");
}

impl Era {
    /// The era that begins with an entry of the deployments' log.
    fn of(entry: &Json, weights: Weights) -> Self {
        let text = |name: &str| entry[name].as_str().unwrap_or_else(|| panic!("{entry}")).to_owned();
        Self { from: text("decides_from").parse().unwrap(), module: text("module"), weights }
    }
}
