//! Turns SQLite's errors into errors that callers can act on.

use ta_bot_engine::support::store_error::StoreError;

use super::NAME;

const FREE_SPACE: &str = "free space on the disk of DATA_DIR";
const MAKE_WRITABLE: &str =
    "make DATA_DIR and the files in it writable for the user that runs TA Bot, or set DATA_DIR to another directory";
const RESTORE: &str = "stop the service and put the file back from a backup";

/// Returns what an error of the driver means to callers.
pub fn store_error(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            of_code(code, error.message())
        }
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::RowNotFound => StoreError::Corrupt { store: NAME, reason: error.to_string() },
        sqlx::Error::PoolTimedOut => unavailable("every connection is in use"),
        sqlx::Error::PoolClosed => unavailable("it is closed"),
        other => unavailable(&other.to_string()),
    }
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable { store: NAME, reason: reason.to_owned() }
}

/// Converts an error by its SQLite result code: the lowest byte is the kind of error, and the whole code is the exact
/// error.
fn of_code(code: i32, message: &str) -> StoreError {
    /// `SQLITE_IOERR_READ`, `_SHORT_READ`, `_CORRUPTFS` and `_DATA`.
    const READ_FAILED: [i32; 4] = [266, 522, 8458, 8202];
    let cannot_write = |advice| StoreError::CannotWrite { store: NAME, reason: format!("{message}: {advice}") };
    let corrupt = |advice| StoreError::Corrupt { store: NAME, reason: format!("{message}: {advice}") };
    match code & 0xff {
        // FULL
        13 => cannot_write(FREE_SPACE),
        // PERM, READONLY, CANTOPEN
        3 | 8 | 14 => cannot_write(MAKE_WRITABLE),
        // IOERR
        10 if READ_FAILED.contains(&code) => corrupt("check the disk of DATA_DIR"),
        10 => cannot_write("check the disk of DATA_DIR, and that it has space"),
        // CONSTRAINT, MISMATCH: values that the schema refuses
        19 | 20 => StoreError::CannotWrite { store: NAME, reason: message.to_owned() },
        // CORRUPT
        11 => corrupt(RESTORE),
        // NOTADB
        26 => corrupt("move the file away, or set DATA_DIR to another directory"),
        // ERROR: a table or a column is not what it should be
        1 => corrupt("the schema is not TA Bot's"),
        // BUSY, LOCKED, NOMEM, INTERRUPT and the rest
        _ => unavailable(message),
    }
}
