//! Measures what this replica depends on: whether the stores on servers answer it, how much room its disk has, and
//! since when what is set may differ from what is stored.
//!
//! Each is measured on its own, so that a store or a disk that hangs hides nothing else.

use std::{future::Future, sync::Arc, time::Duration};

use ta_bot_core::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    settings::{config_store::ConfigStore, refresh::Books},
    signals::outbox::Outbox,
    support::{log_limit::LogLimit, metrics::Metrics, room::Room, store_error::StoreError},
};

/// The pause between two measurements.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a store may take to answer.
const LIMIT: Duration = Duration::from_secs(3);
/// The name of the folder in the metric.
const DATA_DIR: &str = "data_dir";

/// What this replica depends on.
pub struct Surroundings {
    /// The store of signals, if it is on a server, with the server's name.
    pub outbox: Option<(&'static str, Arc<dyn Outbox>)>,
    /// The store of the configuration, if it is on a server, with the server's name.
    pub config: Option<(&'static str, Arc<dyn ConfigStore>)>,
    /// What operators set.
    pub books: Books,
    /// The disk that the service writes to.
    pub room: Arc<Room>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

impl Surroundings {
    /// Measures until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let measuring = async { tokio::join!(self.outbox(), self.config(), self.disk(), self.parameters()) };
        stop.run_until_cancelled(measuring).await;
    }

    async fn outbox(&self) {
        let Some((name, outbox)) = &self.outbox else { return };
        loop {
            self.note_store(name, outbox.ping()).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn config(&self) {
        let Some((name, config)) = &self.config else { return };
        loop {
            self.note_store(name, config.ping()).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn note_store(&self, name: &str, ping: impl Future<Output = Result<(), StoreError>>) {
        // What it says, and that it says nothing, is in the log already: of those who use it, and of /health.
        let answers = matches!(tokio::time::timeout(LIMIT, ping).await, Ok(Ok(())));
        self.metrics.surroundings.store(name, answers);
    }

    async fn disk(&self) {
        let limit = LogLimit::default();
        loop {
            let room = Arc::clone(&self.room);
            // A disk of the network may hang. Then one thread waits for it, and the last numbers stay.
            let measured = tokio::task::spawn_blocking(move || room.measure()).await;
            let room = match measured.map_err(std::io::Error::other).flatten() {
                Ok(measured) => {
                    self.metrics.surroundings.disk_low(DATA_DIR, Some(measured.is_low));
                    measured.free.zip(measured.size)
                }
                Err(error) => {
                    if let Some(withheld) = limit.admit() {
                        let folder = self.room.folder().display();
                        tracing::warn!(%folder, %error, withheld, "can't find out how much room DATA_DIR has");
                    }
                    self.metrics.surroundings.disk_low(DATA_DIR, None);
                    None
                }
            };
            self.metrics.surroundings.disk(DATA_DIR, room);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn parameters(&self) {
        loop {
            let since = self.books.stale_since();
            let age = since.map_or(0, |since| (Timestamp::now().millis() - since.millis()).max(0));
            self.metrics.surroundings.parameters_stale(age as f64 / 1000.0);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        support::room::LowWater,
        testing::{Engine, settings},
    };

    /// The lines of a scrape that begin like this.
    fn lines(metrics: &Metrics, begin: &str) -> Vec<String> {
        let text: String = metrics.render().unwrap().collect();
        text.lines().filter(|line| line.starts_with(begin)).map(str::to_owned).collect()
    }

    async fn measured(surroundings: Surroundings, until: impl Fn(&Metrics) -> bool) -> Arc<Metrics> {
        let metrics = Arc::clone(&surroundings.metrics);
        let stop = CancellationToken::new();
        let running = tokio::spawn(surroundings.run(stop.clone()));
        let waiting = async {
            while !until(&metrics) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("it is measured");
        stop.cancel();
        running.await.unwrap();
        metrics
    }

    fn of(engine: &Engine, is_on_server: bool) -> Surroundings {
        let outbox = is_on_server.then(|| ("mysql", Arc::clone(&engine.outbox)));
        let metrics = Arc::clone(&engine.analyst.metrics);
        let room = Arc::new(Room::of(std::env::temp_dir(), LowWater::Share));
        Surroundings { outbox, config: None, books: engine.books.clone(), room, metrics }
    }

    #[tokio::test]
    async fn a_store_on_a_server_and_the_disk_are_measured() {
        let engine = Engine::new(settings()).await;
        let is_there = |metrics: &Metrics| {
            lines(metrics, "ta_bot_store_connected").len() == 1 && lines(metrics, "ta_bot_disk_").len() == 3
        };
        let metrics = measured(of(&engine, true), is_there).await;
        assert_eq!(lines(&metrics, "ta_bot_store"), [r#"ta_bot_store_connected{store="mysql"} 1"#]);
        assert_eq!(lines(&metrics, "ta_bot_parameters"), ["ta_bot_parameters_stale_seconds 0"]);
        engine.database.close().await;
        let is_away =
            |metrics: &Metrics| lines(metrics, "ta_bot_store") == [r#"ta_bot_store_connected{store="mysql"} 0"#];
        measured(of(&engine, true), is_away).await;
    }

    #[tokio::test]
    async fn what_is_not_used_or_not_known_has_no_series() {
        let engine = Engine::new(settings()).await;
        let mut surroundings = of(&engine, false);
        surroundings.room = Arc::new(Room::of("/there/is/no/such/folder".into(), LowWater::Share));
        let metrics = Arc::clone(&surroundings.metrics);
        metrics.surroundings.disk(DATA_DIR, Some((1, 2)));
        let metrics = measured(surroundings, |metrics| lines(metrics, "ta_bot_disk_").is_empty()).await;
        assert!(lines(&metrics, "ta_bot_store").is_empty());
    }

    #[tokio::test]
    async fn what_can_not_be_read_again_is_stale() {
        let engine = Engine::new(settings()).await;
        engine.database.close().await;
        let surroundings = of(&engine, false);
        surroundings.books.refresh().await.unwrap_err();
        let is_stale = |metrics: &Metrics| lines(metrics, "ta_bot_parameters") != ["ta_bot_parameters_stale_seconds 0"];
        measured(surroundings, is_stale).await;
    }
}
