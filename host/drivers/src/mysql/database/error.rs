//! Turns MySQL's errors into errors that callers can act on.

use sqlx::mysql::MySqlDatabaseError;
use ta_bot_engine::support::store_error::StoreError;

use super::{MysqlUri, NAME};

/// What went wrong inside a call.
#[derive(Debug)]
pub(crate) enum Fault {
    /// An error of the driver or the server.
    Sql(sqlx::Error),
    /// An error that callers know already.
    Store(StoreError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Fault {
    /// The server's number for it, if it is an error of the server.
    pub(crate) fn number(&self) -> Option<u16> {
        match self {
            Self::Sql(error) => number(error),
            Self::Store(_) => None,
        }
    }

    /// Returns the error for callers, which names the server that it is about.
    pub(super) fn at(self, uri: &MysqlUri) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Sql(error) => {
                let mut told = store_error(&error);
                let (StoreError::Unavailable { reason, .. }
                | StoreError::CannotWrite { reason, .. }
                | StoreError::DoesNotFit { reason, .. }
                | StoreError::Corrupt { reason, .. }) = &mut told;
                reason.insert_str(0, &format!("{uri}: "));
                told
            }
        }
    }
}

/// The server's number for an error.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    match error {
        sqlx::Error::Database(error) => error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number),
        _ => None,
    }
}

/// Whether a transaction conflicted with another one, and may succeed if it is repeated.
pub(crate) fn is_conflict(error: &sqlx::Error) -> bool {
    // CHECKREAD (MariaDB), DUP_ENTRY, LOCK_WAIT_TIMEOUT, LOCK_DEADLOCK, LOCK_NOWAIT (MySQL)
    matches!(number(error), Some(1020 | 1062 | 1205 | 1213 | 3572))
}

/// Returns what an error of the driver means to callers.
pub fn store_error(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(inner) => of_number(number(error).unwrap_or(0), inner.message()),
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::RowNotFound => StoreError::Corrupt { store: NAME, reason: error.to_string() },
        sqlx::Error::Encode(_) => StoreError::CannotWrite { store: NAME, reason: error.to_string() },
        sqlx::Error::PoolTimedOut => unavailable("no connection in time"),
        sqlx::Error::PoolClosed => unavailable("it is closed"),
        other => unavailable(&other.to_string()),
    }
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable { store: NAME, reason: reason.to_owned() }
}

fn of_number(number: u16, message: &str) -> StoreError {
    let cannot_write =
        |advice| StoreError::CannotWrite { store: NAME, reason: format!("{message} ({number}): {advice}") };
    let corrupt = |advice| StoreError::Corrupt { store: NAME, reason: format!("{message} ({number}): {advice}") };
    match number {
        // Access denied to the server or the database, unknown database
        1044 | 1045 | 1049 | 1698 => {
            unavailable(&format!("{message} ({number}): check user, password and database in MYSQL_URI"))
        }
        // Command, column or routine denied
        1142 | 1143 | 1227 | 1370 => cannot_write(
            "grant the account SELECT, INSERT, UPDATE and DELETE on the database, and CREATE, ALTER and INDEX for the \
             first start of a version",
        ),
        // Disk full, record file full, error on write
        3 | 1021 | 1026 | 1114 => cannot_write("free space on the server's disk"),
        // Table or server is read-only
        1036 | 1290 | 1792 | 1836 => cannot_write("let MYSQL_URI name a server that takes writes"),
        1153 => cannot_write("raise the server's max_allowed_packet"),
        // Values that the schema refuses
        1048 | 1062 | 1264 | 1265 | 1292 | 1364 | 1366 | 1406 | 3140 | 3819 | 4025 => {
            cannot_write("the table does not take what is documented")
        }
        // Unknown column, syntax, no such table, no such key
        1054 | 1064 | 1146 | 1176 | 1305 => corrupt("the tables are not as documented"),
        // Broken tables and indexes
        126 | 127 | 144 | 145 | 1034 | 1035 | 1194 | 1195 | 1712 => corrupt("repair the table or restore a backup"),
        // Too many connections, shutdown, killed, lost, locks and the rest
        _ => unavailable(&format!("{message} ({number})")),
    }
}
