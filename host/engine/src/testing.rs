//! The whole engine on real stores, for the unit tests of its parts.
//!
//! The embedded drivers are compiled into the tests from their own source: as a dependency they would implement the ports
//! of another build of this crate.

use std::{path::Path, sync::Arc};

use ta_bot_core::{ApplicationSettings, Symbol, Timeframe};
use ta_bot_wasm::{Limits, Sandbox};
use tempfile::TempDir;

use crate::{
    deployments::{
        impact::Impact,
        rollout::{self, Rollout},
    },
    market::{cache::CandleCache, candle_store::CandleStore},
    modules::{bundled::load_folder, loader::ModuleLoader, registry::Registry},
    pipeline::analysis::Analyst,
    settings::{application::SettingsBook, parameters::ParameterBook, refresh::Books},
    signals::{
        bus::{Bus, local::LocalBus},
        outbox::Outbox,
    },
    sqlite::{
        Database, candles::SqliteCandles, config::SqliteConfig, deployments::SqliteDeployments, modules::SqliteModules,
        outbox::SqliteOutbox, shadows::SqliteShadows,
    },
    support::metrics::Metrics,
};

/// The parts of the engine on one SQLite file, in a folder that is removed in the end.
pub(crate) struct Engine {
    pub(crate) analyst: Arc<Analyst>,
    pub(crate) books: Books,
    pub(crate) bus: Arc<dyn Bus>,
    /// The same bus.
    pub(crate) local_bus: Arc<LocalBus>,
    pub(crate) candles: Arc<dyn CandleStore>,
    pub(crate) impact: Impact,
    pub(crate) modules: Arc<SqliteModules>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) shadows: Arc<SqliteShadows>,
    pub(crate) folder: TempDir,
}

/// The settings of a service whose environment says nothing of them.
pub(crate) fn settings() -> ApplicationSettings {
    ApplicationSettings {
        symbols: ["BTCUSDT", "ETHUSDT", "ADAUSDT"].map(symbol).into(),
        timeframes: vec![Timeframe::M5, Timeframe::M15, Timeframe::H1],
        enabled_strategies: None,
        min_confidence: 0.6,
        max_confidence: 0.95,
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

impl Engine {
    /// An engine without strategies.
    pub(crate) async fn new(settings: ApplicationSettings) -> Self {
        Self::with_strategies(settings, &[]).await
    }

    /// An engine with these of the built-in strategies.
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
        let settings = Arc::new(SettingsBook::new(config, Arc::clone(&registry), settings));
        let modules = Arc::new(SqliteModules::new(database.clone()));
        let stored: Arc<dyn CandleStore> = Arc::new(SqliteCandles::new(database.clone()));
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
        let candles: Arc<dyn CandleStore> = Arc::new(CandleCache::new(Arc::clone(&stored)));
        let analyst = Arc::new(Analyst {
            candles: Arc::clone(&candles),
            registry: Arc::clone(&registry),
            rollout,
            parameters,
            settings,
            metrics,
            threads: Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()),
        });
        let local_bus = Arc::new(LocalBus::new());
        Self {
            impact: Impact::new(Arc::clone(&analyst), stored),
            analyst,
            books,
            bus: local_bus.clone(),
            local_bus,
            candles,
            modules,
            outbox: Arc::new(SqliteOutbox::new(database.clone())),
            registry,
            shadows: Arc::new(SqliteShadows::new(database)),
            folder,
        }
    }
}
