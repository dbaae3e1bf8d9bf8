//! The MySQL server that replicas share: candles of the Data Extractor, and TA Bot's own signals and jobs.
//!
//! Opening needs no server: a task brings the schema up to this version as soon as a server answers, and until then
//! calls fail as *away*. Every call has a time limit. A connection on which anything failed, or whose caller gave up
//! midway, is closed and not used again: whatever it was doing ends with it, and the next connection may lead to
//! another server.

use std::{
    fmt,
    future::Future,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{MySql, MySqlPool, QueryBuilder, mysql::MySqlRow};
use tokio::{
    sync::watch,
    time::{error::Elapsed, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use ta_bot_engine::support::{backoff::Backoff, store_error::StoreError};

pub(crate) mod apart;
pub(crate) mod batch;
mod connect;
mod error;
mod gauge;
pub(crate) mod klines;
mod lease;
pub(crate) mod look;
pub mod older;
pub(crate) mod row;
pub(crate) mod schema;
mod uri;

pub(crate) use error::Fault;
use error::is_conflict;
pub use error::store_error;
use gauge::ConnectionsGauge;
use lease::{Lease, Open, acquire};
pub(crate) use schema::Schema;
pub use uri::{MysqlUri, MysqlUriError};

/// The name of the store in errors and in signals.
pub const NAME: &str = "mysql";

/// Pauses before the schema is checked again.
const SCHEMA_PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
/// Pauses before a transaction that conflicted with another one is repeated.
const CONFLICT_PAUSES: Backoff = Backoff::new(Duration::from_millis(2), Duration::from_millis(100));

/// How much of the server may be used, and for how long calls wait for it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest number of connections. Servers that many services share often allow only a few for each account.
    pub connections: u32,
    /// How long to wait for a connection.
    pub acquire: Duration,
    /// How long a read may take, including the wait for a connection.
    pub read: Duration,
    /// How long a write may take, including the wait for other writers; one millisecond is added for each row.
    pub write: Duration,
    /// How long counting all candles may take.
    pub count: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 5,
            acquire: Duration::from_secs(3),
            read: Duration::from_secs(5),
            write: Duration::from_secs(10),
            count: Duration::from_mins(1),
        }
    }
}

/// The numbers of connections at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// How many are open.
    pub open: u32,
    /// How many of them are idle.
    pub idle: u32,
    /// How many there may be.
    pub limit: u32,
}

/// What is known about the schema.
#[derive(Debug, Clone)]
enum State {
    /// Nothing: no server has answered yet.
    Asking,
    /// The last attempt failed; there will be another.
    Failed(StoreError),
    /// The schema is this version's.
    Ready(Schema),
}

/// A MySQL database. Clones share its connections.
#[derive(Clone)]
pub struct Mysql {
    pool: MySqlPool,
    limits: Limits,
    uri: Arc<MysqlUri>,
    state: watch::Receiver<State>,
    /// Marks what this process commits.
    instance: i64,
    _migration: Arc<AbortOnDropHandle<()>>,
}

