//! The ledger of trials: every try counts, so that the best of four hundred is not taken for the only one.
//!
//! It is one file of JSON lines, to which entries are only added. Each line bears the digest of the line before, so a
//! line that was removed or changed is found. A trial is written down when it begins and again when it ends; one that
//! never ended was interrupted, and counts. A line that a killed process left half written is cut off by the next one
//! that writes. Processes take turns by a lock on the file.
//!
//! Lines that are taken from the end leave a chain that is whole. Whoever keeps the [`head`](Ledger::head) of a ledger
//! finds that too: the ledger does not [`hold`](Ledger::holds) it any more.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use ta_bot_core::Timestamp;
use thiserror::Error;

mod entry;

#[cfg(test)]
mod tests;

pub use entry::{Trial, TrialId, TrialResult};

use entry::{Entry, Line};

/// Why a ledger can't be read or written.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The file can't be read or written.
    #[error("the ledger {path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A line is not what was written.
    #[error(
        "line {line} of the ledger {path} {problem}: entries were removed or changed. Restore the file from a copy, or \
         move it away and begin a new ledger, which will not know of these trials"
    )]
    Broken {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// What a ledger knows of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// What was tried.
    pub trial: Trial,
    /// When it began.
    pub began: Timestamp,
    /// What came of it; `None` if it was interrupted.
    pub result: Option<TrialResult>,
}

/// A ledger, open for reading and writing.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
}

/// What a walk along the lines has found.
#[derive(Debug, Default)]
struct Walked {
    trials: BTreeMap<TrialId, Known>,
    /// The digest of the last whole line.
    last: String,
    /// The digest of every whole line.
    heads: HashSet<String>,
    /// Every whole line's entry, as it is written.
    entries: HashSet<String>,
    /// Where the last whole line ends, if bytes follow it that are none.
    torn: Option<u64>,
}

impl Ledger {
    /// A ledger in this file, which is made when something is first written.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Writes down that a trial begins. From now on it counts, whatever becomes of it.
    pub fn begin(&self, trial: &Trial, at: Timestamp) -> Result<TrialId, LedgerError> {
        let id = TrialId::of(trial, at);
        self.append(|_| vec![Entry::Began { id: id.clone(), at, trial: trial.clone() }])?;
        Ok(id)
    }

    /// Writes down what came of a trial.
    pub fn end(&self, id: &TrialId, result: &TrialResult) -> Result<(), LedgerError> {
        self.append(|_| vec![Entry::Ended { id: id.clone(), result: result.clone() }])
    }

    /// All trials, by their ids. The whole chain is checked.
    pub fn trials(&self) -> Result<BTreeMap<TrialId, Known>, LedgerError> {
        Ok(self.read()?.trials)
    }

    fn read(&self) -> Result<Walked, LedgerError> {
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Walked::default()),
            opened => {
                let file = opened.map_err(|error| self.file(error))?;
                file.lock_shared().map_err(|error| self.file(error))?;
                self.walk(&file)
            }
        }
    }

    /// The digest of the last line, which stands for all lines up to it; `None` if nothing was written.
    pub fn head(&self) -> Result<Option<String>, LedgerError> {
        Ok(Some(self.read()?.last).filter(|last| !last.is_empty()))
    }

    /// Whether this was the head at some time: nothing that was written up to then is missing.
    pub fn holds(&self, head: &str) -> Result<bool, LedgerError> {
        Ok(self.read()?.heads.contains(head))
    }

    /// Takes over what another ledger knows and this one does not. Says how many entries that were.
    pub fn merge(&self, other: &Self) -> Result<u64, LedgerError> {
        let theirs = other.trials()?;
        let mut added = 0;
        self.append(|known| {
            let mut entries = Vec::new();
            for (id, Known { trial, began, result }) in theirs {
                entries.push(Entry::Began { id: id.clone(), at: began, trial });
                entries.extend(result.map(|result| Entry::Ended { id, result }));
            }
            entries.retain(|entry| !known.entries.contains(&entry.text()));
            added = entries.len() as u64;
            entries
        })?;
        Ok(added)
    }

    fn file(&self, error: io::Error) -> LedgerError {
        LedgerError::File { path: self.path.clone(), error }
    }

    /// Adds entries at the end, which are on the disk when this returns. The lock ends with the file's handle.
    fn append(&self, entries: impl FnOnce(&Walked) -> Vec<Entry>) -> Result<(), LedgerError> {
        let fail = |error| self.file(error);
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(fail)?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path).map_err(fail)?;
        file.lock().map_err(fail)?;
        let mut walked = self.walk(&file)?;
        let entries = entries(&walked);
        if let Some(torn) = walked.torn.take() {
            // What a killed process left is no line: it was never reported as written.
            file.set_len(torn).map_err(fail)?;
        }
        let mut text = String::new();
        for entry in entries {
            let line = Line::new(&walked.last, &entry);
            text.push_str(&line.text);
            text.push('\n');
            walked.last = line.digest;
        }
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)
    }

    /// Reads all lines, and checks that each is the one that followed the one before it.
    fn walk(&self, file: &File) -> Result<Walked, LedgerError> {
        let fail = |error| self.file(error);
        let mut reader = BufReader::new(file);
        reader.seek(SeekFrom::Start(0)).map_err(fail)?;
        let (mut walked, mut place, mut bytes) = (Walked::default(), 0_u64, Vec::new());
        for number in 1.. {
            bytes.clear();
            let length = reader.read_until(b'\n', &mut bytes).map_err(fail)? as u64;
            if length == 0 {
                break;
            }
            let broken = |problem| LedgerError::Broken { path: self.path.clone(), line: number, problem };
            if bytes.pop_if(|last| *last == b'\n').is_none() {
                walked.torn = Some(place);
                break;
            }
            place += length;
            let text = std::str::from_utf8(&bytes).map_err(|_| broken("is no text"))?;
            let (entry, digest) = Line::read(text, &walked.last).map_err(broken)?;
            walked.heads.insert(digest.clone());
            walked.last = digest;
            walked.entries.insert(entry.text());
            match entry {
                Entry::Began { id, at, trial } => {
                    if id != TrialId::of(&trial, at) {
                        return Err(broken("names a trial by another's id"));
                    }
                    walked.trials.entry(id).or_insert(Known { trial, began: at, result: None });
                }
                Entry::Ended { id, result } => {
                    let known = walked.trials.get_mut(&id).ok_or_else(|| broken("ends a trial that never began"))?;
                    known.result = Some(result);
                }
            }
        }
        Ok(walked)
    }
}
