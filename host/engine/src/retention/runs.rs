//! Runs of backtests that nobody has looked at for long. Each is a folder; what it holds can be made again.

use std::{fs, io, path::PathBuf};

use async_trait::async_trait;
use ta_bot_core::Timestamp;

use super::{
    kind::Kind,
    store::{Prunable, Stored},
};
use crate::support::store_error::StoreError;

/// The folder of runs.
pub struct Runs {
    folder: PathBuf,
}

/// One run.
struct Run {
    path: PathBuf,
    bytes: u64,
    /// When something in it was written last.
    written_at: Timestamp,
}

impl Runs {
    /// The runs in a folder, which need not be there.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Every run, oldest first.
    fn all(&self) -> io::Result<Vec<Run>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let folders = entries.filter_map(|entry| entry.map(|entry| entry.path()).ok()).filter(|path| path.is_dir());
        let mut runs = folders.map(Run::of).collect::<io::Result<Vec<_>>>()?;
        runs.sort_by_key(|run| run.written_at);
        Ok(runs)
    }
}

impl Run {
    fn of(path: PathBuf) -> io::Result<Self> {
        let (mut bytes, mut written_at) = (0, Timestamp::from_millis(0));
        let mut folders = vec![path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let (entry, about) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
                if about.is_dir() {
                    folders.push(entry);
                } else {
                    bytes += about.len();
                    written_at = written_at.max(Timestamp::of(about.modified()?));
                }
            }
        }
        Ok(Self { path, bytes, written_at })
    }
}

#[async_trait]
impl Prunable for Runs {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Backtests]
    }

    async fn prune(&self, kind: Kind, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        if kind != Kind::Backtests {
            return Ok(0);
        }
        let over = on_disk(self.all())?.into_iter().filter(|run| run.written_at < before).take(limit as usize);
        let mut removed = 0;
        for run in over {
            on_disk(fs::remove_dir_all(&run.path))?;
            removed += 1;
        }
        Ok(removed)
    }

    async fn due(&self, kind: Kind, before: Timestamp, most: u32) -> Result<u64, StoreError> {
        if kind != Kind::Backtests {
            return Ok(0);
        }
        let due = on_disk(self.all())?.iter().filter(|run| run.written_at < before).take(most as usize).count();
        Ok(due as u64)
    }

    async fn stored(&self, kind: Kind) -> Result<Stored, StoreError> {
        if kind != Kind::Backtests {
            return Ok(Stored::default());
        }
        let runs = on_disk(self.all())?;
        Ok(Stored {
            rows: Some(runs.len() as u64),
            bytes: Some(runs.iter().map(|run| run.bytes).sum()),
            oldest: runs.first().map(|run| run.written_at),
        })
    }
}

fn on_disk<T>(done: io::Result<T>) -> Result<T, StoreError> {
    done.map_err(|error| StoreError::Unavailable {
        store: "backtests",
        reason: format!("the folder of backtests in DATA_DIR: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use tempfile::TempDir;

    use super::*;

    /// A run whose newest file was written so many days ago.
    fn run(folder: &TempDir, name: &str, days: u64) {
        let units = folder.path().join(name).join("units");
        fs::create_dir_all(&units).unwrap();
        for path in [units.join("0.jsonl"), folder.path().join(name).join("plan.json")] {
            fs::write(&path, "12345").unwrap();
            let at = SystemTime::now() - Duration::from_hours(24 * days);
            fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        }
    }

    #[tokio::test]
    async fn runs_go_by_their_newest_file_oldest_first() {
        let folder = TempDir::new().unwrap();
        let runs = Runs::new(folder.path().to_owned());
        for (name, days) in [("new", 1), ("old", 100), ("oldest", 200)] {
            run(&folder, name, days);
        }
        // What somebody has looked into again is not old.
        run(&folder, "again", 300);
        fs::write(folder.path().join("again/signals.csv"), "").unwrap();
        let stored = runs.stored(Kind::Backtests).await.unwrap();
        assert_eq!((stored.rows, stored.bytes), (Some(4), Some(40)));
        let before = Timestamp::now().plus_millis(-90 * 86_400_000);
        assert_eq!(runs.due(Kind::Backtests, before, 10).await.unwrap(), 2);
        assert_eq!(runs.prune(Kind::Backtests, before, 1).await.unwrap(), 1);
        assert!(!folder.path().join("oldest").exists() && folder.path().join("old").exists());
        assert_eq!(runs.prune(Kind::Backtests, before, 10).await.unwrap(), 1);
        assert_eq!(runs.stored(Kind::Backtests).await.unwrap().rows, Some(2));
        assert_eq!(runs.prune(Kind::Signals, Timestamp::now(), 10).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_holds_nothing() {
        let folder = TempDir::new().unwrap();
        let runs = Runs::new(folder.path().join("backtests"));
        assert_eq!(runs.stored(Kind::Backtests).await.unwrap().rows, Some(0));
        assert_eq!(runs.prune(Kind::Backtests, Timestamp::now(), 10).await.unwrap(), 0);
    }
}
