#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Instant;

use ta_bot_core::{ApplicationSettings, Deployment, DeploymentAction, DeploymentChange};

use crate::sqlite::{Database, config::SqliteConfig, deployments::SqliteDeployments};
use tokio::task::JoinHandle;

use super::*;
use crate::{
    deployments::log::{DeploymentStore as _, contract::change},
    settings::config_store::{Author, ConfigStore as _},
    testing::{Engine, settings},
};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A service whose books are kept in step, and a second handle on its database.
struct Service {
    engine: Engine,
    beside: Database,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Service {
    async fn new(interval: Duration) -> Self {
        let engine = Engine::new(settings()).await;
        let refresh = Refresh {
            books: engine.books.clone(),
            registry: Arc::clone(&engine.registry),
            metrics: Arc::clone(&engine.analyst.metrics),
            notices: engine.bus.notices(),
            interval,
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(refresh.run(stop.clone()));
        let beside = Database::open(engine.folder.path()).await.unwrap();
        Self { engine, beside, stop, running }
    }

    /// Changes settings and a deployment behind the service's back.
    async fn change(&self) {
        let settings =
            ApplicationSettings { min_confidence: 0.5, ..self.engine.analyst.settings.current().settings.clone() };
        let author = Author { changed_by: "ann".to_owned(), claimed_by: None, reason: None, at: Timestamp::now() };
        SqliteConfig::new(self.beside.clone()).write_settings(&settings, None, &author).await.unwrap();
        let deployment = Deployment { enabled: Some(false), ..Deployment::default() };
        let disabled = DeploymentChange { action: DeploymentAction::Disable, deployment, ..change("rsi", 1) };
        SqliteDeployments::new(self.beside.clone()).add(&disabled, 0, None).await.unwrap();
    }

    /// Sends a notice again and again until a condition holds: nobody may be listening yet.
    async fn tell(&self, notice: Notice, until: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !until(self) {
            assert!(begun.elapsed() < PATIENCE, "{notice:?} has no effect");
            self.engine.bus.notify(notice.clone()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn knows_the_deployment(&self) -> bool {
        self.engine.registry.log().revision() == 1
    }

    fn knows_the_settings(&self) -> bool {
        self.engine.analyst.settings.current().version == 1
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

#[tokio::test]
async fn a_deployment_is_read_by_itself_and_a_configuration_whole() {
    let service = Service::new(Duration::from_hours(1)).await;
    service.change().await;
    service.tell(Notice::DeploymentsChanged, Service::knows_the_deployment).await;
    assert!(!service.knows_the_settings(), "only the log is read");
    service.tell(Notice::ConfigurationChanged, Service::knows_the_settings).await;
    service.end().await;
}

#[tokio::test]
async fn all_books_are_read_in_time_however_many_deployments_are_told() {
    let service = Service::new(Duration::from_millis(300)).await;
    service.change().await;
    service.tell(Notice::DeploymentsChanged, Service::knows_the_settings).await;
    service.end().await;
}
