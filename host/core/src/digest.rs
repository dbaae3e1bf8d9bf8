//! Content hashes, which make a signal's origin provable.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};

use crate::Job;

/// A SHA-256 digest, written as 64 hex digits. The type parameter `Of` keeps digests of different things apart.
pub struct Digest<Of> {
    bytes: [u8; 32],
    of: PhantomData<fn() -> Of>,
}

/// Marks the digest of a component's bytes.
#[derive(Debug)]
pub enum OfModule {}
/// Marks the hash of a resolved parameter set.
#[derive(Debug)]
pub enum OfParameters {}
/// Marks the hash of the candle windows of an evaluation.
#[derive(Debug)]
pub enum OfWindows {}

/// Marks the hash that identifies a failed evaluation.
#[derive(Debug)]
pub enum OfFailure {}
/// Marks the hash that identifies the revision of a candle.
#[derive(Debug)]
pub enum OfRevision {}

/// The SHA-256 of a component's bytes, which identifies a strategy's code.
pub type ModuleDigest = Digest<OfModule>;
/// The SHA-256 of resolved parameters in canonical JSON (sorted names, no whitespace).
pub type ParameterHash = Digest<OfParameters>;
/// The SHA-256 over every candle of an evaluation's input.
pub type WindowHash = Digest<OfWindows>;
/// The SHA-256 over the inputs of a failed evaluation and how it failed. The same failure has the same id, however
/// often it happens.
pub type FailureId = Digest<OfFailure>;
/// The SHA-256 over a candle's series, its open time and its numbers before and after a change. The same change has the
/// same id, whichever replica notices it.
pub type RevisionId = Digest<OfRevision>;

impl FailureId {
    /// The SHA-256 over module digest, parameter hash, window hash, symbol, timeframe, candle close (milliseconds) and
    /// error code, one per line.
    pub fn of_evaluation(
        module: ModuleDigest,
        parameters: ParameterHash,
        windows: WindowHash,
        job: &Job,
        code: &str,
    ) -> Self {
        let Job { symbol, timeframe, candle_close } = job;
        let identity =
            format!("{module}\n{parameters}\n{windows}\n{symbol}\n{timeframe}\n{}\n{code}", candle_close.millis());
        Self::of(identity.as_bytes())
    }
}

impl<Of> Digest<Of> {
    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_bytes(Sha256::digest(bytes).into())
    }

    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes, of: PhantomData }
    }

    /// Builds a digest from its bytes, or returns `None` if there are not exactly 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The first 12 hex digits: enough for a person to tell modules apart.
    pub fn short(&self) -> String {
        hex::encode(&self.bytes[..6])
    }
}

impl<Of> Clone for Digest<Of> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<Of> Copy for Digest<Of> {}
impl<Of> PartialEq for Digest<Of> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}
impl<Of> Eq for Digest<Of> {}
impl<Of> PartialOrd for Digest<Of> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<Of> Ord for Digest<Of> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}
impl<Of> std::hash::Hash for Digest<Of> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}
impl<Of> fmt::Display for Digest<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.bytes))
    }
}
impl<Of> fmt::Debug for Digest<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<Of> FromStr for Digest<Of> {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, hex::FromHexError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self::from_bytes(bytes))
    }
}

impl<Of> Serialize for Digest<Of> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, Of> Deserialize<'de> for Digest<Of> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
