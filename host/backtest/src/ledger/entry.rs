//! One line of a ledger.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};
use ta_bot_core::{ModuleDigest, Series, Timestamp};

/// What was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The digest of the module.
    #[serde(with = "as_text")]
    pub module: ModuleDigest,
    /// The parameters.
    pub parameters: Map<String, Json>,
    /// The series.
    pub series: Vec<Series>,
    /// The first moment of the candles.
    pub from: Timestamp,
    /// The moment after their last.
    pub to: Timestamp,
    /// The name of what was to be as large as possible, such as `sharpe`.
    pub objective: String,
}

mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use ta_bot_core::ModuleDigest;

    pub(super) fn serialize<S: Serializer>(digest: &ModuleDigest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(digest)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ModuleDigest, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialResult {
    /// The objective; `None` if there is none, as without trades.
    pub objective: Option<f64>,
    /// The Sharpe ratio of one day; `None` if there is none.
    pub sharpe: Option<f64>,
    /// How many days its returns cover.
    pub days: u64,
    /// How many trades it rests on.
    pub trades: u64,
}

/// The identity of a trial: a hash of what was tried and when. Two tries of the same are two trials.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrialId(String);

impl TrialId {
    pub(super) fn of(trial: &Trial, at: Timestamp) -> Self {
        let text = serde_json::to_string(trial).unwrap_or_default();
        Self(hex::encode(Sha256::digest(format!("{}\n{text}", at.millis()))))
    }

    /// The id as 64 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Began { id: TrialId, at: Timestamp, trial: Trial },
    Ended { id: TrialId, result: TrialResult },
}

impl Entry {
    /// The entry as it is written, which is the same in every ledger.
    pub(super) fn text(&self) -> String {
        // Names are texts and numbers are finite, so this does not fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A line: the digest of the chain up to it, a blank, and the entry.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) digest: String,
}

impl Line {
    /// The line that follows the one with the digest `before`.
    pub(super) fn new(before: &str, entry: &Entry) -> Self {
        let text = entry.text();
        let digest = chained(before, &text);
        Self { text: format!("{digest} {text}"), digest }
    }

    /// Reads a line that follows the one with the digest `before`: its entry, and the digest up to it.
    pub(super) fn read(line: &str, before: &str) -> Result<(Entry, String), &'static str> {
        let (digest, text) = line.split_once(' ').ok_or("has no digest")?;
        if digest != chained(before, text) {
            return Err("does not follow from the one before it");
        }
        let entry = serde_json::from_str(text).map_err(|_| "is of a kind that this version does not know")?;
        Ok((entry, digest.to_owned()))
    }
}

fn chained(before: &str, text: &str) -> String {
    hex::encode(Sha256::digest(format!("{before}\n{text}")))
}
