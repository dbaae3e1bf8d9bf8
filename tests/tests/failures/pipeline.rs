//! Jobs of several symbols through the real pipeline, with and without a strategy that fails on one of them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use ta_bot::{app::App, environment::Environment};
use ta_bot_core::{Job, Symbol, Thresholds, Timeframe, Timestamp};
use ta_bot_drivers::sqlite::{Database, failures::SqliteFailures};
use ta_bot_engine::{
    evaluation::Outcome,
    market::made_up::walk,
    pipeline::{
        job_queue::{JobQueue, local::LocalQueue},
        worker::Pipeline,
    },
    signals::outbox::SignalFilter,
    supervision::{
        budget::Budget,
        costs::{CostBy, CostFilter},
        failure::{Failure, FailureFilter, FailureStore as _, FailureSummary},
        ladders::Ladders,
        recorder::recorder,
        watch::{Quarantine, Watch},
    },
    support::metrics::{BudgetGauge, SuspendedGauge},
};
use ta_bot_tests::{app::share_compiled, until};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{FAULTY, FAULTY_ON_OTHERS, replay, strategies};

const TIMEFRAME: Timeframe = Timeframe::M15;
const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "ADAUSDT"];
const CANDLES: i64 = 400;
/// How many of the newest candles are evaluated.
const JOBS: i64 = 40;
/// The candles among these that a strategy evaluates if it fails on all of them: the gaps between them grow.
const LOOKED_AT: [i64; 8] = [0, 1, 2, 4, 7, 12, 21, 38];

fn job(symbol: &str, index: i64) -> Job {
    let candle_close = Timestamp::from_millis((CANDLES - JOBS + index + 1) * TIMEFRAME.millis());
    Job { symbol: symbol.parse().unwrap(), timeframe: TIMEFRAME, candle_close }
}

/// The results of the jobs.
struct Done {
    folder: TempDir,
    app: App,
    /// Strategy, symbol and message of each signal.
    signals: BTreeSet<(String, String, String)>,
    quarantined: Vec<Quarantine>,
    ladders: Arc<Ladders>,
}

/// Does every job of these symbols, one after the other, with some sound strategies and the faulty ones.
async fn work(symbols: &[&str], faulty: &[&str], timeout_ms: u64) -> Done {
    work_within(Bounds::default(), symbols, faulty, timeout_ms).await
}

/// What a strategy may take of the time of the others.
#[derive(Default)]
struct Bounds {
    /// In a minute.
    budget: Option<Duration>,
    /// How long an evaluation may run before it is slow.
    slow: Option<Duration>,
}

/// Like [`work`], but with bounds of time.
async fn work_within(Bounds { budget, slow }: Bounds, symbols: &[&str], faulty: &[&str], timeout_ms: u64) -> Done {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    share_compiled(&data).unwrap();
    let variables = HashMap::from([
        ("DATA_DIR", data.display().to_string()),
        ("STRATEGIES_DIR", strategies(folder.path(), &["rsi", "macd", "momentum_pulse"], faulty).display().to_string()),
        ("STRATEGY_TIMEOUT_MS", timeout_ms.to_string()),
        ("MIN_CONFIDENCE", "0".to_owned()),
        ("MAX_CONFIDENCE", "1".to_owned()),
    ]);
    let app = App::open(Environment::read(|name| variables.get(name).cloned()).unwrap(), ta_bot_tests::app::children())
        .await
        .unwrap();
    app.load_strategies().await.unwrap();
    for symbol in symbols.iter().map(|symbol| symbol.parse().unwrap()) {
        let opens = (0..CANDLES).map(|index| Timestamp::from_millis(index * TIMEFRAME.millis()));
        app.candles.insert(&symbol, TIMEFRAME, &walk(&symbol, opens, 100.0)).await.unwrap();
    }
    let metrics = Arc::clone(&app.analyst.metrics);
    let (recorder, keeper) = recorder(failures(&data).await, Arc::clone(&metrics));
    let quarantined = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&quarantined);
    let on_quarantine = Box::new(move |wanted| noted.lock().unwrap().push(wanted));
    let ladders = Arc::new(Ladders::new(Thresholds::default(), Arc::clone(&app.registry)));
    metrics.add(Box::new(SuspendedGauge::new(Arc::clone(&ladders)).unwrap())).unwrap();
    let watch = Watch::new(Arc::clone(&ladders), recorder, Arc::clone(&metrics), on_quarantine);
    let budget = budget.map(|allowed| Arc::new(Budget::new(allowed, Duration::from_mins(1), Instant::now())));
    if let Some(budget) = &budget {
        metrics.add(Box::new(BudgetGauge::new(Arc::clone(budget)).unwrap())).unwrap();
    }
    let watch = watch.with_ledger(Arc::clone(&app.ledger), budget).with_slow_beyond(slow);
    let queue: Arc<dyn JobQueue> = Arc::new(LocalQueue::new(metrics));
    for index in 0..JOBS {
        for symbol in symbols {
            assert!(queue.push(job(symbol, index).into()).await.unwrap());
        }
    }
    let (analyst, outbox) = (Arc::clone(&app.analyst), Arc::clone(&app.outbox));
    let pipeline = Pipeline::new(analyst, outbox, Arc::clone(&queue), Arc::default(), 1, Some(Arc::new(watch)), None);
    let (stop, never) = (CancellationToken::new(), CancellationToken::new());
    let (running, keeping) = (tokio::spawn(pipeline.run(stop.clone())), tokio::spawn(keeper.run(never)));
    let left = async || format!("{} jobs are left", queue.depth().await.unwrap());
    until(Duration::from_mins(3), left, async || queue.depth().await.unwrap() == 0).await;
    stop.cancel();
    running.await.unwrap();
    // The last recorder has ended with the pipeline, so everything that waited is stored.
    keeping.await.unwrap();
    let filter = SignalFilter { limit: u32::MAX, ..SignalFilter::default() };
    let signals = app.outbox.signals(&filter).await.unwrap().into_iter();
    let signals = signals.map(|it| (it.strategy.to_string(), it.symbol.to_string(), it.message)).collect();
    let quarantined = std::mem::take(&mut *quarantined.lock().unwrap());
    Done { folder, app, signals, quarantined, ladders }
}

