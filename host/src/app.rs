//! Puts the parts together, runs them, and ends them in order. The only place that names drivers.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use ta_bot_core::Thresholds;
use ta_bot_wasm::Sandbox;
use tokio::{
    net::TcpListener,
    sync::{Notify, broadcast::Receiver},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    analysis::{Analyst, millis},
    auth::Tokens,
    backoff::Backoff,
    budget::Budget,
    bus::{Bus, BusError, Notice, local::LocalBus},
    candles::CandleStore,
    catalog::Catalog,
    config::ConfigStore,
    env::{Election, Environment},
    failure::{FailureStore, recorder::recorder, watch::Watch},
    feed::Feed,
    health::{Embedded, Health, Sources},
    http::{self, Services},
    impact::Impact,
    jobs::JobQueue,
    leadership::{
        Leadership,
        lease::{self, Keeper, Timing},
    },
    ledger::{FLUSH_PAUSE, Ledger},
    loader::ModuleLoader,
    log_limit::LogLimit,
    metrics::{BudgetGauge, Metrics},
    modules::{ModuleStore, keep_bundled},
    outbox::Outbox,
    parameters::ParameterBook,
    pipeline::Pipeline,
    refresh::{Books, Refresh},
    registry::Registry,
    relay::Relay,
    replay::{self, Replayer},
    rollout::{
        self, Rollout,
        warden::{self, Warden},
    },
    schedule::Schedule,
    settings::SettingsBook,
    shadow,
    shadows::ShadowStore,
};

mod drivers;
mod stages;

use drivers::{Connections, Drivers};
use stages::{Stages, Work};

/// How many jobs are under way at once. Those that wait for candles or for their commit share one read or one
/// transaction; more would be kept from replicas that have nothing to do.
const JOBS_UNDER_WAY: usize = 64;

/// How long a change is tried to be told to the replicas.
const TELLING: Duration = Duration::from_secs(5);
/// Pauses between the tries.
const TELL_AGAIN: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));

/// The parts that every command needs.
pub struct App {
    environment: Environment,
    connections: Connections,
    sandbox: Sandbox,
    queue: Arc<dyn JobQueue>,
    modules: Arc<dyn ModuleStore>,
    books: Books,
    embedded: Embedded,
    /// What was told since before the books were read, for whoever keeps them in step.
    notices: Receiver<Notice>,
    /// The modules that were uploaded.
    pub catalog: Arc<Catalog>,
    /// Where candles are announced and signals go.
    pub bus: Arc<dyn Bus>,
    /// The bus, where it is this process's own.
    pub local_bus: Option<Arc<LocalBus>>,
    /// Where settings are kept.
    pub config: Arc<dyn ConfigStore>,
    /// Where candles come from.
    pub candles: Arc<dyn CandleStore>,
    /// Where signals wait.
    pub outbox: Arc<dyn Outbox>,
    /// What failed.
    pub failures: Arc<dyn FailureStore>,
    /// What shadows would have changed.
    pub shadows: Arc<dyn ShadowStore>,
    /// The strategies.
    pub registry: Arc<Registry>,
    /// What looks at candles.
    pub analyst: Arc<Analyst>,
    /// What makes stored signals again.
    pub replayer: Arc<Replayer>,
    /// What says what a module would have changed.
    pub impact: Arc<Impact>,
    /// What evaluations cost.
    pub ledger: Arc<Ledger>,
}

