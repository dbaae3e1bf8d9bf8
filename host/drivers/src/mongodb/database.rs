//! The connection to MongoDB, which holds configuration, histories and module bytes.
//!
//! Opening does not contact the server, which may be away at that time; each call finds out by itself whether it is
//! back. The driver keeps the connections, finds the primary and reconnects.
//!
//! The driver requires that its futures run to completion, so each call runs in a task of its own, and the caller stops
//! waiting at the call's limit. The task ends a little later at the latest. Until then it counts as one of the calls
//! under way, of which there can be as many as connections.

use std::{fmt, sync::Arc, time::Duration};

use mongodb::{Client, Database, bson::doc, options::ConnectionString};
use prometheus::IntGauge;
use tokio::{
    sync::{OnceCell, Semaphore},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use ta_bot_engine::support::{backoff::Backoff, store_error::StoreError};

pub(crate) mod error;
pub(crate) mod indexes;
mod uri;
pub(crate) mod value;

pub use uri::UriError;

use error::Failure;

/// The name of the store in errors and in signals.
pub const NAME: &str = "mongodb";

/// How long a read may take.
pub(crate) const READ_LIMIT: Duration = Duration::from_secs(5);
/// How long a write may take, including repetitions after conflicts with other writers.
pub(crate) const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How much of its limit the server itself may use for one command.
pub(crate) const SERVER_LIMIT: Duration = Duration::from_secs(4);
/// How long a call may continue after its limit, when nobody waits for it any more. This only cuts off a call on a
/// connection that delivers nothing at all while the driver's own probes succeed.
const GRACE: Duration = Duration::from_secs(10);
/// Pauses between attempts at startup.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(15));

/// A database on MongoDB. Clones share its connections.
#[derive(Clone)]
pub struct Mongo {
    shared: Arc<Shared>,
}

struct Shared {
    uri: ConnectionString,
    password: Option<String>,
    database: String,
    place: String,
    client: OnceCell<Client>,
    /// One permit for each connection.
    calls: Arc<Semaphore>,
    under_way: IntGauge,
    indexes: OnceCell<()>,
}

/// What a call works with.
#[derive(Clone)]
pub(crate) struct Connected {
    pub(crate) client: Client,
    pub(crate) database: Database,
    /// When the caller stops waiting for the call.
    pub(crate) deadline: Instant,
}

impl Mongo {
    /// Opens the database of that name at `uri` (`mongodb://` or `mongodb+srv://`). The server need not be reachable
    /// yet.
    pub fn open(uri: &str, database: &str) -> Result<Self, UriError> {
        let uri = uri::read(uri)?;
        uri::check_database(database)?;
        let password = uri.credential.as_ref().and_then(|credential| credential.password.clone());
        let under_way =
            IntGauge::new("ta_bot_mongodb_calls", "Calls to MongoDB that are under way or wait for a connection")
                .map_err(|error| UriError::new(error.to_string()))?;
        let shared = Shared {
            password,
            database: database.to_owned(),
            place: uri::place(&uri, database),
            client: OnceCell::new(),
            calls: Arc::new(Semaphore::new(uri::connections(&uri) as usize)),
            under_way,
            indexes: OnceCell::new(),
            uri,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Hosts and database, without the user and the password.
    pub fn place(&self) -> &str {
        &self.shared.place
    }

    /// How many calls are under way or waiting, for [`Metrics::add`](ta_bot_engine::support::metrics::Metrics::add).
    pub fn calls(&self) -> IntGauge {
        self.shared.under_way.clone()
    }

    /// Checks that the server answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let ping = |connected: Connected| async move {
            connected.database.run_command(doc! { "ping": 1 }).await?;
            Ok(())
        };
        self.run(READ_LIMIT, ping).await
    }

    /// Creates the indexes as soon as the server answers, so that the first write need not. Every write ensures them,
    /// too.
    pub async fn prepare(&self, stop: CancellationToken) {
        let mut pauses = PAUSES;
        let prepared = stop.run_until_cancelled(async {
            while let Err(error) = self.make_indexes().await {
                tracing::warn!(%error, "can't create the indexes yet; will retry");
                tokio::time::sleep(pauses.pause()).await;
            }
        });
        if prepared.await.is_some() {
            tracing::info!(place = self.place(), "MongoDB has the indexes");
        }
    }

    /// Creates the missing indexes.
    pub async fn make_indexes(&self) -> Result<(), StoreError> {
        let mongo = self.clone();
        self.run(WRITE_LIMIT, |connected| async move { mongo.see_to_indexes(&connected).await }).await
    }

    /// Ensures once that the indexes exist, because uniqueness depends on them.
    pub(crate) async fn see_to_indexes(&self, connected: &Connected) -> Result<(), Failure> {
        self.shared.indexes.get_or_try_init(|| indexes::make(&connected.database)).await.map(drop)
    }

    /// Runs one call, for which the caller waits no longer than `limit`.
    pub(crate) async fn run<T, F>(&self, limit: Duration, work: impl FnOnce(Connected) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let deadline = Instant::now() + limit;
        let _counted = Counted::new(&self.shared.under_way);
        let calls = Arc::clone(&self.shared.calls);
        let Ok(turn) = timeout_at(deadline, calls.acquire_owned()).await else {
            return Err(too_slow(limit, "every connection is in use"));
        };
        let Ok(client) = timeout_at(deadline, self.client()).await else {
            return Err(too_slow(limit, "its hosts can't be looked up"));
        };
        let client = client.map_err(|failure| self.explain(&failure))?;
        let database = client.database(&self.shared.database);
        let work = work(Connected { client, database, deadline });
        let task = tokio::spawn(async move {
            let _turn = turn;
            timeout_at(deadline + GRACE, work).await
        });
        match timeout_at(deadline, task).await {
            Ok(Ok(Ok(done))) => done.map_err(|failure| self.explain(&failure)),
            Ok(Err(_)) => Err(StoreError::Unavailable { store: NAME, reason: "a call was given up".to_owned() }),
            Ok(Ok(Err(_))) | Err(_) => Err(too_slow(limit, "of a write it is not known whether it was done")),
        }
    }

    /// The driver's client. Creating it looks up the hosts if the URI is `mongodb+srv://`.
    async fn client(&self) -> Result<Client, Failure> {
        let shared = &self.shared;
        let client = shared.client.get_or_try_init(|| uri::connect(shared.uri.clone())).await;
        Ok(client?.clone())
    }

    fn explain(&self, failure: &Failure) -> StoreError {
        failure.to_store_error(self.shared.password.as_deref())
    }
}

impl fmt::Debug for Mongo {
    /// Shows the hosts and the database, without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mongo").field("place", &self.shared.place).finish_non_exhaustive()
    }
}

fn too_slow(limit: Duration, remark: &str) -> StoreError {
    let reason = format!("no answer within {} s: {remark}", limit.as_secs());
    StoreError::Unavailable { store: NAME, reason }
}

/// Counts a call for as long as its caller waits for it.
struct Counted<'a>(&'a IntGauge);

impl<'a> Counted<'a> {
    fn new(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
