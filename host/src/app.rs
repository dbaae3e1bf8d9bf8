//! Puts the parts together, runs them, and ends them in order. The only place that names drivers.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use ta_bot_wasm::Sandbox;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    analysis::{Analyst, millis},
    auth::Tokens,
    bus::{Bus, local::LocalBus},
    candles::{CandleStore, sqlite::SqliteCandles},
    config::{ConfigStore, sqlite::SqliteConfig},
    env::Environment,
    feed::Feed,
    health::{Embedded, Health, Sources},
    http::{self, Services},
    jobs::{JobQueue, local::LocalQueue},
    leadership::Leadership,
    log_limit::LogLimit,
    metrics::Metrics,
    outbox::{Outbox, sqlite::SqliteOutbox},
    parameters::ParameterBook,
    pipeline::Pipeline,
    refresh::{self, Refresh},
    registry::Registry,
    relay::Relay,
    schedule::Schedule,
    settings::SettingsBook,
    sqlite::Database,
};

/// How long jobs and the relay may take to finish at shutdown.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(20);

/// The parts that every command needs.
pub struct App {
    environment: Environment,
    database: Database,
    sandbox: Sandbox,
    /// Where candles are announced and signals go.
    pub bus: Arc<LocalBus>,
    /// Where settings are kept.
    pub config: Arc<dyn ConfigStore>,
    /// Where candles come from.
    pub candles: Arc<dyn CandleStore>,
    /// Where signals wait.
    pub outbox: Arc<dyn Outbox>,
    /// The strategies.
    pub registry: Arc<Registry>,
    /// What looks at candles.
    pub analyst: Arc<Analyst>,
}

impl App {
    /// Opens the stores and makes the sandbox. No module is loaded yet.
    pub async fn open(environment: Environment) -> anyhow::Result<Self> {
        let database = Database::open(&environment.data_dir).await?;
        let compiled = environment.data_dir.join("compiled");
        let sandbox = Sandbox::new(environment.limits, Some(compiled))?;
        let config: Arc<dyn ConfigStore> = Arc::new(SqliteConfig::new(database.clone()));
        let candles: Arc<dyn CandleStore> = Arc::new(SqliteCandles::new(database.clone()));
        let outbox: Arc<dyn Outbox> = Arc::new(SqliteOutbox::new(database.clone()));
        let registry = Arc::new(Registry::new());
        let parameters = Arc::new(ParameterBook::new(Arc::clone(&config), Arc::clone(&registry)));
        let settings =
            Arc::new(SettingsBook::new(Arc::clone(&config), Arc::clone(&registry), environment.settings.clone()));
        refresh::begin(&parameters, &settings, false).await?;
        let analyst = Arc::new(Analyst {
            candles: Arc::clone(&candles),
            registry: Arc::clone(&registry),
            parameters,
            settings,
            metrics: Arc::new(Metrics::new()?),
            threads: Arc::new(guest_threads()?),
        });
        Ok(Self { environment, database, sandbox, bus: Arc::default(), config, candles, outbox, registry, analyst })
    }

