use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use ta_bot_core::{ApplicationSettings, Symbol, Timeframe, Timestamp};
use ta_bot_drivers::sqlite::{
    Database, candles::SqliteCandles, config::SqliteConfig, deployments::SqliteDeployments, modules::SqliteModules,
    outbox::SqliteOutbox,
};
use ta_bot_engine::{
    deployments::rollout::{self, Rollout},
    market::candles::DEFAULT_PATIENCE,
    modules::{bundled::load_folder, loader::ModuleLoader, module_store::ModuleStore},
    settings::{application::SettingsBook, parameters::ParameterBook},
    signals::bus::{BusError, Notice, Outgoing, local::LocalBus},
    support::{
        abilities::{Ability, Trouble},
        room::LowWater,
    },
};
use ta_bot_wasm::{Limits, Sandbox};
use tempfile::TempDir;
use tokio::sync::broadcast;

use super::*;

/// A bus that counts pings and may hang on them.
struct AskedBus {
    inner: LocalBus,
    asked: AtomicUsize,
    hangs: AtomicBool,
}

#[async_trait]
impl Bus for AskedBus {
    async fn publish(&self, message: Outgoing) -> Result<(), BusError> {
        self.inner.publish(message).await
    }

    fn candle_events(&self) -> broadcast::Receiver<Vec<u8>> {
        self.inner.candle_events()
    }

    async fn notify(&self, notice: Notice) -> Result<(), BusError> {
        self.inner.notify(notice).await
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.inner.notices()
    }

    async fn ping(&self) -> Result<(), BusError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn probe(&self) -> Result<(), BusError> {
        self.inner.probe().await
    }

    async fn tell(&self, subject: &str, message: String) -> Result<(), BusError> {
        self.inner.tell(subject, message).await
    }
}

struct Service {
    health: Health,
    abilities: Arc<Abilities>,
    bus: Arc<AskedBus>,
    parameters: Arc<ParameterBook>,
    registry: Arc<Registry>,
    database: Database,
    feeds: Arc<Feeds>,
    folder: TempDir,
}

async fn service(hangs: bool, embedded: Embedded) -> Service {
    service_with(hangs, embedded, true).await
}

async fn service_with(hangs: bool, embedded: Embedded, is_read: bool) -> Service {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path()).await.unwrap();
    let bus = Arc::new(AskedBus { inner: LocalBus::new(), asked: AtomicUsize::new(0), hangs: hangs.into() });
    let config = Arc::new(SqliteConfig::new(database.clone()));
    let registry = Arc::new(Registry::new());
    let parameters = Arc::new(ParameterBook::new(config.clone(), Arc::clone(&registry)));
    let from_environment = ApplicationSettings {
        symbols: Vec::new(),
        timeframes: Vec::new(),
        enabled_strategies: None,
        min_confidence: 0.6,
        max_confidence: 0.95,
        accepted_holes: Vec::new(),
    };
    let settings = Arc::new(SettingsBook::new(config.clone(), Arc::clone(&registry), from_environment));
    let store = Arc::new(SqliteCandles::new(database.clone()));
    let candles = Arc::new(Candles::new(store, DEFAULT_PATIENCE, Arc::new(Metrics::new().unwrap())));
    let modules: Arc<dyn ModuleStore> = Arc::new(SqliteModules::new(database.clone()));
    let sandbox = Sandbox::new(Limits::default(), None).unwrap();
    let rollout = Rollout::new(rollout::Parts {
        store: Arc::new(SqliteDeployments::new(database.clone())),
        loader: Arc::new(ModuleLoader::new(Arc::clone(&modules), Arc::clone(&registry), sandbox)),
        modules,
        registry: Arc::clone(&registry),
        parameters: Arc::clone(&parameters),
        settings: Arc::clone(&settings),
        candles: Arc::clone(&candles),
    });
    let books = Books { parameters: Arc::clone(&parameters), settings, rollout: Arc::new(rollout) };
    if is_read {
        books.begin(false).await.unwrap();
    }
    let feeds = Arc::new(Feeds::default());
    let metrics = Arc::new(Metrics::new().unwrap());
    let abilities = Arc::new(Abilities::new(Arc::clone(&metrics)));
    for ability in Ability::ALL {
        abilities.worked(ability);
    }
    let health = Health::new(Sources {
        candles,
        outbox: Arc::new(SqliteOutbox::new(database.clone())),
        config,
        bus: bus.clone(),
        registry: Arc::clone(&registry),
        books,
        leadership: Leadership::single_node("here".to_owned()),
        metrics,
        abilities: Arc::clone(&abilities),
        feeds: Arc::clone(&feeds),
        embedded,
        build: Build::default(),
        page_scan: PageScan::On,
        tokens: None,
        receivers: None,
        room: Arc::new(Room::of(folder.path().to_owned(), LowWater::Share)),
    });
    Service { health, abilities, bus, parameters, registry, database, feeds, folder }
}

