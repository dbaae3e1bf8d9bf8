//! What a swap of a module costs the closes that it meets. Three replicas run on MariaDB, NATS, a MongoDB-compatible
//! server and a Kubernetes API, all on this machine. A close meets nothing, a request that only checks a swap, or a
//! swap between two modules that are already compiled.
//!
//! A check does what a swap does before it writes. So the cost of a check is work on the same processors, and what a
//! swap costs beyond that is the pause: the lock on the deployment log that commits wait for, and what replicas do when
//! they learn of the swap. The server records how long each commit takes for that lock in its log of slow statements.
//! That time excludes a client's wait for its answer. It includes the wait of a server thread for a busy processor, in
//! all kinds of closes alike.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may fail loudly")]

use std::{
    fmt,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

use async_nats::Client;
use serde_json::{Value as Json, json};
use sqlx::MySqlPool;
use ta_bot_core::Timestamp;
use ta_bot_tests::{
    quantiles,
    replicas::{Fleet, Market, READERS, SHORT, stream, upload},
};

const SYMBOLS: usize = 200;
const REPLICAS: usize = 3;
/// In how many minutes all symbols close at once.
const ROUNDS: i64 = 375;
/// In how many minutes after those the symbols close one by one.
const MINUTES_ALONE: i64 = 3;
/// How long after the event of a close of all symbols the swap comes: at that time its jobs are being decided and
/// committed.
const IN_THE_MIDDLE: Duration = Duration::from_millis(20);
/// The server records statements that take at least this many seconds. Of shorter ones nothing else is known.
const NOTED: &str = "0.0002";

/// What a close meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meets {
    Nothing,
    Check,
    Swap,
}

impl Meets {
    const ALL: [Self; 3] = [Self::Nothing, Self::Check, Self::Swap];

    /// The kinds take turns, so that other load on the machine affects all of them alike.
    const fn next(number: usize) -> Self {
        Self::ALL[number % Self::ALL.len()]
    }
}

impl fmt::Display for Meets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "meets nothing",
            Self::Check => "meets the check of a swap",
            Self::Swap => "meets a swap",
        })
    }
}

/// The measurements of the closes of one kind.
#[derive(Default)]
struct Times {
    closes: Vec<Duration>,
    requests: Vec<Duration>,
    /// For each close, the longest time that one of its commits took to lock the log.
    commits: Vec<Duration>,
}

struct Bench {
    market: Market,
    fleet: Fleet,
    pool: MySqlPool,
    client: Client,
    http: reqwest::Client,
    versions: [String; 2],
    revision: AtomicI64,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bench = Bench::start().await;
        bench.all_at_once().await;
        bench.one_by_one().await;
        bench.outcomes().await;
    });
}

impl Bench {
    async fn start() -> Self {
        let market = Market::new(SYMBOLS, ROUNDS + MINUTES_ALONE);
        let mut fleet = Fleet::start(&market, REPLICAS).await;
        fleet.as_in_production().await;
        // Connections take these settings over when they are opened.
        let note =
            format!("SET GLOBAL log_output = 'TABLE', GLOBAL long_query_time = {NOTED}, GLOBAL slow_query_log = ON");
        fleet.maria.sql(&note).await.unwrap();
        fleet.start_replicas().await;
        let pool = fleet.pool();
        let client = async_nats::connect(fleet.nats.url()).await.unwrap();
        let replica = &fleet.replicas[0];
        let versions = [upload(replica, "versions_v1").await, upload(replica, "versions_v2").await];
        let http = reqwest::Client::new();
        let revision = AtomicI64::new(0);
        let bench = Self { market, fleet, pool, client, http, versions, revision };
        // After these two swaps every replica has both versions.
        for _ in 0..2 {
            bench.ask(Meets::Swap).await;
            bench.until_all_know().await;
        }
        bench
    }

    /// All symbols close at once, and the check or the swap comes in the middle of their jobs.
    async fn all_at_once(&self) {
        let mut times = [(); 3].map(|()| Times::default());
        for minute in 0..ROUNDS {
            let meets = Meets::next(minute as usize);
            self.market.write_minute(&self.pool, minute).await;
            let closing = self.market.closing(minute);
            self.note_anew().await;
            let event = Timestamp::now();
            let asked = async {
                tokio::time::sleep(IN_THE_MIDDLE).await;
                self.ask(meets).await
            };
            let (request, ()) = tokio::join!(asked, self.market.announce(&self.client, minute));
            let (_, timeframe, candle) = closing[0];
            self.fleet.until_closed(timeframe.close_of(candle.open_time), closing.len()).await;
            let took = stream::last_stored(&self.client).await - event.millis();
            // In every fifth minute the longer candles close as well, which would be something else.
            if closing.len() == SYMBOLS {
                let took = Some(Duration::from_millis(took as u64));
                self.add_to(&mut times[meets as usize], took, request).await;
            }
        }
        let is_noted = times.iter().any(|times| times.commits.iter().any(|took| !took.is_zero()));
        assert!(is_noted, "the server noted no commit that locks the log: is the statement another one?");
        report(&format!("close of {SYMBOLS} symbols at once"), times);
    }

