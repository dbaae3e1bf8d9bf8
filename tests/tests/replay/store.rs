//! A store with signals of every strategy, and ways to change it behind the service's back.

use std::{
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

use serde_json::Value as Json;
use sqlx::{Connection as _, SqliteConnection};
use ta_bot::app::App;
use ta_bot_core::{
    Candle, CandleSlice, CandleWindow, Job, LevelsOfLog, MessageRules, MessageTexts, ParameterLevels,
    ResolvedParameters, Signal, StrategyId, Symbol, Timeframe, Timestamp,
};
use ta_bot_drivers::sqlite::{Database, modules::SqliteModules};
use ta_bot_engine::{
    evaluation::{Inputs, Origin, Outcome, extra_windows},
    market::made_up::walk,
    modules::module_store::ModuleStore as _,
    signals::{
        outbox::{SignalFilter, StoredSignal},
        replay::{Replay, Verdict},
    },
};
use ta_bot_tests::{app, binary::ta_bot, built_in, gathered_by};
use ta_bot_wasm::{Limits, Sandbox, StrategyModule};
use tempfile::TempDir;

pub(crate) const BASE: Timeframe = Timeframe::M15;
pub(crate) const HIGHER: Timeframe = Timeframe::H1;
const CANDLES: i64 = 1200;
/// How many of the newest candles are evaluated.
const JOBS: i64 = 120;

pub(crate) fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

/// The 15-minute candles.
pub(crate) fn market() -> Vec<Candle> {
    walk(&symbol(), (0..CANDLES).map(|index| Timestamp::from_millis(index * BASE.millis())), 100.0)
}

/// The one-hour candles.
pub(crate) fn hours() -> Vec<Candle> {
    gathered_by(4, &market())
}

/// The newest jobs, oldest first.
pub(crate) fn jobs() -> impl Iterator<Item = Job> {
    (CANDLES - JOBS..CANDLES).map(|index| Job {
        symbol: symbol(),
        timeframe: BASE,
        candle_close: Timestamp::from_millis((index + 1) * BASE.millis()),
    })
}

/// A store in a folder of its own, opened by a process that has none of the strategies loaded, so it replays signals
/// with the modules of the store.
pub(crate) struct Store {
    pub(crate) folder: TempDir,
    pub(crate) app: App,
}

impl Store {
    /// A store with these 15-minute and one-hour candles, and nothing else but the modules.
    pub(crate) async fn with(base: &[Candle], higher: &[Candle]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        app::share_compiled(folder.path()).unwrap();
        let app = app::open(folder.path()).await.unwrap();
        app.candles.insert(&symbol(), BASE, base).await.unwrap();
        app.candles.insert(&symbol(), HIGHER, higher).await.unwrap();
        let modules = SqliteModules::new(Database::open(folder.path()).await.unwrap());
        for id in built_in::ids().unwrap() {
            modules.put(&built_in::bytes(&id).unwrap()).await.unwrap();
        }
        Self { folder, app }
    }

    /// A store with all candles, and the signals of the newest ones.
    pub(crate) async fn with_signals() -> Self {
        let store = Self::with(&market(), &hours()).await;
        let signals = store.analyse(jobs()).await;
        assert!(signals.len() > 20, "{} signals prove little", signals.len());
        store
    }

    /// Evaluates the jobs with every strategy, in place of another process, and stores the signals.
    pub(crate) async fn analyse(&self, jobs: impl Iterator<Item = Job>) -> Vec<Signal> {
        let other = app::app(self.folder.path()).await.unwrap();
        let mut signals = Vec::new();
        for job in jobs {
            signals.extend(other.analyst.analyse(&job).await.unwrap().signals().cloned());
        }
        other.outbox.add(&signals, Timestamp::from_millis(0)).await.unwrap();
        signals
    }

    /// Evaluates the jobs with one strategy as version 0.1.0 did, and stores the signals.
    pub(crate) async fn decided_by_version_0_1(
        &self,
        strategy: &StrategyId,
        jobs: impl Iterator<Item = Job>,
    ) -> Vec<Signal> {
        let other = app::app(self.folder.path()).await.unwrap();
        let module = other.registry.get(strategy).unwrap();
        let settings = other.analyst.settings.current();
        let mut signals = Vec::new();
        for job in jobs {
            let description = module.description();
            let wanted = [(Some((job.symbol.clone(), job.timeframe)), description.lookback)];
            let mut windows = Vec::new();
            for (series, count) in wanted.into_iter().chain(extra_windows(description, &job)) {
                let (symbol, timeframe) = series.unwrap();
                let candles = other.candles.as_stored(&symbol, timeframe, job.candle_close, count).await.unwrap();
                windows.push(CandleWindow::new(candles).unwrap());
            }
            let slices: Vec<CandleSlice<'_>> = windows.iter().map(|window| window.newest(usize::MAX)).collect();
            let parameters = other.analyst.parameters.resolve(&module, &job.symbol, &LevelsOfLog::default()).parameters;
            let inputs = Inputs {
                module: &module,
                parameters: &parameters,
                job: &job,
                base: slices[0],
                extra: &slices[1..],
                settings: &settings.settings,
                origin: Origin { host_version: "0.1.0", ..Origin::NONE },
            };
            if let Outcome::Signal(signal) = inputs.evaluate().outcome {
                signals.push(*signal);
            }
        }
        other.outbox.add(&signals, Timestamp::from_millis(0)).await.unwrap();
        signals
    }

    /// Keeps a module and stores its signal at a job, with its texts cut or not, as versions before there were bounds
    /// stored it.
    pub(crate) async fn signal_of(&self, bytes: &[u8], job: Job, texts: MessageTexts) -> Signal {
        let modules = SqliteModules::new(Database::open(self.folder.path()).await.unwrap());
        modules.put(bytes).await.unwrap();
        let limits = Limits { timeout: Duration::from_secs(20), ..Limits::default() };
        let module = StrategyModule::load(&Sandbox::new(limits, None).unwrap(), bytes).unwrap();
        let candles = market().into_iter().filter(|candle| BASE.close_of(candle.open_time) <= job.candle_close);
        let window = CandleWindow::new(candles).unwrap();
        let parameters = ResolvedParameters::resolve(&module.description().schema, &ParameterLevels::default());
        let inputs = Inputs {
            module: &module,
            parameters: &parameters,
            job: &job,
            base: window.newest(module.description().lookback as usize),
            extra: &[],
            settings: &self.app.analyst.settings.current().settings,
            origin: Origin { rules: MessageRules { texts, ..MessageRules::default() }, ..Origin::NONE },
        };
        let Outcome::Signal(signal) = inputs.evaluate().outcome else { panic!("it has no signal") };
        self.app.outbox.add(&[(*signal).clone()], Timestamp::from_millis(0)).await.unwrap();
        *signal
    }

    /// The stored signals, oldest first.
    pub(crate) async fn signals(&self) -> Vec<StoredSignal> {
        let filter = SignalFilter { limit: u32::MAX, ..SignalFilter::default() };
        let mut signals = self.app.outbox.signals(&filter).await.unwrap();
        signals.reverse();
        signals
    }

    pub(crate) async fn replay(&self, id: &str) -> Replay {
        self.app.replayer.replay(&id.parse().unwrap()).await.unwrap().unwrap()
    }

    /// The code of the reason why a signal can't be made again.
    pub(crate) async fn cause(&self, id: &str) -> &'static str {
        let replay = self.replay(id).await;
        assert_eq!(replay.verdict(), Verdict::Impossible, "{replay:?}");
        replay.cause.unwrap().code()
    }

    /// The fields in which a signal differs.
    pub(crate) async fn differences(&self, id: &str) -> Vec<String> {
        let replay = self.replay(id).await;
        assert_eq!(replay.verdict(), Verdict::Different, "{replay:?}");
        replay.differences.named().iter().map(|difference| difference.field.clone()).collect()
    }

    pub(crate) async fn is_equal(&self, id: &str) -> bool {
        self.replay(id).await.verdict() == Verdict::Equal
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(ta_bot_drivers::sqlite::FILE_NAME)
    }

    /// Runs a statement, which must change at least one row.
    pub(crate) async fn sql(&self, statement: &str) {
        let mut connection = SqliteConnection::connect(&self.file().display().to_string()).await.unwrap();
        let changed =
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap().rows_affected();
        assert!(changed > 0, "{statement}");
    }

    /// Replaces the stored message of a signal.
    pub(crate) async fn rewrite(&self, id: &str, message: &str) {
        let mut connection = SqliteConnection::connect(&self.file().display().to_string()).await.unwrap();
        let update = sqlx::query("UPDATE signals SET message = ? WHERE signal_id = ?").bind(message).bind(id);
        assert_eq!(update.execute(&mut connection).await.unwrap().rows_affected(), 1);
    }

    /// Runs `ta-bot replay` in a process of its own that has no folder of strategies. Returns its exit code and its
    /// answer.
    pub(crate) fn command(&self, arguments: &[&str]) -> (Option<i32>, Json) {
        let output = self.run(&[arguments, &["--json"]].concat());
        let json = serde_json::from_slice(&output.stdout);
        (output.status.code(), json.unwrap_or_else(|error| panic!("{error}: {output:?}")))
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(ta_bot());
        command.env_clear().env("DATA_DIR", self.folder.path()).env("STRATEGIES_DIR", self.folder.path().join("none"));
        command.env("STRATEGY_TIMEOUT_MS", "20000").arg("replay").args(arguments).output().unwrap()
    }
}
