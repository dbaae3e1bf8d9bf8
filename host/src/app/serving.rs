//! The service: HTTP, the parts behind it, and the order in which they start and end.

use std::{
    fs::{File, OpenOptions, Permissions, TryLockError},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use ta_bot_api::{
    self, Services,
    access::{Access, Secrets},
    health::{Health, Sources},
    tokens::{LocalKey, TokenBook},
};
use ta_bot_core::Thresholds;
use ta_bot_drivers::sqlite::FILE_NAME;
use ta_bot_engine::{
    deployments::{
        rollout::warden::{self, Warden},
        shadow,
    },
    market::{clock::MarketClock, feeds::Feeds},
    modules::{bundled::keep_bundled, registry::Registry},
    pipeline::{
        leadership::Leadership, probes::Probes, schedule::Schedule, surroundings::Surroundings, verdict::Verdicts,
        worker::Pipeline,
    },
    retention::{
        pruner::Readers,
        task::{Times, on_each_replica, while_leading},
    },
    settings::refresh::Refresh,
    signals::{bus::Notice, expiry::Expiry, receivers::Receivers, relay::Relay},
    supervision::{budget::Budget, ladders::Ladders, ledger::FLUSH_PAUSE, recorder::recorder, watch::Watch},
    support::{
        log_limit::LogLimit,
        metrics::{BudgetGauge, FeedGauge, SuspendedGauge},
        room::Room,
    },
};
use ta_bot_wasm::PageScan;
use tokio::{
    net::TcpListener,
    sync::{Notify, broadcast::Receiver},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    App,
    drivers::{self, Deliveries, Task, Telemetry, Webhooks},
    stages::{Stages, Work},
};
use crate::{environment::Environment, logging, simulation::Feed};

/// How many jobs are in progress at once. Jobs that wait for candles or for their commit share one read or one
/// transaction. A higher number would keep jobs from replicas that have nothing to do.
const JOBS_UNDER_WAY: usize = 64;

/// What requests and the work behind them share.
struct Shared {
    relay_wakeup: Arc<Notify>,
    expiry: Expiry,
    feeds: Arc<Feeds>,
    ladders: Arc<Ladders>,
}

impl Shared {
    fn new(environment: &Environment, registry: &Arc<Registry>, clock: MarketClock) -> Self {
        let expiry = Expiry::new(environment.signal_max_age, clock.clone());
        let ladders = Arc::new(Ladders::new(Thresholds::default(), Arc::clone(registry)));
        Self { relay_wakeup: Arc::default(), expiry, feeds: Arc::new(Feeds::new(clock)), ladders }
    }
}

impl App {
    /// Runs the service until `stop` is cancelled. With `simulate`, it runs on a simulated market that closes candles
    /// at that pace. `listening` is called with the address once connections are accepted.
    pub async fn serve(
        mut self,
        simulate: Option<Duration>,
        stop: CancellationToken,
        listening: impl FnOnce(std::net::SocketAddr),
    ) -> anyhow::Result<()> {
        let _alone = lock(&self.environment.data_dir)?;
        let telemetry = Telemetry::start(&self.environment, &self.analyst.metrics)?.map(Telemetry::run);
        let address = self.environment.http_addr;
        let (access, tokens) = access(&self.environment)?;
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("HTTP_ADDR {address} can't be used"))?;
        let listener_address = listener.local_addr()?;
        let prepare = self.prepare.take();
        let notices = std::mem::replace(&mut self.notices, self.bus.notices());
        let (leadership, keeper) = drivers::leadership(&self.environment, &self.analyst.metrics).await?;
        let stages = Stages::default();
        if simulate.is_some() {
            self.clock.simulate();
        }
        let shared = Shared::new(&self.environment, &self.registry, self.clock.clone());
        self.analyst
            .metrics
            .add(Box::new(FeedGauge::new(Arc::clone(&shared.feeds), self.analyst.metrics.named_symbols())?))?;
        self.analyst.metrics.built(self.environment.build.commit.as_deref());
        self.analyst.metrics.add(Box::new(SuspendedGauge::new(Arc::clone(&shared.ladders))?))?;
        if let Some(tokens) = tokens.clone() {
            tokio::spawn(tokens.run(stages.http.clone()));
        }
        let webhooks = Webhooks::open(&self.environment, &self.analyst.metrics).await?;
        let receivers = webhooks.as_ref().map(|webhooks| Arc::clone(&webhooks.receivers));
        let services = Arc::new(self.services((access, tokens), receivers, &shared, &leadership, &stages));
        let health = Arc::clone(&services.health);
        let server = ta_bot_api::serve(listener, services, stages.http.clone());
        match self.sandbox.page_scan() {
            scan @ PageScan::OffForSwap => tracing::warn!("the scan of instances' pages is {scan}"),
            scan => tracing::info!("the scan of instances' pages is {scan}"),
        }
        tracing::info!(address = %listener_address, "listening");
        listening(listener_address);
        let server = tokio::spawn(server);
        let watching = tokio::spawn(self.watch(leadership.clone(), stages.http.clone()));
        tokio::spawn(Arc::clone(&self.feed).run(stages.http.clone()));
        tokio::spawn(logging::tell_of_withheld(stages.http.clone()));
        // The service takes no work before the modules are known, so that metric series exist from the first scrape on.
        let mut broken = false;
        // Nor does it take work before the configuration is known: wrong parameters are worse than no parameters.
        let begun = stop.run_until_cancelled(async {
            let loaded = self.load_strategies_in_background().await;
            self.books.until_known().await;
            loaded
        });
        if let Some(loaded) = begun.await {
            loaded?;
            let deliveries = self.deliveries(&shared, &leadership);
            let nobody = || Arc::new(Vec::<String>::new) as Readers;
            let readers = webhooks.as_ref().map_or_else(nobody, |webhooks| Arc::clone(&webhooks.readers));
            let pruning = self.prune(readers, leadership.clone(), &stages);
            let mut work = self.start_work(simulate, &stages, notices, &shared, leadership)?;
            let deliver = |webhooks: Webhooks| (webhooks.deliver)(deliveries, stages.intake.clone());
            work.intake.extend(pruning);
            work.webhooks = webhooks.map(|webhooks| stages.spawn(deliver(webhooks)));
            // The Lease is released with the intake, so that another replica takes over while this process finishes its
            // jobs.
            work.intake.extend(keeper.map(|keep| stages.spawn(keep(stages.intake.clone()))));
            self.keep_modules(prepare, &stages);
            tokio::select! {
                () = stop.cancelled() => {}
                () = stages.broken.cancelled() => broken = true,
            }
            health.end();
            stages.end(work).await;
        }
        stages.http.cancel();
        server.await.context("the HTTP server failed")?;
        watching.await.context("the probes failed")?;
        self.connections.close().await;
        if let Some(telemetry) = telemetry {
            telemetry.end().await;
        }
        anyhow::ensure!(!broken, "a part of the service stopped by itself, see the log; start it again");
        Ok(())
    }

    /// Finds out what this replica is able to do, and tells those who watch it, for as long as requests are answered.
    fn watch(&self, leadership: Leadership, stop: CancellationToken) -> impl Future<Output = ()> + use<> {
        let abilities = Arc::clone(&self.analyst.abilities);
        let verdicts = Verdicts::new(Arc::clone(&self.bus), Arc::clone(&abilities), leadership.clone());
        let probes = Probes {
            abilities,
            candles: Arc::clone(&self.candles),
            settings: Arc::clone(&self.analyst.settings),
            outbox: Arc::clone(&self.outbox),
            queue: Arc::clone(&self.queue),
            bus: Arc::clone(&self.bus),
            leadership,
            metrics: Arc::clone(&self.analyst.metrics),
        };
        let surroundings = self.surroundings();
        async move {
            tokio::join!(probes.run(stop.clone()), verdicts.run(stop.clone()), surroundings.run(stop));
        }
    }

    /// The servers, the disk and the books that this replica depends on.
    fn surroundings(&self) -> Surroundings {
        Surroundings {
            outbox: (!self.embedded.mysql).then(|| ("mysql", Arc::clone(&self.outbox))),
            config: (!self.embedded.mongodb).then(|| ("mongodb", Arc::clone(&self.config))),
            books: self.books.clone(),
            room: Arc::clone(&self.room),
            metrics: Arc::clone(&self.analyst.metrics),
        }
    }

    /// Removes what is too old: of what replicas share while this process leads, and always what lies on its own disk.
    fn prune(&self, readers: Readers, leadership: Leadership, stages: &Stages) -> [JoinHandle<()>; 2] {
        let (shared, own) = (Arc::new(self.pruner(Some(readers))), Arc::new(self.disk_pruner()));
        [
            stages.spawn(while_leading(shared, leadership, Times::default(), stages.intake.clone())),
            stages.spawn(on_each_replica(own, Times::default(), stages.intake.clone())),
        ]
    }

    /// The disk of the data, if signals go there as well: then what is beside them leaves it to them.
    fn disk_of_signals(&self) -> Option<Arc<Room>> {
        self.embedded.mysql.then(|| Arc::clone(&self.room))
    }

    /// What receivers over HTTP get, and while this process leads.
    fn deliveries(&self, shared: &Shared, leadership: &Leadership) -> Deliveries {
        Deliveries {
            outbox: Arc::clone(&self.outbox),
            feed: Arc::clone(&self.feed),
            leadership: leadership.clone(),
            expiry: shared.expiry.clone(),
        }
    }

    /// Stores the bundled modules by digest, so that a signal can still be replayed after its module has been replaced.
    fn keep_modules(&self, prepare: Option<Task>, stages: &Stages) {
        let modules = Arc::clone(&self.modules);
        let registry = Arc::clone(&self.registry);
        let folder = self.environment.strategies_dir.clone();
        let stop = stages.intake.clone();
        tokio::spawn(async move { keep_bundled(&*modules, &folder, &registry, &stop).await });
        if let Some(prepare) = prepare {
            tokio::spawn(prepare(stages.intake.clone()));
        }
    }

    fn services(
        &self,
        (access, tokens): (Access, Option<TokenBook>),
        receivers: Option<Arc<Receivers>>,
        shared: &Shared,
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
            abilities: Arc::clone(&self.analyst.abilities),
            feeds: Arc::clone(&shared.feeds),
            embedded: self.embedded,
            build: self.environment.build.clone(),
            page_scan: self.sandbox.page_scan(),
            tokens,
            receivers,
            room: Arc::clone(&self.room),
        });
        Services {
            analyst: Arc::clone(&self.analyst),
            registry: Arc::clone(&self.registry),
            parameters: Arc::clone(&self.analyst.parameters),
            settings: Arc::clone(&self.analyst.settings),
            rollout: Arc::clone(&self.analyst.rollout),
            candles: Arc::clone(&self.candles),
            outbox: Arc::clone(&self.outbox),
            retention: Arc::clone(&self.retention),
            feed: Arc::clone(&self.feed),
            revisions: Arc::clone(&self.revisions),
            failures: Arc::clone(&self.failures),
            replayer: Arc::clone(&self.replayer),
            impact: Arc::clone(&self.impact),
            mender: Arc::clone(&self.mender),
            shadows: Arc::clone(&self.shadows),
            ending: stages.intake.clone(),
            ledger: Arc::clone(&self.ledger),
            ladders: Arc::clone(&shared.ladders),
            bus,
            catalog: Arc::clone(&self.catalog),
            metrics: Arc::clone(&self.analyst.metrics),
            health: Arc::new(health),
            access,
            expiry: shared.expiry.clone(),
            relay_wakeup: Arc::clone(&shared.relay_wakeup),
        }
    }

    fn start_work(
        &self,
        simulate: Option<Duration>,
        stages: &Stages,
        notices: Receiver<Notice>,
        shared: &Shared,
        leadership: Leadership,
    ) -> anyhow::Result<Work> {
        let bus = Arc::clone(&self.bus);
        let analyst = &self.analyst;
        let outbox = &self.outbox;
        let (recorder, keeper) = recorder(Arc::clone(&self.failures), Arc::clone(&analyst.metrics));
        let recorder = recorder.on_disk(self.disk_of_signals());
        let (on_quarantine, told) = warden::told();
        let metrics = Arc::clone(&analyst.metrics);
        let watch = Watch::new(Arc::clone(&shared.ladders), recorder, metrics, on_quarantine);
        let watch = watch.with_ledger(Arc::clone(&self.ledger), self.budget()?);
        let watch = watch.with_slow_beyond(self.environment.strategy_slow);
        let warden = Warden { rollout: Arc::clone(&analyst.rollout), bus: Arc::clone(&bus) };
        let (shadows, observer) = shadow::shadows(analyst, Arc::clone(&self.shadows), Arc::clone(&bus));
        let shadows = shadows.on_disk(self.disk_of_signals());
        let pipeline = Pipeline::new(
            Arc::clone(analyst),
            Arc::clone(outbox),
            Arc::clone(&self.queue),
            Arc::clone(&shared.relay_wakeup),
            JOBS_UNDER_WAY,
            Some(Arc::new(watch)),
            Some(shadows),
        );
        let relay = Relay {
            outbox: Arc::clone(outbox),
            bus: Arc::clone(&bus),
            subject: self.environment.subject.clone(),
            actions: self.environment.published_actions.clone(),
            expiry: shared.expiry.clone(),
            wakeup: Arc::clone(&shared.relay_wakeup),
            metrics: Arc::clone(&analyst.metrics),
            abilities: Arc::clone(&analyst.abilities),
        };
        let schedule = Schedule {
            candles: Arc::clone(&self.candles),
            outbox: Arc::clone(outbox),
            bus: Arc::clone(&bus),
            settings: Arc::clone(&analyst.settings),
            queue: Arc::clone(&self.queue),
            feeds: Arc::clone(&shared.feeds),
            leadership,
            metrics: Arc::clone(&analyst.metrics),
            abilities: Arc::clone(&analyst.abilities),
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
        intake_tasks.push(stages.spawn(Arc::clone(&self.cache).run(stages.intake.clone())));
        intake_tasks.push(stages.spawn(Arc::clone(&self.cache).follow_repairs(stages.intake.clone())));
        intake_tasks.extend(feed.map(|feed| stages.spawn(feed.run(stages.intake.clone()))));
        Ok(Work {
            intake: intake_tasks,
            pipeline: stages.spawn(pipeline.run(stages.pipeline.clone())),
            failures: stages.spawn(keeper.run(stages.failures.clone())),
            ledger: stages.spawn(Arc::clone(&self.ledger).run(FLUSH_PAUSE, stages.ledger.clone())),
            revisions: stages.spawn(Arc::clone(&self.revisions).run(stages.revisions.clone())),
            relay: stages.spawn(relay.run(stages.relay.clone())),
            webhooks: None,
        })
    }

    /// The time budget of strategies, if there is one.
    fn budget(&self) -> anyhow::Result<Option<Arc<Budget>>> {
        let Some(allowed) = self.environment.strategy_budget else { return Ok(None) };
        let budget = Arc::new(Budget::new(allowed, Duration::from_mins(1), Instant::now()));
        self.analyst.metrics.add(Box::new(BudgetGauge::new(Arc::clone(&budget))?))?;
        Ok(Some(budget))
    }

    /// A simulated market. It needs the in-process bus, since other readers of a shared bus would take it for a real
    /// market.
    fn feed(&self, pace: Duration) -> anyhow::Result<Feed> {
        let bus = self.local_bus.clone().context("--simulate needs the in-process bus: unset NATS_URL")?;
        let (candles, settings) = (Arc::clone(&self.candles), Arc::clone(&self.analyst.settings));
        Ok(Feed { candles, bus, settings, pace, clock: self.clock.clone() })
    }
}

