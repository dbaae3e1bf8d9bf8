//! The storm of faults with dirty inputs. Candles arrive early and unfinished, twice, corrected, with holes, off the
//! grid, with zero prices, out of order and late, while servers are killed. What comes of it is what an oracle says
//! that knows nothing but which rows were written, and when: the same jobs are decided, the same are given up for the
//! same reasons, and the same signals are published or expired. None is lost, none is there twice.
//!
//! The market's time is the test's. It goes on once the service has done all that it can do, so that nothing is late
//! unless the test makes it late.
//!
//! `STORM_SEEDS=7,11` runs only those seeds, `STORM_COUNT=3` runs the first three.

mod extractor;
mod oracle;
mod service;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_tests::{
    built_in,
    chance::{Chance, seeds},
    root,
};
use ta_bot_wasm::{Limits, Sandbox, StrategyModule};

use extractor::{AFTERWARDS, Extractor, ON_TIME, Row, Writes};
use oracle::Oracle;
use service::Service;

/// The shorter timeframe.
const SHORT: Timeframe = Timeframe::M5;
/// The longer timeframe, whose candles can be made of three shorter ones.
const LONG: Timeframe = Timeframe::M15;
const SYMBOLS: [&str; 3] = ["ADAUSDT", "BTCUSDT", "ETHUSDT"];
/// Some that signal often, and one that reads the next longer timeframe as well.
const STRATEGIES: [&str; 6] = [
    "bollinger_breakout_signals",
    "doji_reversal",
    "inside_bar_breakout",
    "macd",
    "multi_timeframe_trend_continuation",
    "rsi",
];
/// How long a candle is waited for, in milliseconds of the market's time.
const PATIENCE: i64 = 10_000;
/// How many of the newest candles of a window must be without a hole: few, so that there are many answers in spite of
/// the holes.
const GAP_WINDOW: u32 = 6;
/// When the market begins: at a full hour.
const BEGIN: Timestamp = Timestamp::from_millis(1_772_409_600_000);
/// How many shorter candles close in a storm.
const STEPS: i64 = 24;
const SEEDS: u64 = 20;
/// How many storms there are at the same time. Most of their time is spent waiting.
const AT_ONCE: usize = 4;

/// What was seen in storms, to tell whether they prove anything.
type Seen = BTreeMap<String, usize>;

#[tokio::test(flavor = "multi_thread")]
async fn dirty_inputs_and_faults_lead_to_exactly_what_was_written() {
    let sandbox = Sandbox::new(
        Limits { timeout: Duration::from_secs(20), ..Limits::default() },
        Some(root().join("target/compiled-for-tests")),
    )
    .unwrap();
    let load = |id: &&str| StrategyModule::load(&sandbox, &built_in::bytes(id).unwrap()).unwrap();
    let modules: Arc<Vec<StrategyModule>> = Arc::new(STRATEGIES.iter().map(load).collect());
    let storms = seeds(SEEDS).into_iter().map(|seed| {
        let modules = Arc::clone(&modules);
        async move { Storm::begin(seed, modules).await.weather().await }
    });
    let mut storms = stream::iter(storms).buffer_unordered(AT_ONCE);
    let mut all = Seen::new();
    while let Some(seen) = storms.next().await {
        for (what, count) in seen {
            *all.entry(what).or_default() += count;
        }
    }
    println!("{all:#?}");
    for what in ["published", "expired", "given up: unfinished", "given up: unsound", "given up: contradicted", "gaps"]
    {
        assert!(all.get(what).is_some_and(|count| *count > 0), "no {what} in all storms: they prove little");
    }
}

/// What else happens at a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// MySQL dies while rows are written and jobs are decided.
    MysqlAtClose,
    /// MySQL dies while jobs are given up.
    MysqlAfterPatience,
    /// MySQL dies while rows are mended.
    MysqlAtMending,
    /// NATS dies before the close, so that the announcements are lost.
    NatsBeforeClose,
    /// NATS is away until the next close.
    NatsUntilNext,
}

/// One storm.
struct Storm {
    seed: u64,
    chance: Chance,
    extractor: Extractor,
    oracle: Oracle,
    service: Service,
    seen: Seen,
    /// Rows that are mended after the next close.
    kept_back: Vec<Row>,
    nats_is_away: bool,
}

impl Storm {
    async fn begin(seed: u64, modules: Arc<Vec<StrategyModule>>) -> Self {
        let symbols: Vec<Symbol> = SYMBOLS.iter().map(|name| name.parse().unwrap()).collect();
        let extractor = Extractor::new(seed, &symbols, BEGIN, STEPS);
        let history = extractor.history();
        let service = Service::start(&symbols, &history, BEGIN).await;
        let mut oracle = Oracle::new(modules, service.settings.clone(), service.parameter_store, BEGIN);
        oracle.written(&history);
        let chance = Chance::new(seed + 1_000_000);
        let (seen, kept_back) = (Seen::new(), Vec::new());
        Self { seed, chance, extractor, oracle, service, seen, kept_back, nats_is_away: false }
    }