    async fn one_by_one(&self) {
        let mut signals = self.client.subscribe(READERS).await.unwrap();
        let mut times = [(); 3].map(|()| Times::default());
        let mut number = 0;
        for minute in ROUNDS..ROUNDS + MINUTES_ALONE {
            for row in self.market.closing(minute).into_iter().filter(|row| row.1 == SHORT) {
                let meets = Meets::next(number);
                number += 1;
                self.market.write(&self.pool, &[row]).await;
                self.note_anew().await;
                let closed = async {
                    let announced = self.market.announce_one(&self.client, &row).await;
                    stream::last_arrival(&mut signals).await.map(|last| last - announced)
                };
                let (request, took) = tokio::join!(self.ask(meets), closed);
                self.add_to(&mut times[meets as usize], took, request).await;
            }
        }
        report("close of one symbol", times);
    }

    /// Adds the times of a close, including what the server recorded about it.
    async fn add_to(&self, times: &mut Times, took: Option<Duration>, request: Option<Duration>) {
        times.closes.extend(took);
        times.requests.extend(request);
        times.commits.push(self.longest("SELECT `revision` FROM `ta_bot_deployment_head`%SHARE MODE").await);
    }

    /// Sends what the close meets to the first replica. Returns how long that took.
    async fn ask(&self, meets: Meets) -> Option<Duration> {
        let revision = self.revision.load(Ordering::Relaxed);
        let module = &self.versions[revision as usize % 2];
        let (body, outcome) = match meets {
            Meets::Nothing => return None,
            Meets::Check => (json!({"action": "activate", "module": module, "validate_only": true}), "valid"),
            Meets::Swap => (json!({"action": "activate", "module": module}), "changed"),
        };
        let replica = &self.fleet.replicas[0];
        let url = replica.url("/api/v1/strategies/versions/deployment");
        let request =
            self.http.post(url).bearer_auth(replica.key()).header("If-Match", format!("\"{revision}\"")).json(&body);
        let begun = Instant::now();
        let answer: Json = request.send().await.unwrap().json().await.unwrap();
        let took = begun.elapsed();
        assert_eq!(answer["data"]["outcome"], outcome, "{answer}");
        if meets == Meets::Swap {
            self.revision.fetch_add(1, Ordering::Relaxed);
        }
        Some(took)
    }

    /// Waits until every replica has read the newest entry.
    async fn until_all_know(&self) {
        let newest = self.revision.load(Ordering::Relaxed);
        for replica in &self.fleet.replicas {
            let known = async || {
                let answer = replica.get("/api/v1/strategies/versions/deployment").await;
                answer["data"]["revision"].as_i64() == Some(newest)
            };
            ta_bot_tests::until(Duration::from_secs(30), async || replica.log_tail(), known).await;
        }
    }

    async fn outcomes(&self) {
        let (mut anew, mut errors) = (0.0, 0.0);
        for replica in &self.fleet.replicas {
            anew += replica.metric("ta_bot_jobs_total", "decided_anew").await;
            errors += replica.metric("ta_bot_strategy_failures_total", "").await;
        }
        let swaps = self.revision.load(Ordering::Relaxed);
        println!("{swaps} swaps; {anew} jobs were decided anew, {errors} evaluations failed");
    }

    /// Clears the server's log of slow statements.
    async fn note_anew(&self) {
        sqlx::query("TRUNCATE mysql.slow_log").execute(&self.pool).await.unwrap();
    }

    /// How long the longest recorded statement of a kind took; zero if all were too short to be recorded.
    async fn longest(&self, kind: &str) -> Duration {
        let sql =
            "SELECT CAST(MAX(TIME_TO_SEC(query_time)) * 1000000 AS SIGNED) FROM mysql.slow_log WHERE sql_text LIKE ?";
        let micros: Option<i64> = sqlx::query_scalar(sql).bind(kind).fetch_one(&self.pool).await.unwrap();
        Duration::from_micros(micros.unwrap_or(0) as u64)
    }
}

fn report(what: &str, times: [Times; 3]) {
    for (meets, times) in Meets::ALL.into_iter().zip(times) {
        println!("{what} that {meets}:");
        println!("  event to last signal: {}", quantiles(times.closes));
        println!("  longest that a commit took to lock the log: {}", quantiles(times.commits));
        if !times.requests.is_empty() {
            println!("  the request: {}", quantiles(times.requests));
        }
    }
}