    /// Compiles and registers the bundled modules. Without a configuration none of them could be run.
    pub async fn load_strategies(&self) -> anyhow::Result<()> {
        self.analyst.parameters.known().and_then(|()| self.analyst.settings.known())?;
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
            metrics.announce(&settings.settings, &strategies.keys());
            for id in settings.settings.enabled_strategies.iter().flatten().filter(|id| !strategies.contains_key(id)) {
                tracing::warn!(strategy.id = %id, "enabled, but no module of STRATEGIES_DIR has it");
            }
        })
    }

    /// Runs the service until `stop`; with `simulate`, on a simulated market that closes candles at that pace. `listening`
    /// is told the address once connections are taken.
    pub async fn serve(
        self,
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
        let leadership = Leadership::single_node(self.environment.identity.clone());
        let services = Arc::new(self.services(tokens, &relay_wakeup, &leadership));
        let health = Arc::clone(&services.health);
        let stages = Stages::default();
        let server = http::serve(listener, services, stages.http.clone());
        tracing::info!(address = %listener_address, "listening");
        listening(listener_address);
        let server = tokio::spawn(server);
        // Series are there from the first scrape on, so the service takes no work before the modules are known.
        let mut broken = false;
        // Nor before the configuration is: wrong parameters are worse than none.
        let begun = stop.run_until_cancelled(async {
            let loaded = self.load_strategies_in_background().await;
            refresh::until_known(&self.analyst.parameters, &self.analyst.settings).await;
            loaded
        });
        if let Some(loaded) = begun.await {
            loaded?;
            let work = self.start_work(simulate, &stages, relay_wakeup, leadership);
            tokio::select! {
                () = stop.cancelled() => {}
                () = stages.broken.cancelled() => broken = true,
            }
            health.end();
            stages.end(work).await;
        }
        stages.http.cancel();
        server.await.context("the HTTP server failed")?;
        self.database.close().await;
        anyhow::ensure!(!broken, "a part of the service stopped by itself, see the log; start it again");
        Ok(())
    }

    fn services(&self, tokens: Option<Tokens>, relay_wakeup: &Arc<Notify>, leadership: &Leadership) -> Services {
        let bus: Arc<dyn Bus> = Arc::clone(&self.bus) as _;
        let health = Health::new(Sources {
            candles: Arc::clone(&self.candles),
            outbox: Arc::clone(&self.outbox),
            config: Arc::clone(&self.config),
            bus: Arc::clone(&bus),
            registry: Arc::clone(&self.registry),
            parameters: Arc::clone(&self.analyst.parameters),
            settings: Arc::clone(&self.analyst.settings),
            leadership: leadership.clone(),
            metrics: Arc::clone(&self.analyst.metrics),
            embedded: Embedded::ALL,
        });
        Services {
            analyst: Arc::clone(&self.analyst),
            registry: Arc::clone(&self.registry),
            parameters: Arc::clone(&self.analyst.parameters),
            settings: Arc::clone(&self.analyst.settings),
            candles: Arc::clone(&self.candles),
            outbox: Arc::clone(&self.outbox),
            bus,
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
        relay_wakeup: Arc<Notify>,
        leadership: Leadership,
    ) -> Work {
        let bus: Arc<dyn Bus> = Arc::clone(&self.bus) as _;
        let (analyst, outbox) = (&self.analyst, &self.outbox);
        let parallel = 2 * analyst.threads.current_num_threads();
        let queue: Arc<dyn JobQueue> = Arc::new(LocalQueue::new(Arc::clone(&analyst.metrics)));
        let pipeline = Pipeline::new(
            Arc::clone(analyst),
            Arc::clone(outbox),
            Arc::clone(&queue),
            Arc::clone(&relay_wakeup),
            parallel,
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
            queue,
            leadership,
            metrics: Arc::clone(&analyst.metrics),
            refused: LogLimit::default(),
        };
        let refresh = Refresh {
            parameters: Arc::clone(&analyst.parameters),
            settings: Arc::clone(&analyst.settings),
            registry: Arc::clone(&self.registry),
            metrics: Arc::clone(&analyst.metrics),
            bus,
            interval: self.environment.cache_ttl,
        };
        let feed = simulate.map(|pace| Feed {
            pace,
            candles: Arc::clone(&self.candles),
            bus: Arc::clone(&self.bus),
            settings: Arc::clone(&analyst.settings),
        });
        let mut intake_tasks =
            vec![stages.spawn(schedule.run(stages.intake.clone())), stages.spawn(refresh.run(stages.intake.clone()))];
        intake_tasks.extend(feed.map(|feed| stages.spawn(feed.run(stages.intake.clone()))));
        Work {
            intake: intake_tasks,
            pipeline: stages.spawn(pipeline.run(stages.pipeline.clone())),
            relay: stages.spawn(relay.run(stages.relay.clone())),
        }
    }
}

/// What runs, in the order in which it ends.
struct Work {
    intake: Vec<JoinHandle<()>>,
    pipeline: JoinHandle<()>,
    relay: JoinHandle<()>,
}

/// The stages of the shutdown: each ends when the one before it has.
#[derive(Default)]
struct Stages {
    intake: CancellationToken,
    pipeline: CancellationToken,
    relay: CancellationToken,
    http: CancellationToken,
    /// Set when a part ends, whoever told it to.
    broken: CancellationToken,
}

impl Stages {
    /// Runs a part. Where it ends without being told to, the service must not go on half: nobody would notice.
    fn spawn(&self, part: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let ended = self.broken.clone().drop_guard();
        tokio::spawn(async move {
            let _ended = ended;
            part.await;
        })
    }

    /// No new work, then the jobs under way, then what waits to be published; all within the deadline.
    async fn end(&self, work: Work) {
        let in_order = async {
            self.intake.cancel();
            for task in work.intake {
                report(task.await);
            }
            self.pipeline.cancel();
            report(work.pipeline.await);
            self.relay.cancel();
            report(work.relay.await);
        };
        if tokio::time::timeout(SHUTDOWN_DEADLINE, in_order).await.is_err() {
            tracing::warn!("not everything was finished in time; the next start goes on from what is committed");
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a part of the service stopped by itself");
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
