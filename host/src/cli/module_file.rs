//! The file of a module: reading it, and what to say if it is not fit to run.

use std::path::Path;

use ta_bot_engine::modules::{bundled::read_file, catalog::UploadError};
use ta_bot_wasm::{InspectError, LoadError};

use super::error::CliError;

/// Reads the bytes of a module.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    read_file(path).map_err(|reason| CliError::ModuleFile { path: path.to_owned(), reason })
}

/// The error for bytes that are not a strategy, with what to do about it.
pub(super) fn unfit_bytes(path: &Path, error: InspectError) -> CliError {
    unfit(path, &LoadError::Inspect(error))
}

/// The error for a module that can't be loaded, with what to do about it.
pub(super) fn unfit(path: &Path, error: &LoadError) -> CliError {
    CliError::Unfit {
        path: path.to_owned(),
        kind: error.code().into(),
        problem: error.to_string(),
        advice: advice(error).to_owned(),
    }
}

/// The error for a module that a process of its own found unusable, or died of.
pub(super) fn unusable(path: &Path, code: String, problem: String) -> CliError {
    let advice = "Make it of fewer and simpler parts, or look at what its language makes of it.".to_owned();
    CliError::Unfit { path: path.to_owned(), kind: code.into(), problem, advice }
}

/// The error for an upload that was refused.
pub(super) fn refused(path: &Path, error: UploadError) -> CliError {
    match error {
        UploadError::Refused(error) => unfit_bytes(path, error),
        UploadError::Signature(problem) => CliError::Signature { path: path.to_owned(), problem },
        UploadError::Store(error) => CliError::Store(error),
        UploadError::NotSigned | UploadError::Full | UploadError::NoRoom { .. } => CliError::Upload(error),
    }
}

/// What to do about a file that is not a strategy.
const fn advice(error: &LoadError) -> &'static str {
    match error {
        LoadError::Inspect(InspectError::NotAComponent(_)) | LoadError::NotAComponent(_) => {
            "Give the component that the build of the strategy made, whole and unpacked."
        }
        LoadError::Inspect(InspectError::WrongExports(_)) | LoadError::WrongExports(_) => {
            "Build it against the world strategy-module of the folder wit, at that version."
        }
        LoadError::Inspect(InspectError::CoreModule) => "The folder examples has a build for each language to go by.",
        LoadError::Inspect(InspectError::TooLarge) => {
            "Leave out what the strategy does not call, and debug information."
        }
        LoadError::Inspect(InspectError::TooComplex { .. }) => "Make it of fewer and smaller parts.",
        LoadError::Inspect(InspectError::ForbiddenImports(_)) => {
            "Remove what reaches outside (sockets, HTTP, other hosts' interfaces), or build without WASI as the folder \
             examples does."
        }
        LoadError::Inspect(InspectError::Crashed(_)) => {
            "If it is a module that a compiler made, please report it: docs/security.md says how."
        }
        LoadError::Inspect(InspectError::TooCostly(_)) => "docs/security.md says what a module of its size may use.",
        LoadError::Inspect(InspectError::Unanswered(_)) | LoadError::NoRoom(_) => {
            "This says nothing about the module: try again."
        }
        LoadError::Describe(_) => "Let describe() answer fixed values, with nothing computed or read before.",
        LoadError::Description(_) => "Correct this in what describe() answers.",
    }
}
