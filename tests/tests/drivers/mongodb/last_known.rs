//! Evaluations while the server is away, even after a restart of the service in that state.

use std::path::Path;

use ta_bot::environment::Environment;
use ta_bot_core::{Candle, Job, SignalTimestamp, Timeframe};
use ta_bot_drivers::sqlite::{self, candles::SqliteCandles, deployments::SqliteDeployments, modules::SqliteModules};
use ta_bot_engine::{
    deployments::rollout::{self, Rollout},
    evaluation::Outcome,
    market::candles::{Candles, DEFAULT_PATIENCE},
    modules::{bundled::load_folder, loader::ModuleLoader, module_store::ModuleStore, registry::Registry},
    pipeline::analysis::{AnalysisError, Analyst, DEFAULT_GAP_WINDOW},
    settings::{
        application::SettingsBook,
        last_known::{FILE_NAME, LastKnown},
        parameters::ParameterBook,
        refresh::Books,
    },
    signals::actions::PublishedActions,
    support::{abilities::Abilities, metrics::Metrics},
};
use ta_bot_tests::{root, two_strategies_dir};
use ta_bot_wasm::{Limits, Sandbox};
use tempfile::TempDir;

use super::*;

/// The parts of one process of the service, started on a folder.
struct Replica {
    analyst: Arc<Analyst>,
    books: Books,
    store: MongoConfig,
    job: Job,
}

impl Replica {
    /// Starts, whether the server is available or not.
    async fn start(data_dir: &Path, uri: &str) -> Self {
        let database = sqlite::Database::open(data_dir).await.unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let stored = Arc::new(SqliteCandles::new(database.clone()));
        let candles = Arc::new(Candles::new(stored, DEFAULT_PATIENCE, Arc::clone(&metrics)));
        let mongo = open(uri, "petrosa");
        let file = LastKnown::open(data_dir, mongo.place());
        let store = MongoConfig::new(mongo);
        let registry = Arc::new(loaded());
        let environment = Environment::read(|_| None).unwrap();
        let parameters = ParameterBook::new(Arc::new(store.clone()), Arc::clone(&registry));
        let parameters = Arc::new(parameters.with_last_known(Arc::clone(&file)));
        let settings = SettingsBook::new(Arc::new(store.clone()), Arc::clone(&registry), environment.settings);
        let settings = Arc::new(settings.with_last_known(file));
        let modules: Arc<dyn ModuleStore> = Arc::new(SqliteModules::new(database.clone()));
        let sandbox = Sandbox::new(Limits::default(), None).unwrap();
        let rollout = Arc::new(Rollout::new(rollout::Parts {
            store: Arc::new(SqliteDeployments::new(database)),
            loader: Arc::new(ModuleLoader::new(Arc::clone(&modules), Arc::clone(&registry), sandbox)),
            modules,
            registry: Arc::clone(&registry),
            parameters: Arc::clone(&parameters),
            settings: Arc::clone(&settings),
            candles: Arc::clone(&candles),
        }));
        let books = Books {
            parameters: Arc::clone(&parameters),
            settings: Arc::clone(&settings),
            rollout: Arc::clone(&rollout),
        };
        books.begin(true).await.unwrap();
        let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let job = falling(&candles).await;
        let threads = Arc::new(threads);
        let (gap_window, timestamp) = (DEFAULT_GAP_WINDOW, SignalTimestamp::default());
        let abilities = Arc::new(Abilities::new(Arc::clone(&metrics)));
        let analyst = Arc::new(Analyst {
            candles,
            registry,
            rollout,
            parameters,
            settings,
            gap_window,
            timestamp,
            actions: PublishedActions::default(),
            metrics,
            abilities,
            threads,
        });
        Self { analyst, books, store, job }
    }

    /// The period with which the strategy `rsi` evaluates the candle, and the least confidence; or the reason why
    /// nothing is evaluated.
    async fn evaluated(&self) -> Result<(i64, f64), AnalysisError> {
        let analysis = self.analyst.analyse(&self.job).await?;
        let rsi = analysis.outcomes.iter().find(|outcome| outcome.strategy.as_str() == "rsi").unwrap();
        let Outcome::Signal(signal) = &rsi.outcome else { panic!("no signal: {:?}", rsi.outcome) };
        let period = signal.message["metadata"]["strategy_config"]["parameters"]["period"].as_i64().unwrap();
        Ok((period, self.analyst.settings.current().settings.min_confidence))
    }

    async fn change(&self, to: i64, least: f64) {
        // Otherwise only the candle at which the RSI crosses a level gives a signal.
        let mut parameters = period(to);
        parameters.insert("trigger".to_owned(), "level".into());
        self.store.write(&key("rsi", None), Some(&parameters), None, &author("x")).await.unwrap();
        let mut settings = self.analyst.settings.current().settings.clone();
        settings.min_confidence = least;
        self.store.write_settings(&settings, None, &author("x")).await.unwrap();
        self.refresh().await.unwrap();
    }

    async fn refresh(&self) -> Result<(), StoreError> {
        self.books.refresh().await
    }

