//! The whole engine on real stores, for its unit tests.
//!
//! The embedded drivers are compiled into the tests from their source. As a dependency they would implement the ports
//! of a different build of this crate.

use std::{path::Path, sync::Arc};

use ta_bot_core::{ApplicationSettings, Candle, Job, ModuleDigest, SignalTimestamp, Symbol, Timeframe, Timestamp};
use ta_bot_wasm::{Limits, Sandbox, WIT_VERSION};
use tempfile::TempDir;

use crate::{
    deployments::rollout::{self, Rollout},
    evaluation::HOST_VERSION,
    market::{
        cache::CandleCache,
        candle_store::CandleStore,
        candles::{Candles, DEFAULT_PATIENCE},
        revisions::Revisions,
    },
    modules::{
        admission::{Check, CheckName, CheckOutcome, Verdict},
        bundled::load_folder,
        loader::ModuleLoader,
        module_store::{Judgement, ModuleStore as _, Upload},
        registry::Registry,
    },
    pipeline::analysis::{Analyst, DEFAULT_GAP_WINDOW},
    settings::{application::SettingsBook, config_store::Author, parameters::ParameterBook, refresh::Books},
    signals::{
        actions::PublishedActions,
        bus::{Bus, local::LocalBus},
        outbox::Outbox,
    },
    sqlite::{
        Database, candles::SqliteCandles, config::SqliteConfig, deployments::SqliteDeployments, modules::SqliteModules,
        outbox::SqliteOutbox, revisions::SqliteRevisions, shadows::SqliteShadows,
    },
    support::{abilities::Abilities, metrics::Metrics},
};

/// The parts of the engine on one SQLite file, in a folder that is removed when the engine is dropped.
pub(crate) struct Engine {
    pub(crate) analyst: Arc<Analyst>,
    pub(crate) books: Books,
    pub(crate) bus: Arc<dyn Bus>,
    /// The same bus as `bus`.
    pub(crate) local_bus: Arc<LocalBus>,
    pub(crate) candles: Arc<Candles>,
    pub(crate) config: Arc<SqliteConfig>,
    pub(crate) modules: Arc<SqliteModules>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) shadows: Arc<SqliteShadows>,
    pub(crate) database: Database,
    pub(crate) folder: TempDir,
}

/// When the candles of tests begin: 2026-01-01.
pub(crate) const BEGIN: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The default settings of a service without any in its environment.
pub(crate) fn settings() -> ApplicationSettings {
    ApplicationSettings {
        symbols: ["BTCUSDT", "ETHUSDT", "ADAUSDT"].map(symbol).into(),
        timeframes: vec![Timeframe::M5, Timeframe::M15, Timeframe::H1],
        enabled_strategies: None,
        min_confidence: 0.6,
        max_confidence: 0.95,
        accepted_holes: Vec::new(),
    }
}

pub(crate) fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

