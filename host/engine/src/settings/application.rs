//! The application's settings: what is scheduled, which strategies run, which signals go out.
//!
//! They come from the environment until an operator changes them; from then on what is stored counts.

use std::sync::Arc;

use async_trait::async_trait;
use ta_bot_core::{ApplicationSettings, SettingProblem, SettingsPatch, StrategyId, Timestamp};
use thiserror::Error;

use crate::{
    modules::registry::{Progress, Registry},
    settings::{
        book::{Book, Contents},
        config_store::{AuditEntry, Author, ConfigStore, StoredSettings},
        last_known::{LastKnown, Read},
    },
    support::store_error::{StoreError, WriteError},
};

/// Why settings are not accepted.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// Some settings are not valid.
    #[error("{} of the settings can't be taken; nothing was stored", .0.len())]
    Invalid(Vec<SettingProblem>),
    /// A strategy that is not there yet may be about to appear.
    #[error("the strategies are still being compiled")]
    Loading,
    /// There is no such version to go back to.
    #[error("there is no version {0} to go back to")]
    UnknownVersion(i64),
    /// The write did not happen.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<StoreError> for SettingsError {
    fn from(error: StoreError) -> Self {
        Self::Write(error.into())
    }
}

/// The settings at one moment.
struct Current {
    settings: Arc<StoredSettings>,
    /// What counts while nothing is stored.
    from_environment: Arc<ApplicationSettings>,
}

/// The settings in use.
pub struct SettingsBook {
    book: Book<Current>,
    registry: Arc<Registry>,
}

#[async_trait]
impl Contents for Current {
    /// `None` if nothing is stored.
    type Stored = Option<StoredSettings>;
    const NAME: &'static str = "settings";

    async fn read(store: &dyn ConfigStore) -> Result<Self::Stored, StoreError> {
        store.settings().await
    }

    async fn last_known(file: &LastKnown) -> Option<Read<Self::Stored>> {
        file.settings().await
    }

    async fn keep(stored: &Self::Stored, file: &LastKnown) {
        file.keep_settings(stored.as_ref()).await;
    }

    fn replaced(&self, stored: &Self::Stored) -> Option<Self> {
        let from_environment = Arc::clone(&self.from_environment);
        let settings = stored.clone().unwrap_or_else(|| unchanged(&from_environment));
        Some(Self { settings: Arc::new(settings), from_environment })
    }
}

impl SettingsBook {
    /// A book that starts with the environment's settings.
    pub fn new(store: Arc<dyn ConfigStore>, registry: Arc<Registry>, from_environment: ApplicationSettings) -> Self {
        let from_environment = Arc::new(from_environment);
        let settings = Arc::new(unchanged(&from_environment));
        Self { book: Book::new(store, Current { settings, from_environment }), registry }
    }

    /// The same book, which keeps what it reads in a file and takes it from there at a start without the store.
    #[must_use]
    pub fn with_last_known(self, file: Arc<LastKnown>) -> Self {
        Self { book: self.book.with_last_known(file), ..self }
    }

    /// The settings in use, with their version; version 0 is the environment's.
    pub fn current(&self) -> Arc<StoredSettings> {
        Arc::clone(&self.book.current().settings)
    }