/// Who may call, and the file of tokens if there is one.
fn access(environment: &Environment) -> anyhow::Result<(Access, Option<TokenBook>)> {
    let Environment { tokens_file, token_header, anonymous_role, allowed_hosts, http_addr, data_dir, .. } = environment;
    let limit = environment.requests_per_minute;
    Access::check(tokens_file.is_some(), *anonymous_role, http_addr.ip())?;
    let (secrets, tokens) = if let Some(path) = tokens_file {
        let book = TokenBook::open(path)?;
        (Secrets::Tokens(book.clone()), Some(book))
    } else {
        let key = LocalKey::in_folder(data_dir)?;
        let path = LocalKey::path_in(data_dir);
        tracing::info!(key = %path.display(), "there are no tokens: modules are changed with the key in DATA_DIR");
        (Secrets::LocalKey(key), None)
    };
    let access = Access::new(secrets, token_header.clone(), *anonymous_role, allowed_hosts.clone());
    Ok((access.with_limit(limit), tokens))
}

/// Keeps a second service off the folder: both would publish what waits there. The lock is on the database itself,
/// which nobody removes to get rid of a lock. The other file is for versions that look at nothing else. The system
/// releases the locks when the process ends, however it ends.
fn lock(data_dir: &Path) -> anyhow::Result<[File; 2]> {
    let lock_file = data_dir.join("serve.lock");
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock_file);
    let made = made.with_context(|| format!("{} can't be made", lock_file.display()))?;
    made.set_permissions(Permissions::from_mode(0o600)).ok();
    let database_file = data_dir.join(FILE_NAME);
    let database =
        File::open(&database_file).with_context(|| format!("{} can't be opened", database_file.display()))?;
    for (file, path) in [(&database, &database_file), (&made, &lock_file)] {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => anyhow::bail!(
                "another ta-bot serves from DATA_DIR {}: stop it, or give this one a folder of its own",
                data_dir.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} can't be locked", path.display()));
            }
        }
    }
    Ok([database, made])
}
