//! The configuration as it was last read, kept in a file for a start while its store is away.
//!
//! Wrong parameters are worse than none: a file that is damaged, of another version or of another store counts as
//! absent, and the service then waits for the store. The file is replaced as a whole, so a process that is killed in
//! the middle of writing leaves the previous file.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use ta_bot_core::{ApplicationSettings, StrategyId, Symbol, Timestamp};
use tokio::sync::Mutex;

use crate::{
    settings::config_store::{ConfigKey, StoredConfig, StoredLevels, StoredSettings},
    support::whole_file,
};

/// The name of the file in `DATA_DIR`.
pub const FILE_NAME: &str = "last-known-configuration.json";
/// The version of the file's format.
const FORMAT: u32 = 1;

/// A value that was read, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Read<T> {
    /// When the store held it.
    pub at: Timestamp,
    /// The value.
    pub what: T,
}

/// The file. The books share it.
#[derive(Debug)]
pub struct LastKnown {
    path: PathBuf,
    contents: Mutex<Contents>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Contents {
    format: u32,
    /// The store that it was read from. The configuration of another store does not count here.
    store: String,
    parameters: Option<Read<Vec<Level>>>,
    /// The levels that could not be read, at the same moment.
    #[serde(default)]
    unreadable: Vec<Unreadable>,
    /// The inner `None` means that the store was read and nothing is stored.
    settings: Option<Read<Option<Settings>>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Level {
    strategy_id: StrategyId,
    symbol: Option<Symbol>,
    parameters: Map<String, Json>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    created_by: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unreadable {
    strategy_id: StrategyId,
    symbol: Option<Symbol>,
    problem: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Settings {
    values: ApplicationSettings,
    version: i64,
    updated_at: Timestamp,
}

impl LastKnown {
    /// Opens the file in `data_dir` with what `store` held. `store` says where the store is, without credentials.
    /// Problems with the file are logged.
    pub fn open(data_dir: &Path, store: &str) -> Arc<Self> {
        let path = data_dir.join(FILE_NAME);
        let contents = read(&path, store).unwrap_or_else(|problem| {
            if let Some(problem) = problem {
                tracing::error!(file = %path.display(), "the last known configuration is not used: {problem}");
            }
            Contents {
                format: FORMAT,
                store: store.to_owned(),
                parameters: None,
                unreadable: Vec::new(),
                settings: None,
            }
        });
        Arc::new(Self { path, contents: Mutex::new(contents) })
    }

    /// The levels of all strategies, if any were ever read.
    pub async fn parameters(&self) -> Option<Read<StoredLevels>> {
        let contents = self.contents.lock().await;
        let read = contents.parameters.clone()?;
        let readable = read.what.into_iter().map(Level::split).collect();
        let unreadable = contents.unreadable.iter().cloned().map(Unreadable::split).collect();
        Some(Read { at: read.at, what: StoredLevels { readable, unreadable } })
    }

    /// The settings, if they were ever read.
    pub async fn settings(&self) -> Option<Read<Option<StoredSettings>>> {
        let read = self.contents.lock().await.settings.clone()?;
        let stored =
            |Settings { values, version, updated_at }| StoredSettings { settings: values, version, updated_at };
        Some(Read { at: read.at, what: read.what.map(stored) })
    }

    /// Keeps levels that were just read.
    pub async fn keep_parameters(&self, levels: &StoredLevels) {
        let unreadable: Vec<Unreadable> = levels.unreadable.iter().map(Unreadable::join).collect();
        let mut levels: Vec<Level> = levels.readable.iter().map(Level::join).collect();
        levels.sort_by(|a, b| (&a.strategy_id, &a.symbol).cmp(&(&b.strategy_id, &b.symbol)));
        let mut contents = self.contents.lock().await;
        let is_known = contents.parameters.as_ref().is_some_and(|known| known.what == levels);
        if is_known && contents.unreadable == unreadable {
            return;
        }
        let read = Some(Read { at: Timestamp::now(), what: levels });
        self.replace(&mut contents, |contents| (contents.parameters, contents.unreadable) = (read, unreadable)).await;
    }

    /// Keeps settings that were just read.
    pub async fn keep_settings(&self, stored: Option<&StoredSettings>) {
        let stored = stored.map(|StoredSettings { settings, version, updated_at }| Settings {
            values: settings.clone(),
            version: *version,
            updated_at: *updated_at,
        });
        let mut contents = self.contents.lock().await;
        if contents.settings.as_ref().is_some_and(|known| known.what == stored) {
            return;
        }
        let read = Some(Read { at: Timestamp::now(), what: stored });
        self.replace(&mut contents, |contents| contents.settings = read).await;
    }

    /// Writes the file anew. If that fails, the change counts as not kept, so that the next read tries again.
    async fn replace(&self, contents: &mut Contents, change: impl FnOnce(&mut Contents)) {
        let mut changed = contents.clone();
        change(&mut changed);
        let path = self.path.clone();
        let to_write = changed.clone();
        let write = move || whole_file::replace(&path, &serde_json::to_vec_pretty(&to_write)?);
        let written = tokio::task::spawn_blocking(write).await;
        match written.map_err(io::Error::other).flatten() {
            Ok(()) => *contents = changed,
            Err(error) => {
                tracing::warn!(
                    file = %self.path.display(), %error,
                    "the last known configuration can't be written: a start while its store is away would have to wait"
                );
            }
        }
    }
}

impl Level {
    fn join((key, stored): (&ConfigKey, &StoredConfig)) -> Self {
        Self {
            strategy_id: key.strategy.clone(),
            symbol: key.symbol.clone(),
            parameters: stored.parameters.clone(),
            version: stored.version,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            created_by: stored.created_by.clone(),
        }
    }

    fn split(self) -> (ConfigKey, StoredConfig) {
        let Self { strategy_id, symbol, parameters, version, created_at, updated_at, created_by } = self;
        let key = ConfigKey { strategy: strategy_id, symbol };
        (key, StoredConfig { parameters, version, created_at, updated_at, created_by })
    }
}

impl Unreadable {
    fn join((key, problem): (&ConfigKey, &String)) -> Self {
        Self { strategy_id: key.strategy.clone(), symbol: key.symbol.clone(), problem: problem.clone() }
    }

    fn split(self) -> (ConfigKey, String) {
        (ConfigKey { strategy: self.strategy_id, symbol: self.symbol }, self.problem)
    }
}

/// Reads what the file holds. The error is `None` if the file does not exist.
fn read(path: &Path, store: &str) -> Result<Contents, Option<String>> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(None),
        Err(error) => return Err(Some(format!("it can't be read: {error}"))),
    };
    let damaged = |error: serde_json::Error| Some(format!("it is damaged: {error}"));
    let Format { format } = serde_json::from_slice(&text).map_err(damaged)?;
    if format != FORMAT {
        return Err(Some(format!("it has format {format}, and this version of TA Bot knows format {FORMAT}")));
    }
    let contents: Contents = serde_json::from_slice(&text).map_err(damaged)?;
    if contents.store != store {
        return Err(Some(format!("it is of {}, not of {store}", contents.store)));
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use serde_json::json;

    use super::*;

    fn levels() -> StoredLevels {
        let level = |symbol: Option<&str>, period: i64| {
            let key =
                ConfigKey { strategy: "rsi".parse().unwrap(), symbol: symbol.map(|symbol| symbol.parse().unwrap()) };
            let parameters = json!({"period": period, "oversold": 100.0 / 7.0}).as_object().unwrap().clone();
            let at = Timestamp::from_millis(period);
            let created_by = "ann".to_owned();
            (key, StoredConfig { parameters, version: 3, created_at: at, updated_at: at, created_by })
        };
        let readable = HashMap::from([level(None, 14), level(Some("BTCUSDT"), 9)]);
        let key = ConfigKey { strategy: "macd".parse().unwrap(), symbol: None };
        StoredLevels { readable, unreadable: BTreeMap::from([(key, "it is a list".to_owned())]) }
    }

    #[tokio::test]
    async fn what_was_kept_comes_back_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = LastKnown::open(folder.path(), "host/petrosa");
        assert_eq!((file.parameters().await, file.settings().await), (None, None));
        file.keep_parameters(&levels()).await;
        file.keep_settings(None).await;
        let again = LastKnown::open(folder.path(), "host/petrosa");
        assert_eq!(again.parameters().await.unwrap().what, levels());
        assert_eq!(again.settings().await.unwrap().what, None, "that nothing is stored is known, too");
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, [FILE_NAME]);
    }

    #[tokio::test]
    async fn what_has_not_changed_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = LastKnown::open(folder.path(), "host/petrosa");
        file.keep_parameters(&levels()).await;
        fs::remove_file(folder.path().join(FILE_NAME)).unwrap();
        file.keep_parameters(&levels()).await;
        assert!(!folder.path().join(FILE_NAME).exists());
        file.keep_parameters(&StoredLevels::default()).await;
        assert!(folder.path().join(FILE_NAME).exists());
    }

    #[tokio::test]
    async fn a_damaged_or_foreign_file_counts_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let file = LastKnown::open(folder.path(), "host/petrosa");
        file.keep_parameters(&levels()).await;
        assert!(LastKnown::open(folder.path(), "host/other").parameters().await.is_none());
        let whole = fs::read_to_string(&path).unwrap();
        for text in ["", "{}", &whole[..whole.len() / 2], &whole.replace("\"format\": 1", "\"format\": 2")] {
            fs::write(&path, text).unwrap();
            assert!(LastKnown::open(folder.path(), "host/petrosa").parameters().await.is_none(), "{text}");
        }
        fs::write(&path, &whole).unwrap();
        assert!(LastKnown::open(folder.path(), "host/petrosa").parameters().await.is_some());
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("not there yet");
        let file = LastKnown::open(&inner, "host/petrosa");
        file.keep_parameters(&levels()).await;
        assert_eq!(file.parameters().await, None);
        fs::create_dir(&inner).unwrap();
        file.keep_parameters(&levels()).await;
        assert_eq!(LastKnown::open(&inner, "host/petrosa").parameters().await.unwrap().what, levels());
    }
}