/// A module that `make strategies` built.
pub(crate) fn strategy(id: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/strategies").join(format!("{id}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make strategies`", path.display()))
}

/// The same module with other bytes, and so with another digest: it gets a custom section that nothing reads.
pub(crate) fn variant(id: &str, number: u8) -> Vec<u8> {
    let mut bytes = strategy(id);
    // Section 0, three bytes long: a name of one byte, and one byte of content.
    bytes.extend([0, 3, 1, b'v', number]);
    bytes
}

/// Candles of a market that falls and bounces with its last candle, which RSI buys.
pub(crate) fn falling(timeframe: Timeframe, count: i64) -> Vec<Candle> {
    let candle = |index: i64| {
        let bounce = if index + 1 == count { 5.0 } else { 0.0 };
        let close = 100.0 - 0.1 * index as f64 + bounce;
        let open_time = BEGIN.plus_millis(index * timeframe.millis());
        Candle { open_time, open: close, high: close + 0.1, low: close - 0.1, close, volume: 5.0 }
    };
    (0..count).map(candle).collect()
}

/// Who changes something in tests.
pub(crate) fn author() -> Author {
    Author { changed_by: "ann".to_owned(), claimed_by: None, reason: None, at: Timestamp::now() }
}

impl Engine {
    /// Keeps a module as one that admission has admitted, or has refused.
    pub(crate) async fn keep(&self, bytes: &[u8], is_admitted: bool) -> ModuleDigest {
        let digest = self.modules.put(bytes).await.unwrap();
        let at = Timestamp::now();
        self.modules.note_upload(digest, &Upload { by: "ann".to_owned(), at, signed_by: None }).await.unwrap();
        let outcome = if is_admitted {
            CheckOutcome::Passed { note: "it holds".to_owned() }
        } else {
            CheckOutcome::Failed { problem: "it does not hold".to_owned(), example: None }
        };
        let check = Check { name: CheckName::Answers, outcome, evaluations: 1, duration_ms: 1.0 };
        let verdict = Verdict {
            digest: digest.to_string(),
            strategy: "rsi".to_owned(),
            host_version: HOST_VERSION.to_owned(),
            candles: "none".to_owned(),
            checks: vec![check],
        };
        let (version, wit_version) = ("1.0.0".to_owned(), WIT_VERSION.to_owned());
        self.modules.judge(digest, &Judgement::Checked { at, version, wit_version, verdict }).await.unwrap();
        digest
    }

    /// Stores `count` candles of a market that falls and bounces with its last candle, and returns that candle's job.
    pub(crate) async fn fall(&self, name: &str, timeframe: Timeframe, count: i64) -> Job {
        let symbol = symbol(name);
        self.candles.insert(&symbol, timeframe, &falling(timeframe, count)).await.unwrap();
        Job { symbol, timeframe, candle_close: BEGIN.plus_millis(count * timeframe.millis()) }
    }

    /// Creates an engine without strategies.
    pub(crate) async fn new(settings: ApplicationSettings) -> Self {
        Self::with_strategies(settings, &[]).await
    }

    /// Creates an engine with the given built-in strategies.
    pub(crate) async fn with_strategies(settings: ApplicationSettings, strategies: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let database = Database::open(folder.path()).await.unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let registry = Arc::new(Registry::new());
        let sandbox = Sandbox::new(Limits::default(), None).unwrap();
        let bundled = folder.path().join("bundled");
        std::fs::create_dir(&bundled).unwrap();
        for id in strategies {
            std::fs::write(bundled.join(format!("{id}.wasm")), strategy(id)).unwrap();
        }
        load_folder(&registry, &sandbox, &bundled);
        let config = Arc::new(SqliteConfig::new(database.clone()));
        let parameters = Arc::new(ParameterBook::new(config.clone(), Arc::clone(&registry)));
        let settings = Arc::new(SettingsBook::new(config.clone(), Arc::clone(&registry), settings));
        let modules = Arc::new(SqliteModules::new(database.clone()));
        let store: Arc<dyn CandleStore> = Arc::new(SqliteCandles::new(database.clone()));
        let stored = Arc::new(Candles::new(Arc::clone(&store), DEFAULT_PATIENCE, Arc::clone(&metrics)));
        let rollout = Arc::new(Rollout::new(rollout::Parts {
            store: Arc::new(SqliteDeployments::new(database.clone())),
            modules: modules.clone(),
            loader: Arc::new(ModuleLoader::new(modules.clone(), Arc::clone(&registry), sandbox)),
            registry: Arc::clone(&registry),
            parameters: Arc::clone(&parameters),
            settings: Arc::clone(&settings),
            candles: Arc::clone(&stored),
        }));
        let books = Books {
            parameters: Arc::clone(&parameters),
            settings: Arc::clone(&settings),
            rollout: Arc::clone(&rollout),
        };
        books.refresh().await.unwrap();
        let revisions = Revisions::new(Arc::new(SqliteRevisions::new(database.clone())), Arc::clone(&metrics));
        let candles = Arc::new(stored.through(Arc::new(CandleCache::new(store, Arc::new(revisions)))));
        let analyst = Arc::new(Analyst {
            candles: Arc::clone(&candles),
            registry: Arc::clone(&registry),
            rollout,
            parameters,
            settings,
            gap_window: DEFAULT_GAP_WINDOW,
            timestamp: SignalTimestamp::default(),
            actions: PublishedActions::default(),
            abilities: Arc::new(Abilities::new(Arc::clone(&metrics))),
            metrics,
            threads: Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()),
        });
        let local_bus = Arc::new(LocalBus::new());
        Self {
            analyst,
            books,
            bus: local_bus.clone(),
            local_bus,
            candles,
            config,
            modules,
            outbox: Arc::new(SqliteOutbox::new(database.clone())),
            registry,
            shadows: Arc::new(SqliteShadows::new(database.clone())),
            database,
            folder,
        }
    }
}
