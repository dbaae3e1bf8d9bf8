//! A hundred swaps between two versions of a strategy while a market goes on and a replica is killed: every candle is
//! decided once, by the version that the log of deployments names for its close. No replica is told of some of the
//! swaps or expects them: what was decided by an older log must not be committed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use serde_json::{Value as Json, json};
use sqlx::{MySqlPool, Row as _};
use ta_bot_core::{Deployment, DeploymentAction, DeploymentChange, Timestamp};
use ta_bot_drivers::mysql::{Mysql, deployments::MysqlDeployments};
use ta_bot_engine::deployments::log::DeploymentStore as _;
use ta_bot_tests::{
    chance::Chance,
    replicas::{Fleet, Market, Replica, deploy, upload},
};
use tokio::sync::Notify;

const SYMBOLS: usize = 200;
const MINUTES: i64 = 100;
const SWAPS: usize = 100;
/// The swap before which a replica is killed, and the one before which it is started again.
const KILLED: (usize, usize) = (45, 60);
/// How long a minute of the market takes.
const PACE: Duration = Duration::from_millis(400);

/// A swap as the service reported it.
struct Swap {
    from: Timestamp,
    module: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_candle_is_decided_once_by_the_version_of_its_close() {
    let market = Market::new(SYMBOLS, MINUTES);
    let mut fleet = Fleet::start(&market, 3).await;
    for replica in &mut fleet.replicas {
        replica.set("ENABLED_STRATEGIES", "rsi,macd");
    }
    fleet.start_replicas().await;
    let first = &fleet.replicas[0];
    let versions = [upload(first, "versions_v1").await, upload(first, "versions_v2").await];
    let unheard = Unheard::of(&fleet);
    let mut swaps = vec![swap(first, &json!({"action": "activate", "module": versions[0]}), 0).await];

    let pool = fleet.pool();
    let events = async_nats::connect(fleet.nats.url()).await.unwrap();
    let over = Notify::new();
    let market_goes_on = async {
        market.go_on(&pool, &events, PACE).await;
        over.notify_one();
    };
    let swapped = swap_on(&mut fleet, &versions, &unheard);
    let ((), more) = tokio::join!(market_goes_on, swapped);
    swaps.extend(more);
    over.notified().await;
    fleet.until_finished(market.jobs()).await;

    let decided = decided(&pool).await;
    assert_eq!(decided.len(), market.jobs(), "candles without a decision, or with two\n{}", fleet.logs());
    let mut by_version: HashMap<&str, usize> = HashMap::new();
    let mut wrong = Vec::new();
    let mut before = "";
    let mut changes = 0;
    for ((close, timeframe, symbol), (module, _)) in &decided {
        let holds = swaps.iter().rev().find(|swap| swap.from <= *close).unwrap();
        if holds.module != *module {
            wrong.push(format!("{symbol} {timeframe} {close}: {module} instead of {}", holds.module));
        }
        *by_version.entry(module).or_default() += 1;
        changes += usize::from(before != module);
        before = module;
    }
    assert!(wrong.is_empty(), "{} candles, such as {:?}\n{}", wrong.len(), wrong.first(), fleet.logs());
    println!("{} swaps, {changes} of them seen by candles; decided: {by_version:?}", swaps.len());
    assert!(by_version.len() == 2 && by_version.values().all(|count| *count > decided.len() / 10), "{by_version:?}");
    assert!(changes > SWAPS / 5, "{changes} changes prove little");
    assert_eq!(fleet.dead_jobs().await, 0, "{}", fleet.logs());
    replayed(&fleet, &pool).await;
    let mut anew = 0.0;
    for replica in &fleet.replicas {
        for status in ["error", "trap", "timeout", "limit"] {
            let failed = replica.metric("ta_bot_strategy_executions_total", &format!("status=\"{status}\"")).await;
            assert!(failed == 0.0, "{failed} evaluations ended as {status}\n{}", fleet.logs());
        }
        anew += replica.metric("ta_bot_jobs_total", "outcome=\"decided_anew\"").await;
    }
    println!("{anew} jobs were decided anew, because the log had grown in the meantime");
    assert!(anew > 0.0, "no replica ever decided by an outdated log: this shows little");
}

/// Swaps back and forth at moments that a seed determines, every fifth time by a rollback, every seventh time without
/// telling a replica.
async fn swap_on(fleet: &mut Fleet, versions: &[String; 2], unheard: &Unheard) -> Vec<Swap> {
    let mut chance = Chance::new(5);
    let mut swaps = Vec::new();
    for (number, revision) in (0..SWAPS).zip(1..) {
        tokio::time::sleep(chance.millis(100, 600)).await;
        if number == KILLED.0 {
            fleet.replicas[1].kill().await;
        }
        if number == KILLED.1 {
            fleet.replicas[1].start().await;
        }
        let body = if number % 5 == 4 {
            json!({"action": "roll_back", "reason": "test"})
        } else {
            json!({"action": "activate", "module": versions[(number + 1) % 2], "changed_by": "test"})
        };
        // The replicas 0 and 2 run all the time.
        let replica = &fleet.replicas[if chance.below(2) == 0 { 0 } else { 2 }];
        swaps.push(if number % 7 == 6 {
            unheard.swap(&versions[(number + 1) % 2], revision).await
        } else {
            swap(replica, &body, revision).await
        });
        assert_eq!(swaps.last().unwrap().module, versions[(number + 1) % 2], "swap {number}");
    }
    swaps
}

/// Writes swaps straight to the log, so that no replica is told.
struct Unheard(MysqlDeployments);

impl Unheard {
    fn of(fleet: &Fleet) -> Self {
        Self(MysqlDeployments::new(Mysql::open(&fleet.mysql_uri().parse().unwrap())))
    }

