//! A year in fast motion on a real server: what is stored levels off where the settings say, and nothing that was
//! removed is ever decided or sent again.

use std::{collections::BTreeMap, sync::Arc};

use ta_bot_core::Timestamp;
use ta_bot_drivers::mysql::{
    Mysql, costs::MysqlCosts, failures::MysqlFailures, outbox::MysqlOutbox, retention::MysqlRetention,
    shadows::MysqlShadows,
};
use ta_bot_engine::{
    deployments::shadow_store::{ShadowStore as _, contract::compared},
    evaluation::comparison::Comparison,
    retention::{
        kind::{Keep, Kind},
        pruner::Pruner,
    },
    signals::outbox::{
        DeadJob, FinishedJob, Outbox as _,
        contract::{finished, job},
    },
    supervision::{
        costs::{CostStore as _, contract::entry},
        failure::{FailureStore as _, contract::failure, packed::Packed},
    },
    support::metrics::Metrics,
};
use ta_bot_test_servers::MariaDb;

const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "ADAUSDT", "SOLUSDT"];
const DAYS: i64 = 365;
const HOURS: i64 = 24;
/// 2026-01-01 00:00, with which the candles of the contracts begin.
const START: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 86_400_000;
const WEEK: i64 = 7;
/// How many rows of each kind a day leaves.
const A_DAY: [(Kind, u64, u32); 6] = [
    (Kind::Signals, 8, 60),
    (Kind::FinishedJobs, 96, 14),
    (Kind::DeadJobs, 1, 30),
    (Kind::Costs, 4, 30),
    (Kind::Failures, 1, 40),
    (Kind::Shadows, 2, 30),
];

struct Service {
    server: MariaDb,
    outbox: MysqlOutbox,
    costs: MysqlCosts,
    failures: MysqlFailures,
    shadows: MysqlShadows,
    pruner: Pruner,
}

/// The job of an hour, with signals at six and at eighteen o'clock.
fn of_hour(symbol: &str, hour: i64) -> FinishedJob {
    finished(symbol, hour * 4, if hour % 12 == 6 { &["rsi"] } else { &[] })
}

fn midnight_after(day: i64) -> Timestamp {
    Timestamp::from_millis(START + (day + 1) * DAY_MS)
}

impl Service {
    async fn start() -> Self {
        let server = MariaDb::start().await.unwrap();
        let database = Mysql::open(&server.create_database("year").await.unwrap().parse().unwrap());
        database.ping().await.unwrap();
        let retention = Arc::new(MysqlRetention::new(database.clone()));
        let keep = A_DAY.into_iter().fold(Keep::default(), |keep, (kind, _, days)| keep.with(kind, days));
        let pruner = Pruner {
            kept: vec![Arc::clone(&retention) as _],
            signals: Some(retention),
            readers: None,
            keep,
            metrics: Arc::new(Metrics::new().unwrap()),
        };
        Self {
            server,
            outbox: MysqlOutbox::new(database.clone()),
            costs: MysqlCosts::new(database.clone()),
            failures: MysqlFailures::new(database.clone()),
            shadows: MysqlShadows::new(database),
            pruner,
        }
    }

    /// What a service stores in a day.
    async fn live(&self, day: i64) {
        let at = midnight_after(day);
        let hours = day * HOURS..(day + 1) * HOURS;
        let jobs: Vec<_> = hours.flat_map(|hour| SYMBOLS.map(|symbol| of_hour(symbol, hour))).collect();
        for jobs in jobs.chunks(64) {
            let sent = self.outbox.commit(jobs, at).await.unwrap().new;
            self.outbox.mark_published(&sent.iter().map(ToString::to_string).collect::<Vec<_>>(), at).await.unwrap();
        }
        let dead = job("DEADUSDT", day * HOURS * 4);
        let dead = DeadJob { job: dead, attempts: 5, reason: "missing".to_owned(), died_at: at, retried_at: None };
        self.outbox.bury(&dead).await.unwrap();
        self.costs.add(&SYMBOLS.map(|symbol| entry(day * HOURS, "rsi", b"rsi", symbol, 9))).await.unwrap();
        let mut failed = failure("rsi", b"rsi", "BTCUSDT", day * HOURS * 4);
        failed.at = at;
        self.failures.put(&Packed::new(&failed).unwrap()).await.unwrap();
        let seen = [("BTCUSDT", Comparison::Added), ("ETHUSDT", Comparison::Agree)];
        self.shadows.record(&seen.map(|(symbol, what)| compared(1, symbol, day * HOURS * 4, what))).await.unwrap();
    }

    /// How many rows of each kind there are.
    async fn stored(&self) -> BTreeMap<Kind, u64> {
        let tables = "signals finished_jobs dead_jobs ta_bot_costs ta_bot_failures ta_bot_shadow_comparisons";
        let counts: Vec<_> = tables.split(' ').map(|table| format!("(SELECT COUNT(*) FROM year.{table})")).collect();
        let counts = self.server.sql(&format!("SELECT {}", counts.join(", "))).await.unwrap();
        let counts = counts.trim().split('\t').map(|count| count.parse().unwrap());
        A_DAY.into_iter().map(|(kind, ..)| kind).zip(counts).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_levels_off_and_nothing_comes_again() {
    let service = Service::start().await;
    for day in 0..DAYS {
        service.live(day).await;
        if day % WEEK == WEEK - 1 {
            let done = service.pruner.round(midnight_after(day), || true).await;
            assert!(done.iter().all(|done| done.error.is_none()), "{done:?}");
            let stored = service.stored().await;
            for (kind, a_day, days) in A_DAY {
                // A bundle is one of the newest of its module, and a day may be cut in two by the hour.
                let most = (u64::from(days) + 1) * a_day;
                let least = a_day * u64::try_from(day + 1).unwrap().min(u64::from(days));
                assert!((least..=most).contains(&stored[&kind]), "day {day}, {kind}: {stored:?}");
            }
        }
    }
    assert_eq!(service.outbox.backlog().await.unwrap().signals, 0);
    // The whole year is announced once more. Each candle is known, whether its job is kept or not.
    let before = service.stored().await;
    let all: Vec<_> = (0..DAYS * HOURS).flat_map(|hour| SYMBOLS.map(|symbol| of_hour(symbol, hour))).collect();
    for jobs in all.chunks(512) {
        let asked: Vec<_> = jobs.iter().map(|done| (done.job.symbol.clone(), done.job.candle_close)).collect();
        let over = service.outbox.finished(jobs[0].job.timeframe, &asked).await.unwrap();
        assert_eq!(over.len(), asked.len());
        assert_eq!(service.outbox.commit(jobs, midnight_after(DAYS)).await.unwrap().new, []);
        let signals: Vec<_> = jobs.iter().flat_map(|done| done.signals.clone()).collect();
        assert_eq!(service.outbox.add(&signals, midnight_after(DAYS)).await.unwrap(), []);
    }
    assert_eq!((service.stored().await, service.outbox.unpublished(10).await.unwrap()), (before, vec![]));
}
