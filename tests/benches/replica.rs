//! One replica on MariaDB, NATS, a MongoDB-compatible server and a Kubernetes API, all on this machine: a close of 1,000
//! symbols at once from its event to the last acknowledged signal, a close of one symbol, also while a module is swapped,
//! memory, and the shutdown under load.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may fail loudly")]

use std::time::{Duration, Instant};

use async_nats::{Client, Subscriber, jetstream};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::json;
use sqlx::MySqlPool;
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};
use ta_bot_tests::replicas::{Fleet, Market, SHORT, SUBJECT, deploy, upload};

const SYMBOLS: usize = 1000;
/// How many minutes all symbols close. Every fifth the candles of five minutes close beside, so it has twice the jobs.
const ROUNDS: i64 = 10;
/// In which minute symbols close one by one, and how many of them.
const ALONE: (i64, usize) = (10, 500);
/// The same while a module is swapped at each close.
const SWAPPED: (i64, usize) = (11, 300);
/// After so long without a signal there is none to come: the first one, and another.
const QUIET: (Duration, Duration) = (Duration::from_millis(250), Duration::from_millis(60));
const STREAM: &str = "ta-bot-signals";

/// What is counted beside the time.
#[derive(Clone, Copy)]
struct Counts {
    evaluations: f64,
    queries: f64,
    signals: u64,
}

struct Bench {
    market: Market,
    fleet: Fleet,
    pool: MySqlPool,
    client: Client,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut bench = Bench::start().await;
        bench.all_at_once().await;
        bench.one_by_one().await;
        bench.one_by_one_with_swaps().await;
        bench.shutdown().await;
    });
}

impl Bench {
    async fn start() -> Self {
        let market = Market::new(SYMBOLS, 15);
        let mut fleet = Fleet::start(&market, 1).await;
        fleet.without_proxies();
        // As it is run.
        fleet.replicas[0].set("LOG_LEVEL", "info");
        fleet.replicas[0].set("LOG_FORMAT", "json");
        fleet.start_replicas().await;
        let (pool, client) = (fleet.pool(), async_nats::connect(fleet.nats.url()).await.unwrap());
        println!("memory when ready: {} MB", fleet.replicas[0].memory("VmRSS") / 1024);
        Self { market, fleet, pool, client }
    }

    async fn all_at_once(&self) {
        let mut finished = 0;
        for minute in 0..ROUNDS {
            self.market.write_minute(&self.pool, minute).await;
            let jobs = self.market.closing(minute).len();
            finished += jobs;
            let before = self.counts().await;
            let event = Timestamp::now();
            self.market.announce(&self.client, minute).await;
            self.fleet.until_finished(finished).await;
            let took = self.last_stored().await - event.millis();
            let after = self.counts().await;
            let evaluations = after.evaluations - before.evaluations;
            println!(
                "close of {jobs} series, {}: {took} ms to the last stored signal; {evaluations} evaluations, {:.0} a \
                 second; {} signals; {:.0} statements",
                if minute == 0 { "nothing in memory yet" } else { "windows in memory" },
                evaluations * 1000.0 / took as f64,
                after.signals - before.signals,
                after.queries - before.queries,
            );
        }
        let replica = &self.fleet.replicas[0];
        println!(
            "memory: {} MB resident, {} MB at most",
            replica.memory("VmRSS") / 1024,
            replica.memory("VmHWM") / 1024
        );
    }

    async fn one_by_one(&self) {
        let (minute, symbols) = ALONE;
        let mut signals = self.client.subscribe(SUBJECT).await.unwrap();
        let (mut from_event, mut from_write) = (Vec::new(), Vec::new());
        for row in self.alone(minute, symbols) {
            let written = Instant::now();
            self.market.write(&self.pool, &[row]).await;
            let announced = self.announce(&row).await;
            // Not every candle makes a signal.
            if let Some(last) = last_of(&mut signals).await {
                from_event.push(last - announced);
                from_write.push(last - written);
            }
        }
        report("close of one symbol, event to last signal", &mut from_event);
        report("the same from the candle's write on", &mut from_write);
    }

