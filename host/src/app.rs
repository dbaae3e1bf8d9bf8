//! Puts the parts together, runs them, and ends them in order. This is the only module that names drivers.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use ta_bot_api::health::Embedded;
use ta_bot_core::{Timestamp, millis};
use ta_bot_engine::{
    deployments::{
        impact::Impact,
        log::DeploymentStore,
        rollout::{self, Rollout},
        shadow_store::ShadowStore,
    },
    market::{cache::CandleCache, candles::Candles, clock::MarketClock, revisions::Revisions},
    modules::{
        bundled::load_folder, catalog::Catalog, loader::ModuleLoader, module_store::ModuleStore, registry::Registry,
    },
    pipeline::{analysis::Analyst, job_queue::JobQueue, repair::Mender},
    retention::store::{Prunable, RetentionStore},
    settings::{application::SettingsBook, config_store::ConfigStore, parameters::ParameterBook, refresh::Books},
    signals::{
        bus::{Bus, BusError, Notice, local::LocalBus},
        feed::Feed,
        outbox::Outbox,
        redecision_store::RedecisionStore,
        replay::{self, Replayer},
    },
    supervision::{failure::FailureStore, ledger::Ledger},
    support::{abilities::Abilities, backoff::Backoff, metrics::Metrics, room::Room},
};
use ta_bot_wasm::{Children, Sandbox};
use tokio::{sync::broadcast::Receiver, task::JoinHandle};

use crate::environment::Environment;

mod drivers;
pub mod found;
pub mod inspection;
mod market;
pub mod older;
mod retention;
mod serving;
mod stages;

use drivers::{Connections, Drivers, Task};
use market::Market;

/// How long to keep trying to tell the replicas of a change.
const TELLING: Duration = Duration::from_secs(5);
/// Pauses between the tries.
const TELL_AGAIN: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));

/// The parts that every command needs.
pub struct App {
    environment: Environment,
    connections: Connections,
    deployments: Arc<dyn DeploymentStore>,
    histories: Arc<dyn Prunable>,
    room: Arc<Room>,
    sandbox: Sandbox,
    /// The candles as they are stored, for whoever looks at old ones.
    stored: Arc<Candles>,
    queue: Arc<dyn JobQueue>,
    modules: Arc<dyn ModuleStore>,
    books: Books,
    embedded: Embedded,
    /// Prepares the configuration store in the background.
    prepare: Option<Task>,
    /// The notices since before the books were read, for the task that keeps the books up to date.
    notices: Receiver<Notice>,
    /// The uploaded modules.
    pub catalog: Arc<Catalog>,
    /// Where candles are announced and signals go.
    pub bus: Arc<dyn Bus>,
    /// The bus, if it is this process's own.
    pub local_bus: Option<Arc<LocalBus>>,
    /// Where settings are kept.
    pub config: Arc<dyn ConfigStore>,
    /// Where candles come from.
    pub candles: Arc<Candles>,
    /// The clock of their market.
    pub clock: MarketClock,
    /// What is kept of them in memory.
    pub cache: Arc<CandleCache>,
    /// Candles that changed after they had been read.
    pub revisions: Arc<Revisions>,
    /// Where signals wait.
    pub outbox: Arc<dyn Outbox>,
    /// What is kept beside them, and for how long.
    pub retention: Arc<dyn RetentionStore>,
    /// The signals as they are stored.
    pub feed: Arc<Feed>,
    /// The evaluations that failed.
    pub failures: Arc<dyn FailureStore>,
    /// What shadows would have changed.
    pub shadows: Arc<dyn ShadowStore>,
    /// The strategies.
    pub registry: Arc<Registry>,
    /// Evaluates candles.
    pub analyst: Arc<Analyst>,
    /// Makes stored signals again.
    pub replayer: Arc<Replayer>,
    /// Works out what a module would have changed.
    pub impact: Arc<Impact>,
    /// Mends candles.
    pub mender: Arc<Mender>,
    /// What evaluations cost.
    pub ledger: Arc<Ledger>,
}