    async fn weather(mut self) -> Seen {
        let begun = Instant::now();
        self.agrees(BEGIN, "the beginning").await;
        for step in 1..=STEPS {
            let close = BEGIN.plus_millis(step * SHORT.millis());
            let writes = self.extractor.closes(close);
            let fault = if step == STEPS { Fault::None } else { self.fault() };
            *self.seen.entry(format!("fault {fault:?}")).or_default() += 1;
            self.close(close, writes, fault).await;
        }
        let seed = self.seed;
        let now = BEGIN.plus_millis(STEPS * SHORT.millis() + AFTERWARDS);
        self.count(now);
        assert_eq!(self.service.made(), self.oracle.made() as u64, "seed {seed}: candles that were made");
        let sent = self.service.sent().await;
        let each_once: BTreeSet<String> = sent.iter().cloned().collect();
        assert_eq!(sent.len(), each_once.len(), "seed {seed}: a signal is twice in the stream");
        let published = self.oracle.answer(now).signals.iter().filter(|(_, (state, _))| state == "published");
        assert_eq!(each_once, published.map(|(id, _)| id.clone()).collect(), "seed {seed}: the signals that went out");
        self.service.end().await;
        println!("seed {seed}: {} signals went out, {:.1} s", sent.len(), begun.elapsed().as_secs_f64());
        self.seen
    }

    /// Goes through what happens at one close, up to the next.
    async fn close(&mut self, close: Timestamp, writes: Writes, fault: Fault) {
        let Writes { on_time, soon, mut afterwards } = writes;
        afterwards.append(&mut self.kept_back);
        if matches!(fault, Fault::NatsBeforeClose | Fault::NatsUntilNext) {
            self.service.nats.kill().unwrap();
            self.nats_is_away = true;
        }
        self.passes(close.plus_millis(ON_TIME));
        self.writes(&on_time, fault == Fault::MysqlAtClose).await;
        if fault == Fault::NatsUntilNext {
            // Nothing can be decided before the next close. What would be written until then is written after it.
            self.kept_back = [soon, afterwards].concat();
            return;
        }
        if std::mem::take(&mut self.nats_is_away) {
            self.service.nats.restart().await.unwrap();
        }
        self.agrees(close.plus_millis(ON_TIME), "after the close").await;
        if !soon.is_empty() {
            self.writes(&soon, false).await;
            self.agrees(close.plus_millis(ON_TIME), "after what came soon").await;
        }
        self.passes(close.plus_millis(AFTERWARDS));
        if fault == Fault::MysqlAfterPatience {
            self.kill_mysql().await;
        }
        self.agrees(close.plus_millis(AFTERWARDS), "after the patience").await;
        if !afterwards.is_empty() {
            self.writes(&afterwards, fault == Fault::MysqlAtMending).await;
            self.agrees(close.plus_millis(AFTERWARDS), "after the mending").await;
        }
    }

    fn passes(&self, now: Timestamp) {
        self.service.clock.closed(now);
    }

    /// Writes rows and announces some of them, in any order and some of them twice, while MySQL may die.
    async fn writes(&mut self, rows: &[Row], kill: bool) {
        self.oracle.written(rows);
        let mut announced: Vec<_> = rows.iter().map(|row| (row.symbol.clone(), row.timeframe)).collect();
        for place in 0..announced.len() {
            let other = self.chance.below(announced.len() as u64) as usize;
            announced.swap(place, other);
        }
        announced.truncate(self.chance.below(announced.len() as u64 + 2) as usize);
        let desk = self.service.desk.clone();
        let writes = async move {
            desk.write(rows).await;
            for (symbol, timeframe) in announced {
                desk.announce(&symbol, timeframe).await;
            }
            // It finds what was not announced.
            desk.sweep().await;
        };
        if kill {
            let pause = self.chance.millis(0, 60);
            let killed = async {
                // The moment is the point of this pause: there is no condition to wait for.
                tokio::time::sleep(pause).await;
                self.kill_mysql().await;
            };
            tokio::join!(writes, killed);
        } else {
            writes.await;
        }
    }

    async fn kill_mysql(&mut self) {
        self.service.maria.kill().unwrap();
        self.service.maria.restart().await.unwrap();
    }

    /// Waits until the service answers what the oracle says.
    async fn agrees(&mut self, now: Timestamp, moment: &str) {
        let moment = format!("seed {}, {now}, {moment}", self.seed);
        let jobs = self.oracle.jobs(now);
        let expected = tokio::task::block_in_place(|| self.oracle.answer(now));
        self.service.desk.answers(expected, &jobs, &moment).await;
    }

    fn fault(&mut self) -> Fault {
        match self.chance.below(16) {
            0 | 1 => Fault::MysqlAtClose,
            2 => Fault::MysqlAfterPatience,
            3 => Fault::MysqlAtMending,
            4 => Fault::NatsBeforeClose,
            // One after the other would keep the test from ever writing what it keeps back.
            5 if !self.nats_is_away => Fault::NatsUntilNext,
            _ => Fault::None,
        }
    }

    /// Notes what the storm had in it.
    fn count(&mut self, now: Timestamp) {
        let gaps = self.oracle.gaps;
        let answer = self.oracle.answer(now);
        let mut kinds: Vec<String> = answer.signals.values().map(|(state, _)| state.clone()).collect();
        kinds.extend(answer.dead.values().map(|code| format!("given up: {code}")));
        kinds.extend(answer.decided.iter().map(|job| format!("decided: {}", job.timeframe)));
        for kind in kinds {
            *self.seen.entry(kind).or_default() += 1;
        }
        self.seen.insert("gaps".to_owned(), gaps);
        self.seen.insert("made".to_owned(), self.oracle.made());
        self.seen.extend(std::mem::take(&mut self.extractor.ways));
    }
}
