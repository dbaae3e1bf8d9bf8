//! The replicas, the market, and what is asked in every drill.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use ta_bot_tests::{
    replicas::{Fleet, Market, Replica, stream},
    two_strategies_dir, until,
};

use crate::verdicts::Verdicts;

const SYMBOLS: usize = 4;
const MINUTES: i64 = 10;
const REPLICAS: usize = 2;
/// How many strategies evaluate each candle.
const STRATEGIES: usize = 2;
/// How long it may take until a fault is told.
const TOLD: Duration = Duration::from_secs(10);
/// How long it may take until everything is well again.
const WELL: Duration = Duration::from_mins(1);

/// What is missing, as every replica must tell it.
pub(crate) struct Expected {
    pub(crate) ability: &'static str,
    /// What the error says.
    pub(crate) error: &'static str,
    /// What the remedy says.
    pub(crate) remedy: &'static str,
}

pub(crate) struct Course {
    pub(crate) fleet: Fleet,
    pub(crate) market: Market,
    pub(crate) pool: sqlx::MySqlPool,
    pub(crate) client: async_nats::Client,
    verdicts: Verdicts,
    /// How many minutes of the market have passed.
    minute: i64,
}

impl Course {
    pub(crate) async fn begin() -> Self {
        let market = Market::new(SYMBOLS, MINUTES);
        let mut fleet = Fleet::start_with_little_room(&market, REPLICAS).await;
        fleet.as_plain_user().await;
        for replica in &mut fleet.replicas {
            replica.set("STRATEGIES_DIR", two_strategies_dir().to_str().unwrap());
        }
        let client = async_nats::connect(fleet.nats.url()).await.unwrap();
        let verdicts = Verdicts::hear(&client).await;
        fleet.start_replicas().await;
        let pool = fleet.pool();
        let mut course = Self { fleet, market, pool, client, verdicts, minute: 0 };
        course.is_well("the start", Instant::now()).await;
        course.minute_passes().await;
        course.is_all_decided().await;
        course
    }

    /// Candles close.
    pub(crate) async fn minute_passes(&mut self) {
        assert!(self.minute < MINUTES, "the market is over");
        self.market.write_minute(&self.pool, self.minute).await;
        self.market.announce(&self.client, self.minute).await;
        self.minute += 1;
    }

    /// How many candles have closed.
    pub(crate) fn jobs(&self) -> usize {
        (0..self.minute).map(|minute| self.market.closing(minute).len()).sum()
    }

    /// How many candles closed in the last minute.
    pub(crate) fn jobs_of_the_last_minute(&self) -> usize {
        self.market.closing(self.minute - 1).len()
    }

    /// Waits until every replica tells what is missing, in all its ways.
    pub(crate) async fn is_told(&self, what: &str, since: Instant, missing: &[Expected]) {
        for replica in &self.fleet.replicas {
            for expected in missing {
                let health = async || replica.get("/health").await;
                let is_told = async || expected.is_in(&health().await) && expected.is_measured(replica).await;
                let rest = TOLD.saturating_sub(since.elapsed());
                until(rest, async || format!("{what}: {}\n{}", health().await, replica.log_tail()), is_told).await;
                expected.is_logged(replica);
            }
            self.is_ready(replica).await;
        }
        println!("{what}: told after {:.1} s", since.elapsed().as_secs_f64());
    }

    /// The API stays reachable for the operator.
    pub(crate) async fn is_ready(&self, replica: &Replica) {
        let answer = reqwest::get(replica.url("/ready")).await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }

    /// Waits until every replica is healthy.
    pub(crate) async fn is_well(&self, what: &str, since: Instant) {
        for replica in &self.fleet.replicas {
            let health = async || replica.get("/health").await;
            let otherwise = async || format!("{what}: {}\n{}", health().await, replica.log_tail());
            until(WELL, otherwise, async || health().await["status"] == "healthy").await;
        }
        println!("{what}: healthy after {:.1} s", since.elapsed().as_secs_f64());
    }

    /// Waits until everything that closed is decided and published, and checks that nothing was evaluated twice.
    pub(crate) async fn is_all_decided(&self) {
        self.fleet.until_finished(self.jobs()).await;
        let evaluated = self.sum("ta_bot_strategies_run_total").await;
        assert_eq!(evaluated, (STRATEGIES * self.jobs()) as f64, "{}", self.fleet.logs());
    }

    /// The sum of a metric over all replicas.
    pub(crate) async fn sum(&self, metric: &str) -> f64 {
        let mut sum = 0.0;
        for replica in &self.fleet.replicas {
            sum += replica.metric(metric, "").await;
        }
        sum
    }

    /// Checks what came out of all drills together.
    pub(crate) async fn end(&mut self) {
        assert_eq!(self.fleet.dead_jobs().await, 0);
        let stored: Vec<String> = sqlx::query_scalar("SELECT signal_id FROM signals WHERE published_at IS NOT NULL")
            .fetch_all(&self.pool)
            .await
            .unwrap();
        let sent = stream::ids(&self.fleet.nats.url()).await;
        let (stored, distinct): (BTreeSet<_>, BTreeSet<_>) = (stored.iter().collect(), sent.iter().collect());
        assert!(!stored.is_empty(), "without signals this shows nothing");
        assert_eq!((distinct.len(), &distinct), (sent.len(), &stored), "each signal once, and none is missing");
        let generated = self.sum("ta_bot_signals_generated_total").await;
        assert_eq!(self.sum("ta_bot_signals_committed_total").await, generated, "each signal was made once");
        self.verdicts.are_sound().await;
    }
}

impl Expected {
    fn is_in(&self, health: &Json) -> bool {
        let named = &health["abilities"][self.ability];
        let says = |field: &str, words: &str| named[field].as_str().is_some_and(|text| text.contains(words));
        health["status"] == "unhealthy"
            && named["ok"] == false
            && named["since"].is_string()
            && says("error", self.error)
            && says("remedy", self.remedy)
    }

    async fn is_measured(&self, replica: &Replica) -> bool {
        replica.metric("ta_bot_able", &format!("ability=\"{}\"", self.ability)).await == 0.0
    }

    fn is_logged(&self, replica: &Replica) {
        let log = replica.log();
        let is_line =
            |line: &str| line.contains("not healthy") && line.contains(self.ability) && line.contains(self.remedy);
        assert!(log.lines().any(is_line), "the log does not say it:\n{}", replica.log_tail());
    }
}