    async fn swap(&self, module: &str, revision: i64) -> Swap {
        let deployment =
            Deployment { module: Some(module.parse().unwrap()), enabled: Some(true), ..Deployment::default() };
        let change = DeploymentChange {
            strategy: "versions".parse().unwrap(),
            action: DeploymentAction::Activate,
            deployment,
            changed_by: "nobody".to_owned(),
            claimed_by: None,
            reason: None,
            at: Timestamp::now(),
        };
        let entry = self.0.add(&change, revision, None).await.unwrap();
        Swap { from: entry.from, module: module.to_owned() }
    }
}

/// Makes one swap, on the condition that nobody else has made one.
async fn swap(replica: &Replica, body: &Json, revision: i64) -> Swap {
    let entry = deploy(replica, "versions", body, revision).await;
    assert_eq!(entry["revision"], revision + 1, "{entry}");
    let text = |name: &str| entry[name].as_str().unwrap().to_owned();
    Swap { from: text("decides_from").parse().unwrap(), module: text("module") }
}

/// Replays some of the signals, of both versions, on the replica that was killed in between.
pub(crate) async fn replayed(fleet: &Fleet, pool: &MySqlPool) {
    let ids = "SELECT `signal_id` FROM `signals` WHERE `strategy` = 'versions' ORDER BY `signal_id` LIMIT 40";
    let ids: Vec<String> = sqlx::query_scalar(ids).fetch_all(pool).await.unwrap();
    let mut modules = BTreeSet::new();
    for id in ids {
        let url = fleet.replicas[1].url(&format!("/api/v1/signals/{id}/replay"));
        let answer: Json = reqwest::Client::new().post(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["data"]["verdict"], "equal", "{answer}");
        modules.insert(answer["data"]["module_digest"].as_str().unwrap().to_owned());
    }
    assert_eq!(modules.len(), 2, "only one of the versions was replayed");
}

/// Which module decided each candle and with which weight, by close, timeframe and symbol.
pub(crate) async fn decided(pool: &MySqlPool) -> BTreeMap<(Timestamp, String, String), (String, i64)> {
    let rows = sqlx::query("SELECT `symbol`, `timeframe`, `message` FROM `signals` WHERE `strategy` = 'versions'");
    let rows = rows.fetch_all(pool).await.unwrap();
    let mut decided = BTreeMap::new();
    for row in &rows {
        let message: Json = serde_json::from_str(row.get::<&str, _>("message")).unwrap();
        let provenance = &message["metadata"]["provenance"];
        let close = Timestamp::from_millis(provenance["candle_close"].as_i64().unwrap());
        let key = (close, row.get("timeframe"), row.get("symbol"));
        let module = provenance["module_digest"].as_str().unwrap().to_owned();
        let weight = message["metadata"]["weight"].as_i64().unwrap();
        let before = decided.insert(key.clone(), (module, weight));
        assert_eq!(before, None, "two decisions about {key:?}");
    }
    decided
}