    /// Reads the stored settings again, as every book does.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.book.refresh().await
    }

    /// An error if the settings were never read: those of the environment may have been changed long ago.
    pub fn known(&self) -> Result<(), StoreError> {
        self.book.known()
    }

    /// Since when the settings in use may be older than what is stored, if the last try to read them failed.
    pub fn stale_since(&self) -> Option<Timestamp> {
        self.book.stale_since()
    }

    /// The name of the store.
    pub fn store_name(&self) -> &'static str {
        self.book.store().name()
    }

    /// Checks a change and stores it. Returns `None` if the change was only to be checked.
    pub async fn change(
        &self,
        patch: SettingsPatch,
        expected: Option<i64>,
        validate_only: bool,
        author: &Author,
    ) -> Result<Option<AuditEntry>, SettingsError> {
        let stored =
            self.book.store().settings().await?.unwrap_or_else(|| unchanged(&self.book.current().from_environment));
        // Settings that the change does not name can't make it fail: a strategy may have been removed since it was
        // enabled.
        let kept = patch.enabled_strategies.is_none().then(|| stored.settings.enabled_strategies.clone()).flatten();
        let wanted = stored.settings.patched(patch);
        self.check(&wanted, kept.unwrap_or_default())?;
        if validate_only {
            return Ok(None);
        }
        // The change was laid over what was stored a moment ago, so it is written only if that is still stored.
        let entry = self.book.store().write_settings(&wanted, Some(expected.unwrap_or(stored.version)), author).await?;
        self.book.follow().await;
        Ok(Some(entry))
    }

    /// Stores again what was stored at version `target`, or before the last change if `target` is `None`. Version 0 is
    /// the environment's settings.
    pub async fn roll_back(
        &self,
        target: Option<i64>,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<AuditEntry, SettingsError> {
        let current = self.book.store().settings().await?.map_or(0, |stored| stored.version);
        // Versions are counted one by one, so the previous version holds what was stored before the last change.
        let target = target.unwrap_or(current - 1);
        let wanted = if target == 0 {
            ApplicationSettings::clone(&self.book.current().from_environment)
        } else {
            self.at_version(target).await?
        };
        self.check(&wanted, Vec::new())?;
        // Two operators who roll back at once must not take a step each while both believe that it was one.
        let entry = self.book.store().write_settings(&wanted, Some(expected.unwrap_or(current)), author).await?;
        self.book.follow().await;
        Ok(entry)
    }

    async fn at_version(&self, version: i64) -> Result<ApplicationSettings, SettingsError> {
        let unknown = SettingsError::UnknownVersion(version.max(0));
        let entry = self.book.store().settings_at_version(version).await?;
        match entry.and_then(|entry| entry.new).map(serde_json::from_value) {
            Some(Ok(settings)) => Ok(settings),
            _ => Err(unknown),
        }
    }

    /// The history, newest first.
    pub async fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.book.store().settings_audit(limit).await
    }

    fn check(&self, wanted: &ApplicationSettings, kept: Vec<StrategyId>) -> Result<(), SettingsError> {
        // Read before the registry: if loading is over, every compiled strategy is in the registry.
        let loading = *self.registry.progress() == Progress::Loading;
        let known: Vec<StrategyId> = self.registry.strategies().keys().cloned().chain(kept).collect();
        let problems = wanted.problems(&known);
        if problems.is_empty() {
            Ok(())
        } else if loading && problems.iter().all(|problem| problem.parameter == "enabled_strategies") {
            Err(SettingsError::Loading)
        } else {
            Err(SettingsError::Invalid(problems))
        }
    }
}

fn unchanged(from_environment: &ApplicationSettings) -> StoredSettings {
    StoredSettings { settings: from_environment.clone(), version: 0, updated_at: Timestamp::now() }
}

#[cfg(test)]
mod tests {
    use ta_bot_core::Enabled;

    use crate::sqlite::{Database, config::SqliteConfig};

    use super::*;

    #[tokio::test]
    async fn a_strategy_that_may_be_about_to_appear_is_not_invalid_yet() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteConfig::new(Database::open(folder.path()).await.unwrap()));
        let settings = ApplicationSettings {
            symbols: Vec::new(),
            timeframes: Vec::new(),
            enabled_strategies: Some(vec!["rsi".parse().unwrap()]),
            min_confidence: 0.6,
            max_confidence: 0.95,
            accepted_holes: Vec::new(),
        };
        let book = SettingsBook::new(store, Arc::new(Registry::new()), settings);
        let author = Author { changed_by: "ann".to_owned(), claimed_by: None, reason: None, at: Timestamp::now() };
        let patch = |ids: &[&str], min_confidence| SettingsPatch {
            enabled_strategies: Some(Enabled::Only(ids.iter().map(|id| id.parse().unwrap()).collect())),
            min_confidence,
            ..SettingsPatch::default()
        };
        let change = async |ids: &[&str], least| book.change(patch(ids, least), None, false, &author).await;
        assert!(matches!(change(&["rsi"], None).await, Err(SettingsError::Loading)));
        // Waiting would not fix this.
        let Err(SettingsError::Invalid(problems)) = change(&["rsi"], Some(7.0)).await else { panic!("was taken") };
        assert!(problems.iter().any(|problem| problem.parameter == "min_confidence"));
        change(&[], None).await.unwrap();
        assert!(matches!(book.roll_back(Some(0), None, &author).await, Err(SettingsError::Loading)));
    }
}
