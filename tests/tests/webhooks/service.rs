//! The built service with receivers, and with nothing to do but to send what a test puts into its outbox.

use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt as _, path::PathBuf, sync::Arc};

use serde_json::{Value as Json, json};
use ta_bot_core::Timestamp;
use ta_bot_drivers::sqlite::{Database, outbox::SqliteOutbox};
use ta_bot_engine::signals::outbox::{FinishedJob, Outbox, contract::finished};
use ta_bot_tests::replicas::Replica;
use tempfile::TempDir;

use crate::receiver::Receiver;

/// What must never be seen: of each URL the path and the query, and the secret.
pub(crate) const HIDDEN: [&str; 3] = ["T0K3N", "qu3ry", "s3cret"];
pub(crate) const SECRET: &str = "a s3cret of 24 bytes and more";

pub(crate) struct Service {
    pub(crate) replica: Replica,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) path: PathBuf,
    _folder: TempDir,
}

/// A receiver of the file, signed and reachable, with more fields.
pub(crate) fn entry(name: &str, receiver: &Receiver, more: &Json) -> Json {
    let url = format!("http://{}/T0K3N-{name}?key=qu3ry", receiver.address());
    let mut entry = json!({"name": name, "url": url, "secret": SECRET, "allow_private": true});
    entry.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    entry
}

impl Service {
    /// Prepares a service, which is not started yet.
    pub(crate) async fn new(receivers: &Json, more: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, strategies) = (folder.path().join("data"), folder.path().join("none"));
        fs::create_dir(&data).unwrap();
        fs::create_dir(&strategies).unwrap();
        let path = folder.path().join("webhooks.json");
        let mut variables = HashMap::from([
            ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
            ("DATA_DIR", data.display().to_string()),
            ("STRATEGIES_DIR", strategies.display().to_string()),
            ("WEBHOOKS_FILE", path.display().to_string()),
            // The candles are old ones.
            ("SIGNAL_MAX_AGE_SECONDS", "0".to_owned()),
            ("LOG_LEVEL", "debug".to_owned()),
            ("LOG_FORMAT", "text".to_owned()),
        ]);
        variables.extend(more.iter().cloned());
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let database = Database::open(&data).await.unwrap();
        let outbox = Arc::new(SqliteOutbox::new(database));
        let service = Self { replica: Replica::new(folder.path(), variables), outbox, path, _folder: folder };
        service.write(receivers);
        service
    }

    /// Replaces the file of receivers as a whole.
    pub(crate) fn write(&self, receivers: &Json) {
        self.write_text(&receivers.to_string());
    }

    pub(crate) fn write_text(&self, text: &str) {
        let new = self.path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&new, &self.path).unwrap();
    }

    /// Commits a signal for each of these candles. Returns the ids.
    pub(crate) async fn commit(&self, candles: impl IntoIterator<Item = (&str, i64)>) -> Vec<String> {
        let jobs: Vec<FinishedJob> =
            candles.into_iter().map(|(symbol, index)| finished(symbol, index, &["rsi"])).collect();
        let committed = self.outbox.commit(&jobs, Timestamp::now()).await.unwrap();
        committed.new.iter().map(ToString::to_string).collect()
    }

    /// What `/health` says of a receiver.
    pub(crate) async fn health(&self, name: &str) -> Json {
        let health = self.replica.get("/health").await;
        let receivers = health["webhooks"]["receivers"].as_array().unwrap();
        receivers.iter().find(|receiver| receiver["name"] == name).cloned().unwrap_or(Json::Null)
    }

    pub(crate) async fn deliveries(&self, name: &str, outcome: &str) -> f64 {
        let labels = format!("outcome=\"{outcome}\",receiver=\"{name}\"");
        self.replica.metric("ta_bot_webhook_deliveries_total", &labels).await
    }

    /// Checks that nothing that can be read shows a secret.
    pub(crate) async fn check_hidden(&self) {
        let metrics = reqwest::get(self.replica.url("/metrics")).await.unwrap().text().await.unwrap();
        let health = self.replica.get("/health").await.to_string();
        for (place, text) in [("the log", self.replica.log()), ("/metrics", metrics), ("/health", health)] {
            for hidden in HIDDEN {
                let line = text.lines().find(|line| line.contains(hidden));
                assert_eq!(line, None, "{place} shows a secret");
            }
        }
    }
}
