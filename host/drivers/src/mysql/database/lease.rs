//! Connections in use, and transactions on them.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx::{AssertSqlSafe, MySql, MySqlConnection, MySqlPool, mysql::MySqlRow, pool::PoolConnection};
use tokio::{net::TcpStream, time::timeout};

use super::{Fault, Limits, MysqlUri, is_conflict, unavailable};

/// How long the server's port may take to answer when we find out why there was no connection.
const PROBE_LIMIT: Duration = Duration::from_millis(500);
/// How long the server may take to answer when a connection goes back to the pool.
const RETURN_LIMIT: Duration = Duration::from_secs(3);

pub(super) async fn acquire(pool: &MySqlPool, uri: &MysqlUri, limits: &Limits) -> Result<Lease, Fault> {
    match pool.acquire().await {
        Ok(connection) => Ok(Lease { connection, keep: false }),
        Err(sqlx::Error::PoolTimedOut) => Err(unavailable(&why_none(pool, uri, limits).await).into()),
        Err(error) => Err(error.into()),
    }
}

/// Finds out why there was no connection in time, because the pool does not say.
async fn why_none(pool: &MySqlPool, uri: &MysqlUri, limits: &Limits) -> String {
    let waited = limits.acquire.as_millis();
    match timeout(PROBE_LIMIT, TcpStream::connect(uri.host_and_port())).await {
        Ok(Err(error)) => format!("{uri}: {error}"),
        Ok(Ok(_)) if pool.size() >= limits.connections && pool.num_idle() == 0 => {
            format!("{uri}: all {} connections were in use for {waited} ms", limits.connections)
        }
        _ => format!("{uri}: no connection within {waited} ms"),
    }
}

/// A connection in use. It goes back to the pool only if everything on it went well; otherwise it is closed.
pub(crate) struct Lease {
    connection: PoolConnection<MySql>,
    keep: bool,
}

impl Lease {
    /// Takes the last answer on this connection, which decides whether the connection is kept.
    pub(crate) fn end<T>(mut self, answer: Result<T, sqlx::Error>) -> Result<T, Fault> {
        self.keep = answer.is_ok();
        Ok(answer?)
    }

    pub(super) const fn keep(&mut self) {
        self.keep = true;
    }
}

impl Deref for Lease {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        &mut self.connection
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.keep {
            // The pool pings the server before it takes a connection back, and would wait without end.
            tokio::spawn(timeout(RETURN_LIMIT, self.connection.return_to_pool()));
        } else {
            self.connection.close_on_drop();
        }
    }
}

/// An open transaction. If it is dropped, it ends with its connection.
pub(crate) struct Open(Lease);

impl Open {
    pub(super) async fn begin(mut lease: Lease) -> Result<Self, Fault> {
        sqlx::raw_sql("START TRANSACTION").execute(&mut *lease).await?;
        Ok(Self(lease))
    }

    /// The connection for its statements.
    pub(crate) fn connection(&mut self) -> &mut MySqlConnection {
        &mut self.0
    }

    /// Undoes what was done, and begins a new transaction.
    pub(crate) async fn again(self) -> Result<Self, Fault> {
        let Self(mut lease) = self;
        sqlx::raw_sql("ROLLBACK").execute(&mut *lease).await?;
        Self::begin(lease).await
    }

    /// Undoes what was done, and returns the answer to it.
    pub(crate) async fn undo<T>(mut self, done: Result<T, sqlx::Error>) -> Result<T, Fault> {
        if done.is_ok() {
            sqlx::raw_sql("ROLLBACK").execute(self.connection()).await?;
        }
        self.ended(done).await
    }

    /// Commits what was done, or rolls it back if it conflicted with another transaction.
    pub(crate) async fn end<T>(mut self, done: Result<T, sqlx::Error>) -> Result<T, Fault> {
        if done.is_ok() {
            sqlx::raw_sql("COMMIT").execute(self.connection()).await?;
        }
        self.ended(done).await
    }

    /// Runs the last statements and commits, in one message to the server, so that their locks are not held while
    /// answers go to and fro. Returns the rows that `last` finds.
    pub(crate) async fn end_with(mut self, last: String) -> Result<Vec<MySqlRow>, Fault> {
        let done = sqlx::raw_sql(AssertSqlSafe(format!("{last}; COMMIT"))).fetch_all(self.connection()).await;
        self.ended(done).await
    }

    /// Keeps the connection if the transaction was committed, or was rolled back because it conflicted with another
    /// one.
    async fn ended<T>(self, done: Result<T, sqlx::Error>) -> Result<T, Fault> {
        let Self(mut lease) = self;
        lease.keep = match &done {
            Ok(_) => true,
            Err(error) => is_conflict(error) && sqlx::raw_sql("ROLLBACK").execute(&mut *lease).await.is_ok(),
        };
        Ok(done?)
    }
}
