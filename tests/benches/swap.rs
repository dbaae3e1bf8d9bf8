//! What a swap of a module costs the candles that it meets: three replicas on MariaDB, NATS, a MongoDB-compatible server
//! and a Kubernetes API, all on this machine, and closes that meet nothing, a request that only checks a swap, or a swap
//! between two modules that are compiled already.
//!
//! A check does what a swap does before it writes. So what it costs is work on the same processors, and what a swap costs
//! beyond it is the pause: the lock on the log that commits wait for, and what replicas do when they hear of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may fail loudly")]

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::Client;
use serde_json::{Value as Json, json};
use sqlx::MySqlPool;
use ta_bot_core::Timestamp;
use ta_bot_tests::{
    quantiles,
    replicas::{Fleet, Market, SHORT, SUBJECT, stream, upload},
};

const SYMBOLS: usize = 200;
const REPLICAS: usize = 3;
/// How many minutes all symbols close at once.
const ROUNDS: i64 = 60;
/// How many minutes after those symbols close one by one.
const MINUTES_ALONE: i64 = 3;
/// How long after the event of a whole close a swap comes: its jobs are being decided and committed then.
const IN_THE_MIDDLE: Duration = Duration::from_millis(20);
/// How long the probe rests between two looks. Shorter waits it may miss.
const PROBE_PAUSE: Duration = Duration::from_millis(1);

/// What a close meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meets {
    Nothing,
    Check,
    Swap,
}

impl Meets {
    const ALL: [Self; 3] = [Self::Nothing, Self::Check, Self::Swap];

    /// In turns, so that whatever else the machine does falls on all alike.
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

/// What was measured of the closes of one kind.
#[derive(Default)]
struct Times {
    closes: Vec<Duration>,
    requests: Vec<Duration>,
    longest_waits: Vec<Duration>,
    /// How long transactions waited for each other's locks, all of them together, as the server counts it.
    all_waits: Vec<Duration>,
}

struct Bench {
    market: Market,
    fleet: Fleet,
    pool: MySqlPool,
    client: Client,
    http: reqwest::Client,
    versions: [String; 2],
    revision: AtomicI64,
    probe: Arc<Probe>,
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
        fleet.without_proxies();
        fleet.start_replicas().await;
        let (pool, client) = (fleet.pool(), async_nats::connect(fleet.nats.url()).await.unwrap());
        let replica = &fleet.replicas[0];
        let versions = [upload(replica, "versions_v1").await, upload(replica, "versions_v2").await];
        let probe = Probe::start(fleet.pool());
        let (http, revision) = (reqwest::Client::new(), AtomicI64::new(0));
        let bench = Self { market, fleet, pool, client, http, versions, revision, probe };
        // From here on every replica has both.
        for _ in 0..2 {
            bench.ask(Meets::Swap).await;
            bench.until_all_know().await;
        }
        bench
    }

    /// All symbols close, and in the middle of their jobs comes what they meet.
    async fn all_at_once(&self) {
        let mut times = [(); 3].map(|()| Times::default());
        let mut finished = 0;
        for minute in 0..ROUNDS {
            let meets = Meets::next(minute as usize);
            let waited = self.waited().await;
            self.market.write_minute(&self.pool, minute).await;
            finished += self.market.closing(minute).len();
            let (event, begun) = (Timestamp::now(), Instant::now());
            let asked = async {
                tokio::time::sleep(IN_THE_MIDDLE).await;
                self.ask(meets).await
            };
            let (request, ()) = tokio::join!(asked, self.market.announce(&self.client, minute));
            self.fleet.until_finished(finished).await;
            let took = stream::last_stored(&self.client).await - event.millis();
            // Every fifth the longer candles close beside: those would be something else.
            if self.market.closing(minute).len() == SYMBOLS {
                let took = Some(Duration::from_millis(took as u64));
                self.note(&mut times[meets as usize], took, request, (begun, waited)).await;
            }
        }
        report(&format!("close of {SYMBOLS} symbols at once"), times);
    }