/// Forgets the last measurement, as if it were older.
async fn forget(service: &Service) {
    *service.health.measured.lock().await = None;
}

fn load_nothing(service: &Service) {
    let sandbox = Sandbox::new(Limits::default(), None).unwrap();
    let modules = service.folder.path().join("modules");
    std::fs::create_dir_all(&modules).unwrap();
    load_folder(&service.registry, &sandbox, &modules);
}

#[tokio::test]
async fn a_service_where_everything_answers_is_healthy_and_ready() {
    let service = service(false, Embedded::ALL).await;
    assert_eq!(service.health.report().await.status, Status::Degraded, "modules are loading");
    assert_eq!(service.health.readiness().await.not_ready[0].part, "modules");
    load_nothing(&service);
    let report = service.health.report().await;
    assert_eq!(report.status, Status::Healthy);
    for part in [&report.mysql, &report.mongodb, &report.nats] {
        assert_eq!(part.status, PartStatus::Embedded);
        assert!(part.latency_ms.is_some_and(|latency| latency < 1000.0));
    }
    assert_eq!((report.nats.published_signals, report.mysql.published_signals), (Some(0), None));
    assert_eq!(report.leader_election.leader_id.as_deref(), Some("here"));
    assert!(service.health.readiness().await.ready);
    service.health.end();
    assert_eq!(service.health.readiness().await.not_ready[0].reason, "shutting down");
}