impl App {
    /// Opens the stores and makes the sandbox. No module is loaded yet.
    pub async fn open(environment: Environment) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::new()?);
        // Boxed, as connecting to servers takes a deep state that every command would carry.
        let drivers = Box::pin(Drivers::open(&environment, &metrics)).await?;
        let sandbox = Sandbox::new(environment.limits, Some(environment.data_dir.join("compiled")))?;
        let registry = Arc::new(Registry::new());
        let mut parameters = ParameterBook::new(Arc::clone(&drivers.config), Arc::clone(&registry));
        let from_environment = environment.settings.clone();
        let mut settings = SettingsBook::new(Arc::clone(&drivers.config), Arc::clone(&registry), from_environment);
        let is_remote = drivers.last_known.is_some() || !drivers.embedded.mysql;
        if let Some(file) = drivers.last_known {
            parameters = parameters.with_last_known(Arc::clone(&file));
            settings = settings.with_last_known(file);
        }
        let (parameters, settings) = (Arc::new(parameters), Arc::new(settings));
        let mut loader = ModuleLoader::new(Arc::clone(&drivers.modules), Arc::clone(&registry), sandbox.clone());
        if let Some(copies) = drivers.copies {
            loader = loader.with_copies(copies);
        }
        let loader = Arc::new(loader);
        let rollout = Arc::new(Rollout::new(rollout::Parts {
            store: Arc::clone(&drivers.deployments),
            modules: Arc::clone(&drivers.modules),
            loader: Arc::clone(&loader),
            registry: Arc::clone(&registry),
            parameters: Arc::clone(&parameters),
            settings: Arc::clone(&settings),
            candles: Arc::clone(&drivers.stored_candles),
        }));
        let books = Books {
            parameters: Arc::clone(&parameters),
            settings: Arc::clone(&settings),
            rollout: Arc::clone(&rollout),
        };
        let notices = drivers.bus.notices();
        books.begin(is_remote).await?;
        let analyst = Arc::new(Analyst {
            candles: Arc::clone(&drivers.candles),
            registry: Arc::clone(&registry),
            rollout,
            parameters,
            settings,
            metrics,
            threads: Arc::new(guest_threads()?),
        });
        let impact = Arc::new(Impact::new(Arc::clone(&analyst), Arc::clone(&drivers.stored_candles)));
        let replayer = Arc::new(Replayer::new(replay::Sources {
            outbox: Arc::clone(&drivers.outbox),
            candles: drivers.stored_candles,
            modules: Arc::clone(&loader),
            threads: Arc::clone(&analyst.threads),
        }));
        let ledger = Arc::new(Ledger::new(Arc::clone(&drivers.costs), Arc::clone(&analyst.metrics)));
        let Drivers {
            connections,
            candles,
            outbox,
            failures,
            config,
            modules,
            shadows,
            bus,
            local_bus,
            queue,
            embedded,
            ..
        } = drivers;
        let (trusted, alone) = (environment.trusted_keys.clone(), local_bus.is_some());
        let catalog = Catalog::new(Arc::clone(&modules), sandbox.clone(), trusted, alone);
        Ok(Self {
            environment,
            connections,
            sandbox,
            queue,
            modules,
            failures,
            catalog: Arc::new(catalog),
            books,
            embedded,
            notices,
            shadows,
            bus,
            local_bus,
            config,
            candles,
            outbox,
            registry,
            analyst,
            replayer,
            impact,
            ledger,
        })
    }

    /// Tells every replica of a deployment. The bus of a command may still be connecting, so it is tried for some seconds.
    pub async fn tell_of_deployment(&self) -> Result<(), BusError> {
        let (begun, mut pauses) = (Instant::now(), TELL_AGAIN);
        loop {
            match self.bus.notify(Notice::DeploymentsChanged).await {
                Err(_) if begun.elapsed() < TELLING => tokio::time::sleep(pauses.pause()).await,
                told => return told,
            }
        }
    }

    /// Compiles and registers the bundled modules. Without a configuration none of them could be run.
    pub async fn load_strategies(&self) -> anyhow::Result<()> {
        self.books.known()?;
        self.load_strategies_in_background().await.context("the modules could not be loaded")
    }

    fn load_strategies_in_background(&self) -> JoinHandle<()> {
        let (registry, sandbox) = (Arc::clone(&self.registry), self.sandbox.clone());
        let (folder, metrics) = (self.environment.strategies_dir.clone(), Arc::clone(&self.analyst.metrics));
        let settings = Arc::clone(&self.analyst.settings);
        tokio::task::spawn_blocking(move || {
            registry.load_folder(&sandbox, &folder);
            let strategies = registry.strategies();
            for (id, module) in strategies.iter() {
                let cost = module.compile_cost();
                metrics.compiled(id, cost.cached, millis(cost.duration));
            }
            let settings = settings.current();
            metrics.announce(&settings.settings, strategies.keys());
            for id in settings.settings.enabled_strategies.iter().flatten().filter(|id| !strategies.contains_key(id)) {
                tracing::warn!(strategy.id = %id, "enabled, but no module of STRATEGIES_DIR has it");
            }
        })
    }

    /// Runs the service until `stop`; with `simulate`, on a simulated market that closes candles at that pace. `listening`
    /// is told the address once connections are taken.
    pub async fn serve(
        mut self,
        simulate: Option<Duration>,
        stop: CancellationToken,
        listening: impl FnOnce(std::net::SocketAddr),
    ) -> anyhow::Result<()> {
        let _alone = lock(&self.environment.data_dir)?;
        let tokens = self.environment.tokens_file.as_ref().map(|path: &PathBuf| Tokens::read(path)).transpose()?;
        let address = self.environment.http_addr;
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("HTTP_ADDR {address} can't be used"))?;
        let listener_address = listener.local_addr()?;
        let relay_wakeup = Arc::new(Notify::new());
        let notices = std::mem::replace(&mut self.notices, self.bus.notices());
        let (leadership, keeper) = self.leadership().await?;
        let stages = Stages::default();
        let services = Arc::new(self.services(tokens, &relay_wakeup, &leadership, &stages));
        let health = Arc::clone(&services.health);
        let server = http::serve(listener, services, stages.http.clone());
        tracing::info!(address = %listener_address, "listening");
        listening(listener_address);
        let server = tokio::spawn(server);
        // Series are there from the first scrape on, so the service takes no work before the modules are known.
        let mut broken = false;
        // Nor before the configuration is: wrong parameters are worse than none.
        let begun = stop.run_until_cancelled(async {
            let loaded = self.load_strategies_in_background().await;
            self.books.until_known().await;
            loaded
        });
        if let Some(loaded) = begun.await {
            loaded?;
            let mut work = self.start_work(simulate, &stages, notices, relay_wakeup, leadership)?;
            // The Lease is released with the intake, so that another takes over while this process finishes its jobs.
            work.intake.extend(keeper.map(|keeper| stages.spawn(keeper.run(stages.intake.clone()))));
            self.keep_modules(&stages);
            tokio::select! {
                () = stop.cancelled() => {}
                () = stages.broken.cancelled() => broken = true,
            }
            health.end();
            stages.end(work).await;
        }
        stages.http.cancel();
        server.await.context("the HTTP server failed")?;
        self.connections.close().await;
        anyhow::ensure!(!broken, "a part of the service stopped by itself, see the log; start it again");
        Ok(())
    }

    async fn leadership(&self) -> anyhow::Result<(Leadership, Option<Keeper>)> {
        let identity = self.environment.identity.clone();
        let Some(Election { namespace, kubeconfig }) = self.environment.election.clone() else {
            return Ok((Leadership::single_node(identity), None));
        };
        let client = lease::client(kubeconfig.as_deref()).await?;
        let options = lease::Options { namespace, identity, timing: Timing::default() };
        let (leadership, keeper) = lease::lease(client, options, Arc::clone(&self.analyst.metrics));
        Ok((leadership, Some(keeper)))
    }

    /// Keeps the bundled modules by their digest, so that a signal can be replayed when its module has been replaced.
    fn keep_modules(&self, stages: &Stages) {
        let (modules, registry) = (Arc::clone(&self.modules), Arc::clone(&self.registry));
        let (folder, stop) = (self.environment.strategies_dir.clone(), stages.intake.clone());
        tokio::spawn(async move { keep_bundled(&*modules, &folder, &registry, &stop).await });
        if let Some(mongo) = self.environment.mongo.clone() {
            let stop = stages.intake.clone();
            tokio::spawn(async move { mongo.prepare(stop).await });
        }
    }

    fn services(
        &self,
        tokens: Option<Tokens>,
        relay_wakeup: &Arc<Notify>,
        leadership: &Leadership,
        stages: &Stages,
    ) -> Services {
        let bus = Arc::clone(&self.bus);
        let health = Health::new(Sources {
            candles: Arc::clone(&self.candles),
            outbox: Arc::clone(&self.outbox),
            config: Arc::clone(&self.config),
            bus: Arc::clone(&bus),
            registry: Arc::clone(&self.registry),
            books: self.books.clone(),
            leadership: leadership.clone(),
            metrics: Arc::clone(&self.analyst.metrics),
            embedded: self.embedded,
        });
        Services {
            analyst: Arc::clone(&self.analyst),
            registry: Arc::clone(&self.registry),
            parameters: Arc::clone(&self.analyst.parameters),
            settings: Arc::clone(&self.analyst.settings),
            rollout: Arc::clone(&self.analyst.rollout),
            candles: Arc::clone(&self.candles),
            outbox: Arc::clone(&self.outbox),
            failures: Arc::clone(&self.failures),
            replayer: Arc::clone(&self.replayer),
            impact: Arc::clone(&self.impact),
            shadows: Arc::clone(&self.shadows),
            ending: stages.intake.clone(),
            ledger: Arc::clone(&self.ledger),
            bus,
            catalog: Arc::clone(&self.catalog),
            metrics: Arc::clone(&self.analyst.metrics),
            health: Arc::new(health),
            tokens,
            relay_wakeup: Arc::clone(relay_wakeup),
        }
    }

    fn start_work(
        &self,
        simulate: Option<Duration>,
        stages: &Stages,
        notices: Receiver<Notice>,
        relay_wakeup: Arc<Notify>,
        leadership: Leadership,
    ) -> anyhow::Result<Work> {
        let bus = Arc::clone(&self.bus);
        let (analyst, outbox) = (&self.analyst, &self.outbox);
        let (recorder, keeper) = recorder(Arc::clone(&self.failures), Arc::clone(&analyst.metrics));
        let (on_quarantine, told) = warden::told();
        let (registry, metrics) = (Arc::clone(&self.registry), Arc::clone(&analyst.metrics));
        let watch = Watch::new(Thresholds::default(), recorder, registry, metrics, on_quarantine);
        let watch = watch.with_ledger(Arc::clone(&self.ledger), self.budget()?);
        let warden = Warden { rollout: Arc::clone(&analyst.rollout), bus: Arc::clone(&bus) };
        let (shadows, observer) = shadow::shadows(analyst, Arc::clone(&self.shadows), Arc::clone(&bus));
        let pipeline = Pipeline::new(
            Arc::clone(analyst),
            Arc::clone(outbox),
            Arc::clone(&self.queue),
            Arc::clone(&relay_wakeup),
            JOBS_UNDER_WAY,
            Some(Arc::new(watch)),
            Some(shadows),
        );
        let relay = Relay {
            outbox: Arc::clone(outbox),
            bus: Arc::clone(&bus),
            subject: self.environment.subject.clone(),
            wakeup: relay_wakeup,
            metrics: Arc::clone(&analyst.metrics),
        };
        let schedule = Schedule {
            candles: Arc::clone(&self.candles),
            outbox: Arc::clone(outbox),
            bus: Arc::clone(&bus),
            settings: Arc::clone(&analyst.settings),
            queue: Arc::clone(&self.queue),
            leadership,
            metrics: Arc::clone(&analyst.metrics),
            refused: LogLimit::default(),
        };
        let refresh = Refresh {
            books: self.books.clone(),
            registry: Arc::clone(&self.registry),
            metrics: Arc::clone(&analyst.metrics),
            notices,
            interval: self.environment.cache_ttl,
        };
        let feed = simulate.map(|pace| self.feed(pace)).transpose()?;
        let mut intake_tasks =
            vec![stages.spawn(schedule.run(stages.intake.clone())), stages.spawn(refresh.run(stages.intake.clone()))];
        intake_tasks.push(stages.spawn(Arc::clone(&self.catalog).run(stages.intake.clone())));
        intake_tasks.push(stages.spawn(warden.run(told, stages.intake.clone())));
        intake_tasks.push(stages.spawn(observer.run(stages.intake.clone())));
        intake_tasks.extend(feed.map(|feed| stages.spawn(feed.run(stages.intake.clone()))));
        Ok(Work {
            intake: intake_tasks,
            pipeline: stages.spawn(pipeline.run(stages.pipeline.clone())),
            failures: stages.spawn(keeper.run(stages.failures.clone())),
            ledger: stages.spawn(Arc::clone(&self.ledger).run(FLUSH_PAUSE, stages.ledger.clone())),
            relay: stages.spawn(relay.run(stages.relay.clone())),
        })
    }

    /// What strategies are held to, if there is something.
    fn budget(&self) -> anyhow::Result<Option<Arc<Budget>>> {
        let Some(allowed) = self.environment.strategy_budget else { return Ok(None) };
        let budget = Arc::new(Budget::new(allowed, Instant::now()));
        self.analyst.metrics.add(Box::new(BudgetGauge::new(Arc::clone(&budget))?))?;
        Ok(Some(budget))
    }

    /// A simulated market. On a bus that others read, they would take it for a real one.
    fn feed(&self, pace: Duration) -> anyhow::Result<Feed> {
        let bus = self.local_bus.clone().context("--simulate needs the in-process bus: unset NATS_URL")?;
        Ok(Feed { pace, candles: Arc::clone(&self.candles), bus, settings: Arc::clone(&self.analyst.settings) })
    }
}

/// Keeps a second service off the folder: both would publish what waits there. The system gives the lock back when the
/// process ends, however it ends.
fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let path = data_dir.join("serve.lock");
    let file = File::create(&path).with_context(|| format!("{} can't be made", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => anyhow::bail!(
            "another ta-bot serves from DATA_DIR {}: stop it, or give this one a folder of its own",
            data_dir.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{} can't be locked", path.display())),
    }
}

/// The threads on which guests run, one for each core.
fn guest_threads() -> anyhow::Result<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().thread_name(|index| format!("guest-{index}"));
    // Whoever waits for the work is told, since its channel closes; the job is tried again, and given up if it goes on so.
    let pool = pool.panic_handler(|_| tracing::error!("a thread for guests panicked; what it did is tried again"));
    pool.build().context("the threads for guests can't start")
}
