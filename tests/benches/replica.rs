//! One replica on MariaDB, NATS, a MongoDB-compatible server and a Kubernetes API, all on this machine: a close of
//! 1,000 symbols at once from its event to the last acknowledged signal, a close of one symbol, memory, and the
//! shutdown under load. The benchmark `swap` measures what a swap of a module costs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may fail loudly")]

use std::time::{Duration, Instant};

use async_nats::Client;
use sqlx::MySqlPool;
use ta_bot_core::Timestamp;
use ta_bot_tests::{
    processor_seconds, quantiles,
    replicas::{Fleet, Market, READERS, SHORT, stream},
};

const SYMBOLS: usize = 1000;
/// In how many minutes all symbols close. In every fifth one the five-minute candles close as well, so it has twice the
/// jobs.
const ROUNDS: i64 = 10;
/// The minute in which symbols close one by one, and how many of them do.
const ALONE: (i64, usize) = (10, 500);

/// What is counted in addition to the time.
#[derive(Clone, Copy)]
struct Counts {
    evaluations: f64,
    queries: f64,
    signals: u64,
    /// The processor's time of the service, of MariaDB and of NATS, in seconds.
    seconds: [f64; 3],
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
        bench.shutdown().await;
    });
}

impl Bench {
    async fn start() -> Self {
        let market = Market::new(SYMBOLS, 12);
        let mut fleet = Fleet::start(&market, 1).await;
        fleet.as_in_production().await;
        // The log settings of a real deployment.
        fleet.replicas[0].set("LOG_LEVEL", "info");
        fleet.replicas[0].set("LOG_FORMAT", "json");
        fleet.start_replicas().await;
        let pool = fleet.pool();
        let client = async_nats::connect(fleet.nats.url()).await.unwrap();
        println!("memory when ready: {} MB", fleet.replicas[0].memory("VmRSS") / 1024);
        Self { market, fleet, pool, client }
    }

    async fn all_at_once(&self) {
        for minute in 0..ROUNDS {
            self.market.write_minute(&self.pool, minute).await;
            let jobs = self.market.closing(minute).len();
            let close = self.market.start.plus_millis((minute + 1) * SHORT.millis());
            let before = self.counts().await;
            let event = Timestamp::now();
            self.market.announce(&self.client, minute).await;
            self.fleet.until_closed(close, jobs).await;
            let took = stream::last_stored(&self.client).await - event.millis();
            let after = self.counts().await;
            let evaluations = after.evaluations - before.evaluations;
            let [service, maria, nats] = [0, 1, 2].map(|of| (after.seconds[of] - before.seconds[of]) * 1000.0);
            println!(
                "close of {jobs} series, {}: {took} ms to the last stored signal; {evaluations} evaluations, {:.0} a \
                 second; {} signals; {:.0} statements; processor: service {service:.0} ms, MariaDB {maria:.0} ms, NATS \
                 {nats:.0} ms",
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
        let mut signals = self.client.subscribe(READERS).await.unwrap();
        let (mut from_event, mut from_write) = (Vec::new(), Vec::new());
        for row in self.market.closing(minute).into_iter().filter(|row| row.1 == SHORT).take(symbols) {
            let written = Instant::now();
            self.market.write(&self.pool, &[row]).await;
            let announced = self.market.announce_one(&self.client, &row).await;
            if let Some(last) = stream::last_arrival(&mut signals).await {
                from_event.push(last - announced);
                from_write.push(last - written);
            }
        }
        println!("close of one symbol, event to last signal: {}", quantiles(from_event));
        println!("the same from the candle's write on: {}", quantiles(from_write));
    }

    async fn shutdown(&mut self) {
        let minute = 11;
        self.market.write_minute(&self.pool, minute).await;
        self.market.announce(&self.client, minute).await;
        let before = stream::state(&self.client).await.messages;
        while stream::state(&self.client).await.messages < before + 100 {
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
        let pids = [self.fleet.replicas[0].pid(), self.fleet.maria.pid(), self.fleet.nats.pid()];
        Counts {
            evaluations: self.fleet.replicas[0].metric("ta_bot_strategy_executions_total", "").await,
            queries: queries.1.parse().unwrap(),
            signals: stream::state(&self.client).await.messages,
            seconds: pids.map(|pid| processor_seconds(pid.unwrap())),
        }
    }
}
