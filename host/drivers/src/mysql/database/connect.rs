//! Connections, and how each is set up before it is used.

use std::time::Duration;

use sqlx::{
    ConnectOptions as _, MySqlPool,
    mysql::{MySqlConnectOptions, MySqlPoolOptions},
};

use super::{Limits, MysqlUri, batch::KEPT_STATEMENTS};

/// The first statements on a connection. The server's own settings may be anything.
///
/// A transaction reads what is committed, and locks the rows that it writes but no gaps between them. If a client is
/// cut off without closing its connection, a server that never hears of that would keep its locks for hours. So the
/// server gives up a connection on which it heard nothing for a minute, and gives up a wait for a lock before the
/// caller does.
const SESSION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
    SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
        SESSION time_zone = '+00:00', SESSION autocommit = 1, SESSION innodb_lock_wait_timeout = 5,
        SESSION lock_wait_timeout = 60, SESSION wait_timeout = 60";
/// An idle connection is closed after this time, before the server closes it.
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// A connection is replaced after this time, so that connections follow the server's name to its current address.
const LIFETIME: Duration = Duration::from_mins(30);

pub(super) fn pool(uri: &MysqlUri, limits: &Limits) -> MySqlPool {
    MySqlPoolOptions::new()
        .max_connections(limits.connections)
        .acquire_timeout(limits.acquire)
        // A connection is tested before it is used: the server may have been restarted.
        .test_before_acquire(true)
        .idle_timeout(IDLE_LIMIT)
        .max_lifetime(LIFETIME)
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(SESSION).execute(connection).await.map(drop) })
        })
        .connect_lazy_with(options(uri))
}

fn options(uri: &MysqlUri) -> MySqlConnectOptions {
    uri.options()
        .clone()
        .charset("utf8mb4")
        .timezone(Some("+00:00".to_owned()))
        .pipes_as_concat(false)
        .statement_cache_capacity(KEPT_STATEMENTS)
        .disable_statement_logging()
}
