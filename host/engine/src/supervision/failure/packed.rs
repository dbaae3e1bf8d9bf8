//! A bundle on its way into a store. It is compressed, because its candles are mostly digits.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use thiserror::Error;

use super::{Failure, FailureSummary, document::LARGEST_DOCUMENT};
use crate::support::store_error::StoreError;

/// The largest stored bundle, in bytes: half of what a server accepts in one statement by default. The largest windows
/// that a strategy may ask for take about half of that.
pub const LARGEST_PACKED: usize = 8 << 20;

/// A bundle as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The entry for lists.
    pub summary: FailureSummary,
    /// The document, compressed with gzip.
    pub bytes: Vec<u8>,
}

/// The error for a bundle that is too large to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the bundle has {given} bytes when compressed, and at most {LARGEST_PACKED} are kept")]
pub struct TooLarge {
    /// The size of the compressed bundle, in bytes.
    pub given: usize,
}

impl Packed {
    /// Writes a failure as a document and compresses it. This takes milliseconds, so don't call it on the async
    /// runtime's threads.
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

/// Decompresses a stored document. Damaged bytes are an error.
pub fn unpacked(store: &'static str, bytes: &[u8]) -> Result<String, StoreError> {
    let mut document = String::new();
    let read = GzDecoder::new(bytes).take(LARGEST_DOCUMENT as u64 + 1).read_to_string(&mut document);
    match read {
        Ok(length) if length <= LARGEST_DOCUMENT => Ok(document),
        Ok(_) => Err(StoreError::Corrupt { store, reason: "a bundle of a failure is too large".to_owned() }),
        Err(error) => Err(StoreError::Corrupt { store, reason: format!("a bundle of a failure is damaged: {error}") }),
    }
}
