//! The embedded database: one SQLite file in `DATA_DIR` that holds candles, settings and signals.
//!
//! It makes one process with nothing else installed a complete product, so it must keep what it was given: it uses a
//! write-ahead log that is synced at each commit, which survives a power cut. Only one connection writes, because
//! SQLite allows one writer at a time anyway, and a queue in this process is fairer than its file locks. A few other
//! connections read. Another process, such as a command line beside the service, may use the same file.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use ta_bot_engine::support::store_error::StoreError;

mod error;
pub mod inspect;
mod open;
pub(crate) mod row;
mod schema;

pub use error::store_error;

/// The name of the store in errors and in signals.
pub const NAME: &str = "sqlite";
/// The name of the file in `DATA_DIR`.
pub const FILE_NAME: &str = "ta-bot.sqlite";

/// How long a read may take.
const READ_LIMIT: Duration = Duration::from_secs(10);
/// How long a write may take, including the wait for other writers.
const WRITE_LIMIT: Duration = Duration::from_secs(20);
/// How long SQLite waits for the lock of another process.
const BUSY_LIMIT: Duration = Duration::from_secs(15);
/// How long to wait before opening is tried again.
const OPEN_PAUSE: Duration = Duration::from_millis(20);
/// How many connections read.
const READERS: u32 = 4;

/// The embedded database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Database {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
    path: Arc<Path>,
}

impl Database {
    /// Opens the database in `data_dir`. Creates the directory (for its owner only) and the file if they do not exist,
    /// and brings an older file up to this version.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = open::prepare(data_dir)?;
        let opened = tokio::time::timeout(WRITE_LIMIT, Self::connect_patiently(&path)).await;
        let opened = opened.unwrap_or_else(|_| Err(too_slow(WRITE_LIMIT)));
        opened.map_err(|error| open::explain(data_dir, &path, error))
    }

    /// If several processes open a new file at once, SQLite refuses the switch to the write-ahead log without waiting,
    /// whatever the busy timeout is. So a process that comes second tries again.
    async fn connect_patiently(path: &Path) -> Result<Self, StoreError> {
        loop {
            match Self::connect(path).await {
                Err(StoreError::Unavailable { .. }) => tokio::time::sleep(OPEN_PAUSE).await,
                opened => return opened,
            }
        }
    }

    async fn connect(path: &Path) -> Result<Self, StoreError> {
        let options = options(path);
        let writer = pool(1).connect_with(options.clone()).await.map_err(|error| store_error(&error))?;
        schema::migrate(&writer).await?;
        let readers = pool(READERS).connect_lazy_with(options.create_if_missing(false).pragma("query_only", "ON"));
        Ok(Self { writer, readers, path: path.into() })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for calls under way and closes the file. Later calls fail.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Checks that the database answers and that its file still exists: a deleted file can be written to without any
    /// error, until the process ends and everything is gone.
    pub async fn ping(&self) -> Result<(), StoreError> {
        if !self.path.exists() {
            let reason = format!(
                "{} was removed while it was in use: stop the service and put the file back from a backup",
                self.path.display()
            );
            return Err(StoreError::CannotWrite { store: NAME, reason });
        }
        let schema = async { sqlx::query("SELECT count(*) FROM sqlite_schema").execute(&self.readers).await };
        self.read(schema).await.map(drop)
    }

    /// The connections that read.
    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Begins a transaction that has the right to write from the start, so that it never has to give up midway.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Writes the version of the schema over itself, which is committed like any change.
    pub(crate) async fn rewrite_version(&self) -> Result<(), sqlx::Error> {
        let mut transaction = self.begin().await?;
        let version = sqlx::query_scalar::<_, i64>("SELECT user_version FROM pragma_user_version");
        let version = version.fetch_one(&mut *transaction).await?;
        let rewritten = AssertSqlSafe(format!("PRAGMA user_version = {version}"));
        sqlx::raw_sql(rewritten).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// Runs a read within its time limit.
    pub(crate) async fn read<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
        bounded(READ_LIMIT, work).await
    }

    /// Runs a write of `rows` rows within its time limit. A transaction that is dropped midway is rolled back.
    pub(crate) async fn write<T>(
        &self,
        rows: usize,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        bounded(WRITE_LIMIT + Duration::from_millis(rows as u64), work).await
    }
}

async fn bounded<T>(limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(|error| store_error(&error)),
        Err(_) => Err(too_slow(limit)),
    }
}

fn too_slow(limit: Duration) -> StoreError {
    let reason = format!("no answer within {} s: another process may hold the file locked", limit.as_secs());
    StoreError::Unavailable { store: NAME, reason }
}

pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_LIMIT)
        .foreign_keys(true)
        // A large import leaves a large log; this limit gives its space back.
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging()
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WRITE_LIMIT)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        // On a full disk SQLite rolls a transaction back by itself. The driver's own rollback then fails, and the
        // driver considers the transaction open for good. Such a connection is replaced by a new one.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

/// The path of the file in `data_dir`.
fn file_in(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE_NAME)
}