impl fmt::Debug for Mysql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mysql").field("uri", &self.uri).field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Mysql {
    /// Opens the database at `uri` with the default limits. The server need not be reachable. This must be called
    /// within a runtime.
    pub fn open(uri: &MysqlUri) -> Self {
        Self::open_with(uri, Limits::default())
    }

    /// Opens the database at `uri`.
    pub fn open_with(uri: &MysqlUri, limits: Limits) -> Self {
        let pool = connect::pool(uri, &limits);
        let uri = Arc::new(uri.clone());
        let (sender, state) = watch::channel(State::Asking);
        let migration = tokio::spawn(migrate(pool.clone(), limits, Arc::clone(&uri), sender));
        let migration = Arc::new(AbortOnDropHandle::new(migration));
        // A number that no other process has.
        let instance = RandomState::new().hash_one(std::process::id()) as i64;
        Self { pool, limits, uri, state, instance, _migration: migration }
    }

    /// Returns the numbers of connections at this moment.
    pub fn connections(&self) -> Connections {
        let (open, idle) = (self.pool.size(), self.pool.num_idle());
        Connections { open, idle: u32::try_from(idle).unwrap_or(open), limit: self.limits.connections }
    }

    /// Returns a metric of the connections.
    pub fn gauge(&self) -> Result<ConnectionsGauge, prometheus::Error> {
        ConnectionsGauge::new(self.clone())
    }

    /// Waits until the schema is this version's, at most for as long as a read may take. Returns at once if that is
    /// known, or if the last attempt failed.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.read(async { Ok(self.schema().await.map(drop)?) }).await
    }

    /// Checks that the server answers and has the schema.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let answer = async {
            let mut connection = self.connection().await?;
            let answer = sqlx::raw_sql("SELECT 1").execute(&mut *connection).await;
            connection.end(answer)
        };
        self.read(answer).await.map(drop)
    }

    /// Waits for calls under way and closes the connections. Later calls fail.
    pub async fn close(&self) {
        // A call that hangs is cut off when the process ends.
        let _ = timeout(self.limits.acquire, self.pool.close()).await;
    }

    /// Identifies this process among those that commit.
    pub(crate) const fn instance(&self) -> i64 {
        self.instance
    }

    /// Returns what is known about the schema. Waits for the first attempt to find out.
    pub(crate) async fn schema(&self) -> Result<Schema, StoreError> {
        let mut state = self.state.clone();
        let known = state.wait_for(|state| !matches!(state, State::Asking)).await;
        match known.map(|state| state.clone()) {
            Ok(State::Ready(schema)) => Ok(schema),
            Ok(State::Failed(error)) => Err(error),
            Ok(State::Asking) | Err(_) => Err(unavailable("it is closed")),
        }
    }

    /// Acquires a connection to a database that has the schema.
    pub(crate) async fn connection(&self) -> Result<Lease, Fault> {
        self.schema().await?;
        acquire(&self.pool, &self.uri, &self.limits).await
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Open, Fault> {
        Open::begin(self.connection().await?).await
    }

    /// Returns the rows that a query finds, within the time limit of a read.
    pub(crate) async fn rows(&self, mut query: QueryBuilder<MySql>) -> Result<Vec<MySqlRow>, StoreError> {
        let found = async {
            let mut connection = self.connection().await?;
            let rows = query.build().fetch_all(&mut *connection).await;
            connection.end(rows)
        };
        self.read(found).await
    }

    /// Runs a read within its time limit.
    pub(crate) async fn read<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, StoreError> {
        self.bounded(self.limits.read, work).await
    }

    /// Runs a read that goes through everything, within its time limit.
    pub(crate) async fn count<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, StoreError> {
        self.bounded(self.limits.count, work).await
    }

    /// Runs a write of `rows` rows within its time limit. A write that conflicted with another writer is repeated from
    /// its beginning.
    pub(crate) async fn write<T, W>(&self, rows: usize, work: impl Fn() -> W) -> Result<T, StoreError>
    where
        W: Future<Output = Result<T, Fault>>,
    {
        let met = Mutex::new(None);
        let patient = async {
            let mut pauses = CONFLICT_PAUSES;
            loop {
                match work().await {
                    Err(Fault::Sql(error)) if is_conflict(&error) => {
                        tracing::debug!(%error, "a transaction conflicted with another one; repeating it");
                        *met.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                        sleep(pauses.pause()).await;
                    }
                    done => return done,
                }
            }
        };
        let limit = self.limits.write + Duration::from_millis(rows as u64);
        let done = timeout(limit, patient).await;
        let met = met.into_inner().unwrap_or_else(PoisonError::into_inner);
        let remark = met.map(|last| format!(", other transactions were in the way: {last}"));
        self.in_time(limit, done, &remark.unwrap_or_default())
    }

    async fn bounded<T>(&self, limit: Duration, work: impl Future<Output = Result<T, Fault>>) -> Result<T, StoreError> {
        self.in_time(limit, timeout(limit, work).await, "")
    }

    fn in_time<T>(
        &self,
        limit: Duration,
        done: Result<Result<T, Fault>, Elapsed>,
        remark: &str,
    ) -> Result<T, StoreError> {
        match done {
            Ok(done) => done.map_err(|fault| fault.at(&self.uri)),
            Err(_) => Err(unavailable(&format!("{}: no answer within {} ms{remark}", self.uri, limit.as_millis()))),
        }
    }
}

/// Brings the schema up to this version. Tries again for as long as it takes.
async fn migrate(pool: MySqlPool, limits: Limits, uri: Arc<MysqlUri>, state: watch::Sender<State>) {
    let mut pauses = SCHEMA_PAUSES;
    let mut told = String::new();
    loop {
        let migrated = async {
            let mut lease = acquire(&pool, &uri, &limits).await?;
            let schema = schema::migrate(&mut lease, limits.read).await;
            if schema.is_ok() {
                lease.keep();
            }
            schema
        };
        match migrated.await.map_err(|fault| fault.at(&uri)) {
            Ok(schema) => {
                tracing::info!(mysql = %uri, "the schema is up to date");
                state.send_replace(State::Ready(schema));
                return;
            }
            Err(error) => {
                let reason = error.to_string();
                if reason != told {
                    tracing::warn!(%error, "MySQL is not ready; will retry");
                    told = reason;
                }
                state.send_replace(State::Failed(error));
            }
        }
        sleep(pauses.pause()).await;
    }
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable { store: NAME, reason: reason.to_owned() }
}