    fn is_stale(&self) -> (bool, bool) {
        (self.analyst.parameters.stale_since().is_some(), self.analyst.settings.stale_since().is_some())
    }
}

fn loaded() -> Registry {
    let compiled = root().join("target/compiled-for-tests");
    std::fs::create_dir_all(&compiled).unwrap();
    let registry = Registry::new();
    load_folder(&registry, &Sandbox::new(Limits::default(), Some(compiled)).unwrap(), &two_strategies_dir());
    registry
}

/// Inserts candles whose RSI is low, so that there is a signal. Returns the newest one as a job.
async fn falling(candles: &Candles) -> Job {
    let (symbol, timeframe) = ("BTCUSDT".parse().unwrap(), Timeframe::M15);
    let candle = |number: i64| {
        let close = 50_000.0 - 10.0 * number as f64;
        let open_time = Timestamp::from_millis(1_767_225_600_000 + number * timeframe.millis());
        Candle { open_time, open: close + 10.0, high: close + 12.0, low: close - 2.0, close, volume: 1.0 }
    };
    let fallen: Vec<Candle> = (0..300).map(candle).collect();
    candles.insert(&symbol, timeframe, &fallen).await.unwrap();
    Job { symbol, timeframe, candle_close: timeframe.close_of(fallen[299].open_time) }
}

struct Setup {
    folder: TempDir,
    server: Server,
}

async fn setup() -> Setup {
    Setup { folder: tempfile::tempdir().unwrap(), server: Server::start().await.unwrap() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evaluations_go_on_while_the_server_is_away_and_after_a_restart_in_that_state() {
    let Setup { folder, mut server } = setup().await;
    let first = Replica::start(folder.path(), &server.uri()).await;
    first.change(9, 0.55).await;
    assert_eq!(first.evaluated().await.unwrap(), (9, 0.55));
    assert_eq!(first.is_stale(), (false, false));

    server.kill().unwrap();
    assert_away(&first.refresh().await.unwrap_err());
    assert!(first.analyst.settings.refresh().await.is_err());
    assert_eq!(first.evaluated().await.unwrap(), (9, 0.55));
    assert_eq!(first.is_stale(), (true, true));
    drop(first);

    let second = Replica::start(folder.path(), &server.uri()).await;
    assert_eq!(second.evaluated().await.unwrap(), (9, 0.55), "what was in use before the restart");
    assert_eq!(second.is_stale(), (true, true));
    let since = second.analyst.parameters.stale_since().unwrap();
    assert!(since < Timestamp::now(), "it is as old as the reading, not as the start");

    server.restart().await.unwrap();
    until_ok(|| second.refresh()).await;
    assert_eq!(second.is_stale(), (false, false));
    second.change(11, 0.5).await;
    assert_eq!(second.evaluated().await.unwrap(), (11, 0.5));
    drop(second);
    server.kill().unwrap();
    let third = Replica::start(folder.path(), &server.uri()).await;
    assert_eq!(third.evaluated().await.unwrap(), (11, 0.5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_store_and_file_nothing_is_evaluated_until_the_store_is_there() {
    let Setup { folder, mut server } = setup().await;
    let elsewhere = tempfile::tempdir().unwrap();
    Replica::start(elsewhere.path(), &server.uri()).await.change(9, 0.55).await;
    server.kill().unwrap();
    let replica = Replica::start(folder.path(), &server.uri()).await;
    let refused = replica.evaluated().await.unwrap_err();
    assert!(refused.is_stores(), "the job waits: {refused}");
    assert!(replica.analyst.parameters.read(&key("rsi", None)).is_err());
    let waiting = {
        let books = replica.books.clone();
        tokio::spawn(async move { books.until_known().await })
    };
    assert!(!folder.path().join(FILE_NAME).exists());
    server.restart().await.unwrap();
    tokio::time::timeout(PATIENCE, waiting).await.expect("it is known by itself").unwrap();
    assert_eq!(replica.evaluated().await.unwrap(), (9, 0.55));
    assert!(folder.path().join(FILE_NAME).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_counts_as_absent() {
    let Setup { folder, mut server } = setup().await;
    let first = Replica::start(folder.path(), &server.uri()).await;
    first.change(9, 0.55).await;
    drop(first);
    server.kill().unwrap();
    let path = folder.path().join(FILE_NAME);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let replica = Replica::start(folder.path(), &server.uri()).await;
    assert!(replica.evaluated().await.unwrap_err().is_stores());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_at_the_start_does_not_keep_the_service_from_starting() {
    let Setup { folder, server } = setup().await;
    let first = Replica::start(folder.path(), &server.uri()).await;
    first.change(9, 0.55).await;
    drop(first);
    server.pause().unwrap();
    let started = Instant::now();
    let replica = Replica::start(folder.path(), &server.uri()).await;
    assert_eq!(replica.evaluated().await.unwrap(), (9, 0.55));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    server.resume().unwrap();
    until_ok(|| replica.refresh()).await;
    assert_eq!(replica.is_stale(), (false, false));
}