impl App {
    /// Opens the stores and makes the sandbox, in which one of `children` compiles. No module is loaded yet.
    pub async fn open(environment: Environment, children: Children) -> anyhow::Result<Self> {
        check_clock(Timestamp::now())?;
        let metrics = Arc::new(Metrics::with_symbols(environment.metric_symbols.clone())?);
        // Boxed, since the future that connects to servers has a large state, which every command would carry.
        let mut drivers = Box::pin(Drivers::open(&environment, &metrics)).await?;
        let sandbox = sandbox(&environment, children)?;
        let registry = Arc::new(Registry::new());
        let (parameters, settings, is_remote) = books(&environment, &mut drivers, &registry);
        let Market { stored, cache, candles, clock } =
            Market::open(&environment, (&drivers.candles, &drivers.revisions), Arc::clone(&settings), &metrics);
        let loader = ModuleLoader::new(Arc::clone(&drivers.modules), Arc::clone(&registry), sandbox.clone());
        let loader = Arc::new(drivers.copies.into_iter().fold(loader, ModuleLoader::with_copies));
        let deployments = Arc::clone(&drivers.deployments);
        let rollout = Arc::new(Rollout::new(rollout::Parts {
            store: Arc::clone(&drivers.deployments),
            modules: Arc::clone(&drivers.modules),
            loader: Arc::clone(&loader),
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
        let notices = drivers.bus.notices();
        books.begin(is_remote).await?;
        let analyst = Arc::new(Analyst {
            candles: Arc::clone(&candles),
            registry: Arc::clone(&registry),
            rollout,
            parameters,
            settings,
            gap_window: environment.gap_window,
            timestamp: environment.signal_timestamp,
            actions: environment.published_actions.clone(),
            abilities: Arc::new(Abilities::new(Arc::clone(&metrics))),
            metrics,
            threads: Arc::new(guest_threads()?),
        });
        let impact = Arc::new(Impact::new(Arc::clone(&analyst), Arc::clone(&stored)));
        let mender = mender(&analyst, &stored, (&drivers.outbox, &drivers.redecisions))?;
        let (outbox, threads) = (Arc::clone(&drivers.outbox), Arc::clone(&analyst.threads));
        let sources = replay::Sources { outbox, candles: Arc::clone(&stored), modules: loader, threads };
        let ledger = Arc::new(Ledger::new(Arc::clone(&drivers.costs), Arc::clone(&analyst.metrics)));
        let Drivers {
            connections,
            revisions,
            outbox,
            failures,
            config,
            modules,
            shadows,
            bus,
            local_bus,
            queue,
            embedded,
            prepare,
            retention,
            histories,
            ..
        } = drivers;
        let room = Arc::new(Room::of(environment.data_dir.clone(), environment.low_water));
        let catalog = catalog(&environment, (&modules, local_bus.is_some()), &sandbox, &room);
        Ok(Self {
            environment,
            connections,
            deployments,
            histories,
            room,
            retention,
            sandbox,
            stored,
            queue,
            modules,
            failures,
            catalog: Arc::new(catalog),
            books,
            embedded,
            prepare,
            notices,
            shadows,
            bus,
            local_bus,
            config,
            candles,
            clock,
            cache,
            revisions,
            feed: Arc::new(Feed::new(Arc::clone(&outbox))),
            outbox,
            registry,
            analyst,
            replayer: Arc::new(Replayer::new(sources)),
            impact,
            mender,
            ledger,
        })
    }

    /// The sandbox of this process.
    pub const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The candles, read without a cache, which would forget newer ones for the sake of old ones.
    pub fn stored_candles(&self) -> Arc<Candles> {
        Arc::clone(&self.stored)
    }

    /// The candles of a store in a folder of its own, which is empty at first. They are read as those of the service.
    pub async fn candles_in(&self, folder: &Path) -> anyhow::Result<Arc<Candles>> {
        let store = drivers::candles_in(folder).await?;
        let settings = Arc::clone(&self.analyst.settings);
        Ok(Arc::new(market::door(&self.environment, &store, settings, &Arc::new(Metrics::new()?))))
    }

    /// Tells every replica that the deployments have changed. A command's bus may still be connecting, so this is tried
    /// for some seconds.
    pub async fn tell_of_deployment(&self) -> Result<(), BusError> {
        let begun = Instant::now();
        let mut pauses = TELL_AGAIN;
        loop {
            match self.bus.notify(Notice::DeploymentsChanged).await {
                Err(_) if begun.elapsed() < TELLING => tokio::time::sleep(pauses.pause()).await,
                told => return told,
            }
        }
    }

    /// Compiles and registers the bundled modules. This fails without a configuration, since none of them could be run.
    pub async fn load_strategies(&self) -> anyhow::Result<()> {
        self.books.known()?;
        self.load_strategies_in_background().await.context("the modules could not be loaded")
    }

    fn load_strategies_in_background(&self) -> JoinHandle<()> {
        let registry = Arc::clone(&self.registry);
        let sandbox = self.sandbox.clone();
        let folder = self.environment.strategies_dir.clone();
        let metrics = Arc::clone(&self.analyst.metrics);
        let settings = Arc::clone(&self.analyst.settings);
        tokio::task::spawn_blocking(move || {
            load_folder(&registry, &sandbox, &folder);
            let strategies = registry.strategies();
            for (id, module) in strategies.iter() {
                let cost = module.compile_cost();
                metrics.compiled(id, cost.cached, millis(cost.duration));
            }
            let settings = settings.current();
            metrics.announce(&settings.settings, strategies.keys());
            for id in settings.settings.enabled_strategies.iter().flatten().filter(|id| !strategies.contains_key(id)) {
                tracing::warn!(strategy.id = %id, "enabled, but no module in STRATEGIES_DIR has this id");
            }
        })
    }
}

/// The books of parameters and settings, which fall back to what was known last, and whether a server has them.
fn books(
    environment: &Environment,
    drivers: &mut Drivers,
    registry: &Arc<Registry>,
) -> (Arc<ParameterBook>, Arc<SettingsBook>, bool) {
    let is_remote = drivers.last_known.is_some() || !drivers.embedded.mysql;
    let mut parameters = ParameterBook::new(Arc::clone(&drivers.config), Arc::clone(registry));
    let from_environment = environment.settings.clone();
    let mut settings = SettingsBook::new(Arc::clone(&drivers.config), Arc::clone(registry), from_environment);
    if let Some(file) = drivers.last_known.take() {
        parameters = parameters.with_last_known(Arc::clone(&file));
        settings = settings.with_last_known(file);
    }
    (Arc::new(parameters), Arc::new(settings), is_remote)
}

/// The uploaded modules of a store, on which this process may be the only one.
fn catalog(
    environment: &Environment,
    (modules, alone): (&Arc<dyn ModuleStore>, bool),
    sandbox: &Sandbox,
    room: &Arc<Room>,
) -> Catalog {
    let (trusted, arrivals) = (environment.trusted_keys.clone(), environment.data_dir.clone());
    Catalog::new(Arc::clone(modules), sandbox.clone(), trusted, alone, arrivals).with_room(Arc::clone(room))
}

/// The sandbox, whose compiled modules are kept in `DATA_DIR`.
fn sandbox(environment: &Environment, children: Children) -> anyhow::Result<Sandbox> {
    let compiled = environment.data_dir.join("compiled");
    let sandbox = Sandbox::new(environment.limits, Some(compiled))?.with_children(children);
    let Some(folder) = &environment.compiled_dir else { return Ok(sandbox) };
    Ok(match sandbox.precompiled(folder) {
        Ok(precompiled) => {
            tracing::info!(folder = %folder.display(), modules = precompiled.len(), "modules are compiled already");
            sandbox.with_precompiled(precompiled)
        }
        Err(error) => {
            tracing::warn!(%error, "COMPILED_DIR is not used: modules are compiled here, which takes longer");
            sandbox
        }
    })
}

/// Refuses a clock that can't be right: no candle of its time exists, and what is stored would seem to come from the
/// future.
fn check_clock(now: Timestamp) -> anyhow::Result<()> {
    anyhow::ensure!(
        now.millis() >= 0,
        "this machine's clock says {now}, which is before 1970: set it, and start again"
    );
    Ok(())
}

/// Mends candles. What it decides again is decided by an analyst of its own, which reads candles without a cache, and
/// whose work counts neither as an execution nor as a sign of what the service is able to do.
fn mender(
    analyst: &Analyst,
    stored: &Arc<Candles>,
    (outbox, redecisions): (&Arc<dyn Outbox>, &Arc<dyn RedecisionStore>),
) -> anyhow::Result<Arc<Mender>> {
    let metrics = Arc::new(Metrics::new()?);
    let apart = Analyst {
        candles: Arc::clone(stored),
        registry: Arc::clone(&analyst.registry),
        rollout: Arc::clone(&analyst.rollout),
        parameters: Arc::clone(&analyst.parameters),
        settings: Arc::clone(&analyst.settings),
        gap_window: analyst.gap_window,
        timestamp: analyst.timestamp,
        actions: analyst.actions.clone(),
        abilities: Arc::new(Abilities::new(Arc::clone(&metrics))),
        metrics,
        threads: Arc::clone(&analyst.threads),
    };
    Ok(Arc::new(Mender::new(Arc::clone(stored), Arc::clone(outbox), Arc::new(apart), Arc::clone(redecisions))))
}

/// The threads on which guests run, one for each core.
fn guest_threads() -> anyhow::Result<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().thread_name(|index| format!("guest-{index}"));
    // The caller that waits for the work notices this, since its channel closes. The job is tried again, and given up
    // if it keeps failing.
    let pool = pool.panic_handler(|_| tracing::error!("a guest thread panicked; its work is tried again"));
    pool.build().context("the threads for guests can't start")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_1970_is_refused_with_words() {
        assert!(check_clock(Timestamp::now()).is_ok());
        let error = check_clock(Timestamp::from_millis(-1)).unwrap_err().to_string();
        assert!(error.contains("1969-12-31") && error.contains("set it"), "{error}");
    }
}
