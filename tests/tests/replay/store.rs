//! A store with signals of every strategy, and ways to change it behind the service's back.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value as Json;
use sqlx::{Connection as _, SqliteConnection};
use ta_bot::app::App;
use ta_bot_core::{Candle, Job, Signal, Symbol, Timeframe, Timestamp};
use ta_bot_drivers::sqlite::{Database, modules::SqliteModules};
use ta_bot_engine::{
    market::made_up::walk,
    modules::module_store::ModuleStore as _,
    signals::{
        outbox::{SignalFilter, StoredSignal},
        replay::{Replay, Verdict},
    },
};
use ta_bot_tests::{app, binary::ta_bot, built_in, gathered_by};
use tempfile::TempDir;

pub(crate) const BASE: Timeframe = Timeframe::M15;
pub(crate) const HIGHER: Timeframe = Timeframe::H1;
const CANDLES: i64 = 1200;
/// How many of the newest candles are looked at.
const JOBS: i64 = 120;

pub(crate) fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

/// The candles of 15 minutes.
pub(crate) fn market() -> Vec<Candle> {
    walk(&symbol(), (0..CANDLES).map(|index| Timestamp::from_millis(index * BASE.millis())), 100.0)
}

/// Those of an hour.
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

/// A store in a folder of its own, opened by a process that has none of the strategies loaded: what it replays, it
/// replays by the modules of the store.
pub(crate) struct Store {
    pub(crate) folder: TempDir,
    pub(crate) app: App,
}

impl Store {
    /// With these candles of 15 minutes and of an hour, and nothing else but the modules.
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

    /// With all candles, and the signals of the newest of them.
    pub(crate) async fn with_signals() -> Self {
        let store = Self::with(&market(), &hours()).await;
        let signals = store.analyse(jobs()).await;
        assert!(signals.len() > 20, "{} signals prove little", signals.len());
        store
    }

    /// Looks at candles with every strategy, in another process's place, and stores the signals.
    pub(crate) async fn analyse(&self, jobs: impl Iterator<Item = Job>) -> Vec<Signal> {
        let other = app::app(self.folder.path()).await.unwrap();
        let mut signals = Vec::new();
        for job in jobs {
            signals.extend(other.analyst.analyse(&job, None).await.unwrap().signals().cloned());
        }
        other.outbox.add(&signals, Timestamp::from_millis(0)).await.unwrap();
        signals
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

    /// The word for why a signal can't be made again.
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

    /// Changes at least one row.
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

    /// What `ta-bot replay` answers, in a process of its own that knows of no folder of strategies.
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
