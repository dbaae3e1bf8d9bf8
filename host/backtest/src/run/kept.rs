//! The folder in which a run keeps what is done, so that one that was stopped or killed goes on where it was.
//!
//! `plan.json` says what is evaluated; a folder with another plan is left alone. `units` has a file for each unit that
//! is done: a line about it, then its signals as they would have been sent, a line each. A file gets its name when it
//! is whole. `differences.json` names the modules whose instances can't be used again.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use ta_bot_engine::evaluation::HOST_VERSION;
use thiserror::Error;

use super::{Difference, Plan, Tally};

/// How many digits of the hash of a plan name its folder.
const DIGITS: usize = 16;

/// Why a folder can't be used.
#[derive(Debug, Error)]
pub enum KeptError {
    /// It can't be read or written.
    #[error("{path}: {reason}", path = path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// The system's error.
        reason: io::Error,
    },
    /// It holds another run.
    #[error(
        "{path} holds another run: its {field} differs. Give another folder, or remove this one if it is not needed",
        path = path.display()
    )]
    Another {
        /// The folder.
        path: PathBuf,
        /// The first field of the plan that differs.
        field: String,
    },
    /// Another process works in it.
    #[error("another process works on the run in {path}: wait for it, or give another folder", path = path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A file is not what a run writes.
    #[error("{path} is not what a run writes ({reason}): remove it, and the unit is evaluated again", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The folder of a run, which no other process works in meanwhile.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    /// Locked while this process works here.
    _lock: File,
}

/// What is known of a unit that is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) unit: usize,
    /// The hash of its candles and those before them that were looked at.
    pub(super) hash: String,
    pub(super) candles: u64,
    /// Whether the instances of each module were used again.
    pub(super) reused: Vec<bool>,
    pub(super) tallies: Vec<Tally>,
}

impl Kept {
    /// Opens the folder of a run, which is made if it is not there. What is kept of the same run counts.
    pub fn open(folder: &Path, plan: &Plan) -> Result<Self, KeptError> {
        let units = folder.join("units");
        fs::create_dir_all(&units).map_err(failed(&units))?;
        let path = folder.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(KeptError::Busy { path: folder.to_owned() }),
            Err(fs::TryLockError::Error(reason)) => return Err(KeptError::Io { path, reason }),
        }
        let kept = Self { folder: folder.to_owned(), _lock: lock };
        let (ours, path) = (identity(plan), folder.join("plan.json"));
        match read::<Json>(&path)? {
            None => kept.write("plan.json", format!("{ours:#}\n").as_bytes())?,
            Some(theirs) if theirs == ours => {}
            Some(theirs) => {
                let differs =
                    |(field, value): (&String, &Json)| (theirs.get(field) != Some(value)).then(|| field.clone());
                let field = ours.as_object().into_iter().flatten().find_map(differs);
                let field = field.unwrap_or_else(|| "version".to_owned());
                return Err(KeptError::Another { path: folder.to_owned(), field });
            }
        }
        Ok(kept)
    }

    /// The name of the folder of a run if nobody chose one. The same plan has the same name.
    pub fn name(plan: &Plan) -> String {
        let mut name = hex::encode(Sha256::digest(identity(plan).to_string()));
        name.truncate(DIGITS);
        name
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files of the units that are done, in the order of series and time.
    pub(super) fn units(&self) -> Result<Vec<PathBuf>, KeptError> {
        let folder = self.folder.join("units");
        let entries = fs::read_dir(&folder).map_err(failed(&folder))?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed(&folder)));
        let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        paths.sort();
        Ok(paths)
    }

    /// What is known of a unit; `None` if it is not done.
    pub(super) fn unit(&self, unit: usize) -> Result<Option<Header>, KeptError> {
        let path = self.folder.join(file_of(unit));
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed(&path))?,
        };
        let mut line = String::new();
        BufReader::new(file).read_line(&mut line).map_err(failed(&path))?;
        let header = serde_json::from_str(&line);
        header.map(Some).map_err(|error| KeptError::Damaged { path, reason: error.to_string() })
    }

    /// Keeps a unit: what is known of it, and its signals, a line each.
    pub(super) fn keep(&self, header: &Header, signals: &str) -> Result<(), KeptError> {
        let line = serde_json::to_string(header)
            .map_err(|error| KeptError::Io { path: self.folder.clone(), reason: io::Error::other(error) })?;
        self.write(&file_of(header.unit), format!("{line}\n{signals}").as_bytes())
    }

    /// The modules whose instances can't be used again.
    pub(super) fn differences(&self) -> Result<Vec<Difference>, KeptError> {
        Ok(read(&self.folder.join("differences.json"))?.unwrap_or_default())
    }

    pub(super) fn keep_differences(&self, differences: &[Difference]) -> Result<(), KeptError> {
        self.write("differences.json", json!(differences).to_string().as_bytes())
    }

    /// Writes a file that has its name only when it is whole.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), KeptError> {
        let path = self.folder.join(name);
        let begun = path.with_extension("begun");
        let written = File::create(&begun).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        written.and_then(|()| fs::rename(&begun, &path)).map_err(failed(&path))
    }
}

fn file_of(unit: usize) -> String {
    format!("units/{unit:08}.jsonl")
}

fn failed(path: &Path) -> impl Fn(io::Error) -> KeptError {
    let path = path.to_owned();
    move |reason| KeptError::Io { path: path.clone(), reason }
}

/// What a file says as JSON; `None` if there is none.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, KeptError> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(failed(path))?,
    };
    let read = serde_json::from_str(&text);
    read.map(Some).map_err(|error| KeptError::Damaged { path: path.to_owned(), reason: error.to_string() })
}

/// Everything that determines which signals there are and what they say, apart from the candles, whose hash each unit
/// has.
fn identity(plan: &Plan) -> Json {
    let modules: Vec<Json> = plan
        .subjects
        .iter()
        .map(|subject| {
            let parameters = subject.parameters.iter().map(|(symbol, resolution)| {
                let parameters = &resolution.parameters;
                let refused = resolution.refused.as_ref().map(ToString::to_string);
                let told = json!({
                    "values": parameters.values, "version": parameters.version, "level": parameters.level, "refused": refused,
                });
                (symbol.to_string(), told)
            });
            json!({
                "strategy": subject.module.description().id,
                "digest": subject.module.digest().to_string(),
                "parameters": parameters.collect::<serde_json::Map<_, _>>(),
            })
        })
        .collect();
    let series: Vec<String> = plan.series.iter().map(|(symbol, timeframe)| format!("{symbol} {timeframe}")).collect();
    let settings = &plan.settings;
    json!({
        "version": 1,
        "host_version": HOST_VERSION,
        "modules": modules,
        "series": series,
        "from": plan.from.to_string(),
        "until": plan.until.to_string(),
        "settings": {
            "min_confidence": settings.min_confidence,
            "max_confidence": settings.max_confidence,
            "accepted_holes": settings.accepted_holes,
        },
        "gap_window": plan.gap_window,
        "rules": format!("{:?}", plan.rules),
        "parameter_store": plan.parameter_store,
        "may_reuse": plan.may_reuse,
    })
}