async fn failures(data: &std::path::Path) -> Arc<SqliteFailures> {
    Arc::new(SqliteFailures::new(Database::open(data).await.unwrap()))
}

impl Done {
    async fn failures(&self) -> Vec<(FailureSummary, String)> {
        let store = failures(&self.folder.path().join("data")).await;
        let filter = FailureFilter { limit: u32::MAX, ..FailureFilter::default() };
        let mut all = Vec::new();
        for summary in store.list(&filter).await.unwrap() {
            let document = store.get(summary.id).await.unwrap().unwrap();
            all.push((summary, document));
        }
        all.reverse();
        all
    }

    /// The series on which a strategy is suspended. The metric has their number.
    fn suspended_on(&self, strategy: &str) -> Vec<(Symbol, Timeframe)> {
        let series = self.ladders.suspended_on(&strategy.parse().unwrap());
        let gauge = format!("ta_bot_strategy_suspended_series{{strategy=\"{strategy}\"}}");
        assert_eq!(self.metric(&gauge), Some(series.len() as u64));
        series
    }

    /// How often each step of a strategy's ladder was taken.
    fn steps(&self, strategy: &str) -> [Option<u64>; 4] {
        ["skip", "back_off", "suspend", "quarantine"].map(|step| {
            self.metric(&format!("ta_bot_strategy_ladder_steps_total{{step=\"{step}\",strategy=\"{strategy}\"}}"))
        })
    }

    /// The value of a line of the metrics.
    fn metric(&self, series: &str) -> Option<u64> {
        self.reading(series).map(|value| value as u64)
    }

