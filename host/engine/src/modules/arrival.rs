//! A module that arrives: its bytes go into a file without a name, so that they take no memory of the service before
//! they were read and found to be worth keeping. The file is gone as soon as nobody has it open any more.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};
use ta_bot_core::ModuleDigest;
use ta_bot_wasm::{InspectError, Inspection, Sandbox};

use crate::support::store_error::StoreError;

/// What keeps arriving modules, as errors name it.
const STORE: &str = "the folder of DATA_DIR";

/// The bytes of a module that have arrived.
#[derive(Debug)]
pub struct Arrival {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl Arrival {
    /// A module of which nothing has arrived yet. Its bytes will be in `folder`.
    pub fn in_folder(folder: &Path) -> Result<Self, StoreError> {
        let file = tempfile::tempfile_in(folder).map_err(|error| no_room(&error))?;
        Ok(Self { file, hash: Sha256::new(), bytes: 0 })
    }

    /// Adds the bytes that come next.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|error| no_room(&error))?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// How many bytes have arrived.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest of what has arrived.
    pub(super) fn digest(&self) -> Result<ModuleDigest, StoreError> {
        let hash = self.hash.clone().finalize();
        ModuleDigest::from_slice(&hash).ok_or_else(|| no_room(&io::Error::other("its digest is not one")))
    }

    /// What the bytes are, or why they are no module.
    pub(super) fn inspect(&mut self, sandbox: &Sandbox) -> Result<Result<Inspection, InspectError>, StoreError> {
        self.file.rewind().map_err(|error| no_room(&error))?;
        Ok(sandbox.inspect(&mut self.file, self.bytes))
    }

    /// The bytes, to store them.
    pub(super) fn read(&mut self) -> Result<Vec<u8>, StoreError> {
        let mut read = || {
            self.file.rewind()?;
            let mut bytes = Vec::with_capacity(self.bytes as usize);
            self.file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error: io::Error| no_room(&error))
    }
}

fn no_room(error: &io::Error) -> StoreError {
    StoreError::CannotWrite {
        store: STORE,
        reason: format!(
            "an uploaded module can't be kept there ({error}): see that its disk has room, and send it again"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrived_in_parts_is_what_was_sent() {
        let folder = tempfile::tempdir().unwrap();
        let mut arrival = Arrival::in_folder(folder.path()).unwrap();
        for part in [&b"one "[..], b"", b"module"] {
            arrival.add(part).unwrap();
        }
        assert_eq!(arrival.bytes(), 10);
        assert_eq!(arrival.digest().unwrap(), ModuleDigest::of(b"one module"));
        assert_eq!(arrival.read().unwrap(), b"one module");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "it has a name that a crash would leave behind");
    }

    #[test]
    fn a_folder_that_takes_nothing_is_named_with_what_to_do() {
        let problem = Arrival::in_folder(Path::new("/proc")).unwrap_err();
        assert!(matches!(&problem, StoreError::CannotWrite { reason, .. } if reason.contains("room")), "{problem}");
    }
}
