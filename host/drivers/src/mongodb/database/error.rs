//! Turns the driver's errors into errors that callers can act on.

use std::io;

use mongodb::error::{Error, ErrorKind, GridFsErrorKind, TRANSIENT_TRANSACTION_ERROR, WriteFailure};
use ta_bot_engine::support::store_error::StoreError;

use super::NAME;

const NO_TRANSACTIONS: &str = "the server has no transactions, and a change is never written without its history: run it \
                               as a replica set (one member is enough)";
const CHECK_USER: &str = "check the user and the password of MONGODB_URI";
const GRANT: &str = "give the user of MONGODB_URI the role readWrite on the database";

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The driver or the server failed.
    Driver(Error),
    /// A document is not what it should be.
    Corrupt(String),
    /// Only an operator can fix the problem.
    CannotWrite(String),
    /// Another writer was faster; nothing was changed.
    Overtaken,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl From<io::Error> for Failure {
    /// GridFS streams wrap the driver's errors.
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).cloned();
        Self::Driver(inner.unwrap_or_else(|| error.into()))
    }
}

impl Failure {
    /// Whether a unique index refused a document.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.code() == Some(11000)
    }

    /// Whether the user may not do this.
    pub(crate) fn is_denied(&self) -> bool {
        self.code() == Some(13)
    }

    /// What the server says, without what to do about it.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Driver(error) => match error.kind.as_ref() {
                ErrorKind::Command(error) => error.message.clone(),
                kind => kind.to_string(),
            },
            Self::Corrupt(reason) | Self::CannotWrite(reason) => reason.clone(),
            Self::Overtaken => "another writer was faster".to_owned(),
        }
    }

    /// Whether the collection does not exist (yet).
    pub(crate) fn is_no_collection(&self) -> bool {
        self.code() == Some(26)
    }

    /// Whether the same transaction may succeed if it is repeated.
    pub(crate) fn is_worth_repeating(&self) -> bool {
        match self {
            Self::Overtaken => true,
            // A second insert of the same new document, or a write of the same document at the same time.
            Self::Driver(error) => {
                error.contains_label(TRANSIENT_TRANSACTION_ERROR) || matches!(self.code(), Some(11000 | 112))
            }
            _ => false,
        }
    }

    fn code(&self) -> Option<i32> {
        let Self::Driver(error) = self else { return None };
        match error.kind.as_ref() {
            ErrorKind::Command(error) => Some(error.code),
            ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
            ErrorKind::InsertMany(error) => error.write_errors.as_ref()?.first().map(|error| error.code),
            _ => None,
        }
    }

    /// The error as callers see it. A password in the driver's message is masked.
    pub(crate) fn to_store_error(&self, password: Option<&str>) -> StoreError {
        let error = match self {
            Self::Corrupt(reason) => corrupt(reason.clone()),
            Self::CannotWrite(reason) => cannot_write(reason.clone()),
            Self::Overtaken => unavailable("other writers were faster again and again"),
            Self::Driver(error) => of_driver(error),
        };
        let Some(password) = password.filter(|password| !password.is_empty()) else { return error };
        let clean = |reason: String| reason.replace(password, "***");
        match error {
            StoreError::Unavailable { store, reason } => StoreError::Unavailable { store, reason: clean(reason) },
            StoreError::CannotWrite { store, reason } => StoreError::CannotWrite { store, reason: clean(reason) },
            StoreError::DoesNotFit { store, reason } => StoreError::DoesNotFit { store, reason: clean(reason) },
            StoreError::Corrupt { store, reason } => StoreError::Corrupt { store, reason: clean(reason) },
        }
    }
}

fn of_driver(error: &Error) -> StoreError {
    match error.kind.as_ref() {
        ErrorKind::Command(failed) => of_code(failed.code, &failed.message),
        ErrorKind::Write(WriteFailure::WriteError(failed)) => of_code(failed.code, &failed.message),
        ErrorKind::Write(WriteFailure::WriteConcernError(failed)) => {
            unavailable(format!("a write was not confirmed by a majority: {}", failed.message))
        }
        ErrorKind::InsertMany(failed) => match failed.write_errors.as_ref().and_then(|errors| errors.first()) {
            Some(failed) => of_code(failed.code, &failed.message),
            None => unavailable("a write was not confirmed by a majority"),
        },
        ErrorKind::Authentication { message, .. } => unavailable(format!("{message}: {CHECK_USER}")),
        ErrorKind::Transaction { message, .. } if message.contains("not supported") => cannot_write(NO_TRANSACTIONS),
        ErrorKind::SessionsNotSupported => cannot_write(NO_TRANSACTIONS),
        ErrorKind::InvalidArgument { .. } => cannot_write(error.kind.to_string()),
        ErrorKind::Bson(_) | ErrorKind::InvalidResponse { .. } => corrupt(error.kind.to_string()),
        ErrorKind::GridFs(failed) => of_file(failed),
        _ => unavailable(error.kind.to_string()),
    }
}

fn of_file(failed: &GridFsErrorKind) -> StoreError {
    match failed {
        GridFsErrorKind::FileNotFound { .. }
        | GridFsErrorKind::MissingChunk { .. }
        | GridFsErrorKind::WrongSizeChunk { .. }
        | GridFsErrorKind::WrongNumberOfChunks { .. } => corrupt(format!("a file's chunks are damaged: {failed:?}")),
        GridFsErrorKind::AbortError { original_error: Some(error), .. }
        | GridFsErrorKind::AbortError { delete_error: error, .. } => of_driver(error),
        other => unavailable(format!("{other:?}")),
    }
}

fn of_code(code: i32, message: &str) -> StoreError {
    match code {
        // IllegalOperation, as reported by a server that is not a member of a replica set;
        // OperationNotSupportedInTransaction
        20 | 263 => cannot_write(format!("{NO_TRANSACTIONS} (it says: {message})")),
        // Unauthorized
        13 => cannot_write(format!("{message}: {GRANT}")),
        // UserNotFound, AuthenticationFailed
        11 | 18 => unavailable(format!("{message}: {CHECK_USER}")),
        // OutOfDiskSpace
        14031 => cannot_write(format!("{message}: free space on the server's disk")),
        // DocumentValidationFailure, BSONObjectTooLarge, and other refusals of a document by the server
        121 | 10334 | 17280 | 17419 | 17420 => cannot_write(message),
        _ => unavailable(message),
    }
}

fn unavailable(reason: impl Into<String>) -> StoreError {
    StoreError::Unavailable { store: NAME, reason: reason.into() }
}

fn cannot_write(reason: impl Into<String>) -> StoreError {
    StoreError::CannotWrite { store: NAME, reason: reason.into() }
}

fn corrupt(reason: impl Into<String>) -> StoreError {
    StoreError::Corrupt { store: NAME, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_drivers_words_is_taken_out() {
        let failure = Failure::from(Error::from(io::Error::other("ann:s3cret@host is not there")));
        let text = failure.to_store_error(Some("s3cret")).to_string();
        assert!(text.contains("ann:***@host is not there"), "{text}");
        assert!(matches!(failure.to_store_error(None), StoreError::Unavailable { .. }));
    }

    #[test]
    fn a_server_without_transactions_is_told_as_that() {
        let message = "Transaction numbers are only allowed on a replica set member or mongos";
        let StoreError::CannotWrite { reason, .. } = of_code(20, message) else { panic!("another kind") };
        assert!(reason.contains("replica set"), "{reason}");
    }
}