    async fn one_by_one(&self) {
        let mut signals = self.client.subscribe(SUBJECT).await.unwrap();
        let mut times = [(); 3].map(|()| Times::default());
        let mut number = 0;
        for minute in ROUNDS..ROUNDS + MINUTES_ALONE {
            for row in self.market.closing(minute).into_iter().filter(|row| row.1 == SHORT) {
                let meets = Meets::next(number);
                number += 1;
                let waited = self.waited().await;
                self.market.write(&self.pool, &[row]).await;
                let begun = Instant::now();
                let closed = async {
                    let announced = self.market.announce_one(&self.client, &row).await;
                    stream::last_arrival(&mut signals).await.map(|last| last - announced)
                };
                let (request, took) = tokio::join!(self.ask(meets), closed);
                self.note(&mut times[meets as usize], took, request, (begun, waited)).await;
            }
        }
        report("close of one symbol", times);
    }

    /// Adds a close that began then, when transactions had waited so long for locks.
    async fn note(
        &self,
        times: &mut Times,
        took: Option<Duration>,
        request: Option<Duration>,
        (begun, waited): (Instant, Duration),
    ) {
        times.closes.extend(took);
        times.requests.extend(request);
        times.longest_waits.push(self.probe.longest_since(begun));
        times.all_waits.push(self.waited().await.saturating_sub(waited));
    }

    /// Asks the first replica. Answers how long it took.
    async fn ask(&self, meets: Meets) -> Option<Duration> {
        let revision = self.revision.load(Ordering::Relaxed);
        let module = &self.versions[revision as usize % 2];
        let (body, outcome) = match meets {
            Meets::Nothing => return None,
            Meets::Check => (json!({"action": "activate", "module": module, "validate_only": true}), "valid"),
            Meets::Swap => (json!({"action": "activate", "module": module}), "changed"),
        };
        let url = self.fleet.replicas[0].url("/api/v1/strategies/versions/deployment");
        let request = self.http.post(url).header("If-Match", format!("\"{revision}\"")).json(&body);
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

    /// How long transactions have waited for locks so far.
    async fn waited(&self) -> Duration {
        let status = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_time'";
        let (_, millis): (String, String) = sqlx::query_as(status).fetch_one(&self.pool).await.unwrap();
        Duration::from_millis(millis.parse().unwrap())
    }
}

/// Takes over and over the lock that a commit takes last, as a commit that is at its end at that moment.
struct Probe(Mutex<Vec<(Instant, Duration)>>);

impl Probe {
    fn start(pool: MySqlPool) -> Arc<Self> {
        let probe = Arc::new(Self(Mutex::default()));
        let looking = Arc::clone(&probe);
        tokio::spawn(async move {
            let mut connection = pool.acquire().await.unwrap();
            loop {
                tokio::time::sleep(PROBE_PAUSE).await;
                let begun = Instant::now();
                let look =
                    sqlx::query("SELECT `revision` FROM `ta_bot_deployment_head` WHERE `id` = 1 LOCK IN SHARE MODE");
                if let Err(error) = look.execute(&mut *connection).await {
                    // At the end of the benchmark, when the server ends.
                    return println!("the probe ends: {error}");
                }
                looking.0.lock().unwrap().push((begun, begun.elapsed()));
            }
        });
        probe
    }

    /// The longest look that began since then; the others are forgotten.
    fn longest_since(&self, since: Instant) -> Duration {
        let looks = std::mem::take(&mut *self.0.lock().unwrap());
        looks.into_iter().filter(|(begun, _)| *begun >= since).map(|(_, took)| took).max().unwrap_or_default()
    }
}

fn report(what: &str, times: [Times; 3]) {
    for (meets, times) in Meets::ALL.into_iter().zip(times) {
        println!("{what} that {meets}:");
        println!("  event to last signal: {}", quantiles(times.closes));
        println!("  longest wait at the end of a commit, sampled: {}", quantiles(times.longest_waits));
        println!("  waits for locks, together: {}", quantiles(times.all_waits));
        if !times.requests.is_empty() {
            println!("  the request: {}", quantiles(times.requests));
        }
    }
}