#[tokio::test]
async fn a_measurement_serves_all_who_ask_within_two_seconds() {
    let service = service(false, Embedded::ALL).await;
    tokio::join!(service.health.report(), service.health.readiness(), service.health.report());
    assert_eq!(service.bus.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_part_that_hangs_is_away_and_hides_no_other() {
    let service = service(true, Embedded { nats: false, mysql: false, mongodb: true }).await;
    load_nothing(&service);
    let started = Instant::now();
    let report = service.health.report().await;
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!((report.status, report.nats.status), (Status::Unhealthy, PartStatus::Disconnected));
    assert_eq!((report.mysql.status, report.mongodb.status), (PartStatus::Connected, PartStatus::Embedded));
    assert_eq!(report.nats.latency_ms, None);
    let not_ready = service.health.readiness().await.not_ready;
    assert_eq!(not_ready.iter().map(|part| part.part).collect::<Vec<_>>(), ["bus"]);
    assert_eq!(not_ready[0].reason, "no answer within 1000 ms");
}

/// A later outage is told by `/health` alone. The API stays reachable for the operator who needs it then.
#[tokio::test]
async fn a_part_that_has_answered_once_stays_ready_when_it_is_away() {
    let service = service(false, Embedded { nats: false, mysql: true, mongodb: true }).await;
    load_nothing(&service);
    assert!(service.health.readiness().await.ready);
    service.bus.hangs.store(true, Ordering::Relaxed);
    forget(&service).await;
    let report = service.health.report().await;
    assert_eq!((report.status, report.nats.status), (Status::Unhealthy, PartStatus::Disconnected));
    assert!(service.health.readiness().await.ready);
    service.health.end();
    assert!(!service.health.readiness().await.ready);
}

#[tokio::test]
async fn what_can_not_be_done_is_named_with_its_begin_and_its_remedy() {
    let service = service(false, Embedded::ALL).await;
    load_nothing(&service);
    assert_eq!(service.health.report().await.status, Status::Healthy);
    for ability in Ability::ALL {
        service.abilities.failed(ability, Trouble::new(ability, &"it is full"));
        let report = service.health.report().await;
        assert_eq!(report.status, Status::Unhealthy, "{ability:?}");
        let document = serde_json::to_value(&report).unwrap();
        let named = &document["abilities"][ability.as_str()];
        assert_eq!((&named["ok"], &named["error"]), (&false.into(), &"it is full".into()), "{document}");
        let is_text = |name: &str| named[name].as_str().is_some_and(|text| !text.is_empty());
        assert!(["since", "remedy", "last_success"].into_iter().all(is_text), "{document}");
        service.abilities.worked(ability);
    }
    assert_eq!(service.health.report().await.status, Status::Healthy);
}

#[tokio::test]
async fn a_store_that_is_gone_is_unhealthy_and_its_parameters_are_stale() {
    let service = service(false, Embedded::ALL).await;
    load_nothing(&service);
    service.database.close().await;
    assert!(service.parameters.refresh().await.is_err());
    let report = service.health.report().await;
    assert_eq!((report.status, report.mysql.status), (Status::Unhealthy, PartStatus::Disconnected));
    assert!(report.parameters.stale && report.parameters.since.is_some());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["mysql"]["status"], "disconnected");
    assert!(json["mysql"].get("published_signals").is_none());
}

#[tokio::test]
async fn a_service_that_never_read_its_configuration_is_not_ready() {
    let service = service_with(false, Embedded::ALL, false).await;
    load_nothing(&service);
    let not_ready = service.health.readiness().await.not_ready;
    assert_eq!(not_ready.iter().map(|part| part.part).collect::<Vec<_>>(), ["configuration"]);
    assert!(not_ready[0].reason.contains("no configuration is known"), "{not_ready:?}");
}

#[tokio::test]
async fn a_module_that_failed_is_named() {
    let service = service(false, Embedded::ALL).await;
    let sandbox = ta_bot_wasm::Sandbox::new(ta_bot_wasm::Limits::default(), None).unwrap();
    std::fs::write(service.folder.path().join("broken.wasm"), b"no module").unwrap();
    load_folder(&service.registry, &sandbox, service.folder.path());
    let not_ready = service.health.readiness().await.not_ready;
    assert!(not_ready[0].reason.contains("broken.wasm"), "{not_ready:?}");
    assert_eq!(service.health.report().await.modules.status, "incomplete");
}

#[tokio::test]
async fn series_that_stand_still_are_named_those_that_miss_most_first() {
    let service = service(false, Embedded::ALL).await;
    assert_eq!(service.health.report().await.feeds.scheduled, 0, "this process has not looked yet");
    let symbols: Vec<Symbol> = (0..9).map(|index| format!("S{index}USDT").parse().unwrap()).collect();
    let now = Timestamp::now();
    let newest: Vec<_> = symbols
        .iter()
        .cloned()
        .zip(1..)
        .take(8)
        .map(|(symbol, hours)| (symbol, now.plus_millis(-3_600_000 * hours)))
        .collect();
    service.feeds.note(Timeframe::H1, &symbols, &newest);
    let feeds = service.health.report().await.feeds;
    assert_eq!((feeds.scheduled, feeds.behind), (9, 7));
    let named: Vec<_> = feeds.oldest.iter().map(|feed| (feed.symbol.as_str(), feed.age_seconds.is_some())).collect();
    let expected = [("S8USDT", false), ("S7USDT", true), ("S6USDT", true), ("S5USDT", true), ("S4USDT", true)];
    assert_eq!(named, expected);
}
