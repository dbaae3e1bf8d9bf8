//! What is stored over time, and what a commit takes while old rows are removed, on a real server with many symbols.
//!
//! First days pass in fast motion, with a round of removing at the end of each: a line says how many rows there are.
//! Then the same number of commits is measured in turns, without and with the removal of as many rows beside them.
//! `RETENTION_SYMBOLS` and `RETENTION_DAYS` set another size.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a benchmark may fail loudly")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use ta_bot_core::{Job, Timeframe, Timestamp};
use ta_bot_drivers::mysql::{Mysql, outbox::MysqlOutbox, retention::MysqlRetention};
use ta_bot_engine::{
    retention::{
        kind::{Keep, Kind},
        pruner::Pruner,
    },
    signals::outbox::{
        FinishedJob, Outbox as _,
        contract::{job, signal},
    },
    support::metrics::Metrics,
};
use ta_bot_test_servers::MariaDb;

const HOURS: i64 = 24;
const START: i64 = 1_767_225_600_000;
const HOUR_MS: i64 = 3_600_000;
/// How many jobs one commit has, as under load.
const COMMIT: usize = 64;
/// How many turns there are of each kind, and how many hours of jobs each of them commits.
const TURNS: i64 = 4;
const TURN: i64 = 12;

struct Service {
    server: MariaDb,
    outbox: MysqlOutbox,
    pruner: Arc<Pruner>,
    symbols: i64,
}

fn size(name: &str, default: i64) -> i64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

const fn after(hour: i64) -> Timestamp {
    Timestamp::from_millis(START + (hour + 1) * HOUR_MS)
}

impl Service {
    async fn start() -> Self {
        let server = MariaDb::start().await.unwrap();
        let database = Mysql::open(&server.create_database("bench").await.unwrap().parse().unwrap());
        database.ping().await.unwrap();
        let retention = Arc::new(MysqlRetention::new(database.clone()));
        let keep = Keep::default().with(Kind::Signals, 7).with(Kind::FinishedJobs, 3);
        let (signals, metrics) = (Some(Arc::clone(&retention) as _), Arc::new(Metrics::new().unwrap()));
        let pruner = Arc::new(Pruner { kept: vec![retention], signals, readers: None, keep, metrics });
        Self { server, outbox: MysqlOutbox::new(database), pruner, symbols: size("RETENTION_SYMBOLS", 1000) }
    }

    /// The jobs of an hour, of which one of a hundred has a signal.
    fn jobs(&self, hour: i64) -> Vec<FinishedJob> {
        let of = |index: i64| {
            let job = Job { timeframe: Timeframe::M15, ..job(&format!("COIN{index:04}"), hour * 4) };
            let signals = if (index + hour) % 100 == 0 { vec![signal(&job, "rsi", 0)] } else { Vec::new() };
            FinishedJob { job, signals, revision: 0 }
        };
        (0..self.symbols).map(of).collect()
    }

    /// Commits the jobs of an hour. Returns how long each commit took.
    async fn hour(&self, hour: i64) -> Vec<Duration> {
        let mut took = Vec::new();
        for jobs in self.jobs(hour).chunks(COMMIT) {
            let begun = Instant::now();
            let sent = self.outbox.commit(jobs, after(hour)).await.unwrap().new;
            took.push(begun.elapsed());
            let sent: Vec<String> = sent.iter().map(ToString::to_string).collect();
            self.outbox.mark_published(&sent, after(hour)).await.unwrap();
        }
        took
    }

    async fn rows(&self) -> String {
        let sql = "SELECT (SELECT COUNT(*) FROM bench.finished_jobs), (SELECT COUNT(*) FROM bench.signals)";
        self.server.sql(sql).await.unwrap().trim().to_owned()
    }
}

/// The 50th and the 99th percentile, and the longest, in milliseconds.
fn told(took: &mut [Duration]) -> [f64; 3] {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1000.0;
    [at(0.5), at(0.99), at(1.0)]
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let service = Arc::new(Service::start().await);
    let days = size("RETENTION_DAYS", 14);
    println!(
        "{} symbols, jobs kept for 3 days, signals for 7\nday\tfinished jobs\tsignals\tremoved in",
        service.symbols
    );
    for day in 0..days {
        for hour in day * HOURS..(day + 1) * HOURS {
            service.hour(hour).await;
        }
        let begun = Instant::now();
        let done = service.pruner.round(after((day + 1) * HOURS - 1), || true).await;
        assert!(done.iter().all(|done| done.error.is_none()), "{done:?}");
        println!("{}\t{}\t{:.1} s", day + 1, service.rows().await, begun.elapsed().as_secs_f64());
    }
    let (mut without, mut with, mut hour) = (Vec::new(), Vec::new(), days * HOURS);
    for _ in 0..TURNS {
        for is_pruning in [false, true] {
            let goes_on = Arc::new(AtomicBool::new(is_pruning));
            let (other, may_go_on) = (Arc::clone(&service), Arc::clone(&goes_on));
            // All of the hours before goes, which takes longer than the commits.
            let now = after(hour + 3 * HOURS);
            let pruning = tokio::spawn(async move {
                let done = other.pruner.round(now, || may_go_on.load(Ordering::Relaxed)).await;
                done.iter().map(|done| done.rows).sum::<u64>()
            });
            let took = if is_pruning { &mut with } else { &mut without };
            for _ in 0..TURN {
                took.extend(service.hour(hour).await);
                hour += 1;
            }
            goes_on.store(false, Ordering::Relaxed);
            let removed = pruning.await.unwrap();
            println!("{} commits, {removed} rows removed beside them", took.len());
        }
    }
    let ([half, most, longest], [half_with, most_with, longest_with]) = (told(&mut without), told(&mut with));
    println!("\na commit of {COMMIT} jobs\tp50\tp99\tlongest, ms");
    println!(
        "alone\t{half:.2}\t{most:.2}\t{longest:.2}\nwhile rows are removed\t{half_with:.2}\t{most_with:.2}\t{longest_with:.2}"
    );
    println!("ratio of p99: {:.2}", most_with / most);
}