    /// Each close meets a swap between two versions of a strategy that are compiled already.
    async fn one_by_one_with_swaps(&self) {
        let (minute, symbols) = SWAPPED;
        let replica = &self.fleet.replicas[0];
        let versions = [upload(replica, "versions_v1").await, upload(replica, "versions_v2").await];
        let mut signals = self.client.subscribe(SUBJECT).await.unwrap();
        let (mut from_event, mut swaps) = (Vec::new(), Vec::new());
        for (number, row) in self.alone(minute, symbols).into_iter().enumerate() {
            self.market.write(&self.pool, &[row]).await;
            let body = json!({"action": "activate", "module": versions[number % 2]});
            let began = Instant::now();
            let swap = async {
                deploy(replica, "versions", &body, number as i64).await;
                began.elapsed()
            };
            let closed = async {
                let announced = self.announce(&row).await;
                last_of(&mut signals).await.map(|last| last - announced)
            };
            let (swapped, took) = tokio::join!(swap, closed);
            swaps.push(swapped);
            from_event.extend(took);
        }
        report("close of one symbol while a module is swapped, event to last signal", &mut from_event);
        report("the swap's own request", &mut swaps);
    }

    /// The first so many candles of the shorter timeframe that close in a minute.
    fn alone(&self, minute: i64, symbols: usize) -> Vec<(&Symbol, Timeframe, Candle)> {
        self.market.closing(minute).into_iter().filter(|row| row.1 == SHORT).take(symbols).collect()
    }

    /// Announces a candle. Answers when.
    async fn announce(&self, row: &(&Symbol, Timeframe, Candle)) -> Instant {
        let event = json!({"event_type": "extraction_completed", "symbol": row.0, "period": SHORT});
        let announced = Instant::now();
        let subject = format!("binance.extraction.klines.{}.{SHORT}", row.0);
        self.client.publish(subject, event.to_string().into()).await.unwrap();
        self.client.flush().await.unwrap();
        announced
    }

    async fn shutdown(&mut self) {
        let minute = 12;
        self.market.write_minute(&self.pool, minute).await;
        self.market.announce(&self.client, minute).await;
        let before = self.stream().await.messages;
        while self.stream().await.messages < before + 100 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let began = Instant::now();
        let status = self.fleet.replicas[0].terminate().await;
        println!(
            "shutdown in the middle of a close of {SYMBOLS} symbols: {} ms, {status}",
            began.elapsed().as_millis()
        );
    }

    async fn counts(&self) -> Counts {
        let queries: (String, String) =
            sqlx::query_as("SHOW GLOBAL STATUS LIKE 'Questions'").fetch_one(&self.pool).await.unwrap();
        Counts {
            evaluations: self.fleet.replicas[0].metric("ta_bot_strategy_executions_total", "").await,
            queries: queries.1.parse().unwrap(),
            signals: self.stream().await.messages,
        }
    }

    async fn stream(&self) -> jetstream::stream::State {
        let stream = jetstream::new(self.client.clone()).get_stream(STREAM).await;
        stream.unwrap().cached_info().state.clone()
    }

    /// When NATS stored the last signal, in Unix milliseconds; it acknowledges it at once.
    async fn last_stored(&self) -> i64 {
        (self.stream().await.last_timestamp.unix_timestamp_nanos() / 1_000_000) as i64
    }
}

/// When the last of the signals came that come now.
async fn last_of(signals: &mut Subscriber) -> Option<Instant> {
    let (mut last, (mut patience, further)) = (None, QUIET);
    while let Ok(Some(_)) = tokio::time::timeout(patience, signals.next()).await {
        (last, patience) = (Some(Instant::now()), further);
        while signals.next().now_or_never().is_some() {}
    }
    last
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!("{what}: p50 {:.1} ms, p99 {:.1} ms, of {}", at(0.5), at(0.99), times.len());
}