    fn reading(&self, series: &str) -> Option<f64> {
        let text: String = self.app.analyst.metrics.render().unwrap().collect();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_that_traps_on_one_symbol_changes_nothing_else_and_each_trap_is_reproduced_elsewhere() {
    let without = work(&SYMBOLS, &[], 20_000).await;
    let with = work(&SYMBOLS, &[FAULTY], 20_000).await;

    // The others have every signal as before, byte for byte. The faulty strategy has its own on the other symbols, one
    // for each candle.
    let (own, others): (BTreeSet<_>, BTreeSet<_>) =
        with.signals.iter().cloned().partition(|(strategy, ..)| strategy == FAULTY);
    assert!(without.signals.len() > 10, "{} signals prove little", without.signals.len());
    assert!(others == without.signals, "{} signals, {} without it", others.len(), without.signals.len());
    let of = |symbol: &str| own.iter().filter(|(_, of, _)| of == symbol).count() as i64;
    assert_eq!(SYMBOLS.map(of), [JOBS, 0, JOBS]);
    assert_eq!((without.failures().await.len(), without.quarantined.len()), (0, 0));

    // The steps of the ladder.
    let failures = with.failures().await;
    let closes: Vec<Job> = failures.iter().map(|(summary, _)| summary.job.clone()).collect();
    assert_eq!(closes, LOOKED_AT.map(|index| job("ETHUSDT", index)));
    assert_eq!(with.steps(FAULTY), [Some(2), Some(3), Some(3), None]);
    assert_eq!(with.suspended_on(FAULTY), [("ETHUSDT".parse().unwrap(), TIMEFRAME)]);
    assert_eq!(with.suspended_on("rsi"), []);
    assert_eq!(with.quarantined, []);
    let left_out = with.metric(&format!("ta_bot_strategy_left_out_total{{strategy=\"{FAULTY}\"}}"));
    assert_eq!(left_out, Some((JOBS - LOOKED_AT.len() as i64) as u64));
    let trapped = with.metric(&format!("ta_bot_strategy_failures_total{{code=\"trap\",strategy=\"{FAULTY}\"}}"));
    assert_eq!((trapped, with.metric("ta_bot_failure_bundles_total{outcome=\"kept\"}")), (Some(8), Some(8)));

    // Replays each failure elsewhere, with nothing but the document and the module.
    let elsewhere = tempfile::tempdir().unwrap();
    let module = elsewhere.path().join("module.wasm");
    std::fs::write(&module, super::support::component(&format!("faulty_{FAULTY}"))).unwrap();
    for (summary, document) in &failures {
        let failure = Failure::read(document.as_bytes()).unwrap();
        assert_eq!((failure.windows[0].candles.len(), &failure.summary()), (20, summary));
        let path = elsewhere.path().join("bundle.json");
        std::fs::write(&path, document).unwrap();
        let arguments = [path.to_str().unwrap(), "--module", module.to_str().unwrap()];
        let (code, answer) = replay(elsewhere.path(), &arguments, &[]);
        assert_eq!((code, answer["verdict"].as_str()), (Some(0), Some("equal")), "{answer}");
        assert_eq!(answer["failure_id"], summary.id.to_string());
        assert_eq!(answer["outcome"]["error"]["code"], "trap");
        assert_eq!(answer["outcome"]["error"]["message"], answer["recorded"]["message"]);
    }

    // A request for an analysis is answered, and its failure does not count.
    let asked = with.app.analyst.analyse(&job("ETHUSDT", JOBS - 1)).await.unwrap();
    let outcome = asked.outcomes.iter().find(|outcome| outcome.strategy.as_str() == FAULTY).unwrap();
    assert!(matches!(&outcome.outcome, Outcome::Error(error) if error.code() == "trap"), "{outcome:?}");
    assert_eq!(with.failures().await.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_that_traps_on_several_symbols_is_quarantined_and_one_that_traps_on_two_is_not() {
    let on_two = work(&SYMBOLS, &[FAULTY_ON_OTHERS], 20_000).await;
    assert_eq!(on_two.quarantined, []);
    let series = |symbol: &str| (symbol.parse().unwrap(), TIMEFRAME);
    assert_eq!(on_two.suspended_on(FAULTY_ON_OTHERS), ["ADAUSDT", "ETHUSDT"].map(series));
    assert_eq!(on_two.steps(FAULTY_ON_OTHERS), [Some(4), Some(6), Some(6), None]);

    // The third symbol ends it, although the strategy answers for another one all the time.
    let symbols = ["BTCUSDT", "ETHUSDT", "ADAUSDT", "SOLUSDT"];
    let on_three = work(&symbols, &[FAULTY_ON_OTHERS], 20_000).await;
    assert_eq!(on_three.suspended_on(FAULTY_ON_OTHERS), ["ADAUSDT", "ETHUSDT", "SOLUSDT"].map(series));
    // Nobody quarantines it here, so each further failure asks for that again.
    assert_eq!(on_three.steps(FAULTY_ON_OTHERS), [Some(6), Some(9), Some(2), Some(7)]);
    let candles: Vec<&Job> = on_three.quarantined.iter().map(|wanted| &wanted.job).collect();
    let again = [21, 38].into_iter().flat_map(|index| symbols[1..].iter().map(move |symbol| job(symbol, index)));
    let expected: Vec<Job> = std::iter::once(job("SOLUSDT", 12)).chain(again).collect();
    assert_eq!(candles, expected.iter().collect::<Vec<_>>());
    assert_eq!(on_three.quarantined[0].strategy.as_str(), FAULTY_ON_OTHERS);
    let reason = "it failed on 6 or more candles in a row of each of 3 symbols, the last time on SOLUSDT 15m";
    assert_eq!(on_three.quarantined[0].reason, reason);
    let answered = on_three.signals.iter().filter(|(strategy, ..)| strategy == FAULTY_ON_OTHERS).count();
    assert_eq!(answered, JOBS as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_that_never_ends_costs_its_time_a_few_times_only() {
    let symbols = &SYMBOLS[..1];
    let without = work(symbols, &[], 20_000).await;
    // Long enough for the others on a busy machine.
    let with = work(symbols, &["never_ends"], 1000).await;
    assert!(with.signals == without.signals, "{} signals, {} without it", with.signals.len(), without.signals.len());
    let failures = with.failures().await;
    assert!(failures.iter().all(|(summary, _)| summary.error.code == "timeout"), "{failures:?}");
    let closes: Vec<Job> = failures.into_iter().map(|(summary, _)| summary.job).collect();
    assert_eq!(closes, LOOKED_AT.map(|index| job(symbols[0], index)));
    assert_eq!(with.suspended_on("never_ends"), [(symbols[0].parse().unwrap(), TIMEFRAME)]);
    assert_eq!(with.quarantined, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_that_uses_up_its_time_is_left_out_for_the_rest_of_the_minute_and_the_others_go_on() {
    const SLOW: &str = "never_ends";
    let symbols = &SYMBOLS[..2];
    let without = work(symbols, &[], 20_000).await;
    let began = Instant::now();
    // Its first evaluation takes the whole budget; the others together take far less.
    let with = work_within(Bounds { budget: Some(Duration::from_secs(3)), slow: None }, symbols, &[SLOW], 3500).await;
    assert!(with.signals == without.signals, "{} signals, {} without it", with.signals.len(), without.signals.len());

    let minutes = began.elapsed().as_secs() / 60 + 1;
    let failures = with.failures().await.len() as u64;
    assert!((1..=minutes).contains(&failures), "{failures} evaluations in {minutes} minutes");
    let of = |name: &str, strategy: &str| with.metric(&format!("{name}{{strategy=\"{strategy}\"}}"));
    let throttled = of("ta_bot_strategy_throttled_total", SLOW).unwrap();
    assert!(throttled + failures <= 2 * JOBS as u64, "{throttled} left out, {failures} looked at");
    assert!(throttled >= JOBS as u64, "{throttled} left out");
    assert_eq!(of("ta_bot_strategy_budget_warnings_total", SLOW), Some(failures));
    for sound in ["rsi", "macd", "momentum_pulse"] {
        assert_eq!(of("ta_bot_strategy_throttled_total", sound), Some(0), "{sound}");
        let ratio = with.reading(&format!("ta_bot_strategy_budget_ratio{{strategy=\"{sound}\"}}")).unwrap();
        assert!(ratio > 0.0 && ratio < 1.0, "{sound} took {ratio}");
    }
    let ratio = with.reading(&format!("ta_bot_strategy_budget_ratio{{strategy=\"{SLOW}\"}}")).unwrap();
    assert!(ratio >= 1.0, "{ratio}");

    // Only its evaluations are in the ledger as failures, and they cost the most.
    let filter = CostFilter { strategy: None, module: None, symbol: None, since: Timestamp::from_millis(0) };
    let sums = with.app.ledger.sums(&filter, CostBy::Strategy).await.unwrap();
    let (group, cost) = &sums[0];
    assert_eq!(group.strategy.as_ref().unwrap().as_str(), SLOW);
    assert_eq!((cost.evaluations, cost.failures), (failures, failures));
    assert!(cost.longest >= Duration::from_millis(3500), "{cost:?}");
    for (group, cost) in &sums[1..] {
        assert_eq!((cost.evaluations, cost.failures), (2 * JOBS as u64, 0), "{group:?}");
        let strategy = group.strategy.as_ref().unwrap().as_str();
        let signals = with.signals.iter().filter(|(of, ..)| of == strategy).count() as u64;
        assert_eq!(cost.signals, signals, "{group:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_that_is_slow_is_left_out_for_the_rest_of_the_hour_and_the_others_go_on() {
    const SLOW: &str = "takes_its_time";
    let symbols = &SYMBOLS[..2];
    let without = work(symbols, &[], 20_000).await;
    let bounds = Bounds { budget: None, slow: Some(Duration::from_millis(10)) };
    let with = work_within(bounds, symbols, &[SLOW], 20_000).await;
    let of_others = with.signals.iter().filter(|(strategy, ..)| strategy != SLOW).cloned().collect::<BTreeSet<_>>();
    assert!(of_others == without.signals, "{} signals, {} without it", of_others.len(), without.signals.len());

    // One evaluation takes about a tenth of a second, so a few of them are all that it may have.
    let of = |name: &str, strategy: &str| with.metric(&format!("{name}{{strategy=\"{strategy}\"}}"));
    let throttled = of("ta_bot_strategy_throttled_total", SLOW).unwrap();
    assert!((2 * JOBS as u64 - 20..2 * JOBS as u64).contains(&throttled), "{throttled} left out");
    assert_eq!(of("ta_bot_strategy_budget_warnings_total", SLOW), Some(1), "it is said once");
    for sound in ["rsi", "macd", "momentum_pulse"] {
        assert_eq!(of("ta_bot_strategy_throttled_total", sound), Some(0), "{sound}");
    }
    assert_eq!(with.quarantined, []);
}
