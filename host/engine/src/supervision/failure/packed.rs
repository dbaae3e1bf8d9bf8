//! A bundle on its way into a store: compressed, since its candles are mostly digits.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use thiserror::Error;

use super::{Failure, FailureSummary, document::LARGEST_DOCUMENT};
use crate::support::store_error::StoreError;

/// How many bytes are stored of a bundle at most: half of what a server takes in one statement by default. The largest
/// windows that a strategy may ask for make about half of that.
pub const LARGEST_PACKED: usize = 8 << 20;

/// A bundle as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// What a list says of it.
    pub summary: FailureSummary,
    /// The document, compressed by gzip.
    pub bytes: Vec<u8>,
}

/// A bundle that is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the bundle has {given} bytes when compressed, and at most {LARGEST_PACKED} are kept")]
pub struct TooLarge {
    /// How many it has.
    pub given: usize,
}

impl Packed {
    /// Makes a document of a failure and compresses it. Takes milliseconds: not for threads that others wait for.
    pub fn new(failure: &Failure) -> Result<Self, TooLarge> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing to memory does not fail.
        let _ = encoder.write_all(failure.to_json().as_bytes());
        let bytes = encoder.finish().unwrap_or_default();
        if bytes.len() > LARGEST_PACKED {
            return Err(TooLarge { given: bytes.len() });
        }
        Ok(Self { summary: failure.summary(), bytes })
    }
}

/// The document that was stored; what was damaged since is told.
pub fn unpacked(store: &'static str, bytes: &[u8]) -> Result<String, StoreError> {
    let mut document = String::new();
    let read = GzDecoder::new(bytes).take(LARGEST_DOCUMENT as u64 + 1).read_to_string(&mut document);
    match read {
        Ok(length) if length <= LARGEST_DOCUMENT => Ok(document),
        Ok(_) => Err(StoreError::Corrupt { store, reason: "a bundle of a failure is too large".to_owned() }),
        Err(error) => Err(StoreError::Corrupt { store, reason: format!("a bundle of a failure is damaged: {error}") }),
    }
}
