//! Connections of their own, for what must not wait behind the service's work.

use std::{sync::Arc, time::Duration};

use sqlx::MySqlPool;
use ta_bot_engine::support::store_error::StoreError;

use super::{
    Fault, Limits, MysqlUri, connect,
    lease::{Lease, acquire},
};

/// How long to wait for a connection. It is short enough for finding out why there was none.
const ACQUIRE: Duration = Duration::from_millis(1200);
/// One in use, and one that goes back to the pool meanwhile.
const CONNECTIONS: u32 = 2;

/// A database that is reached over connections of its own. Clones share them.
#[derive(Clone)]
pub(crate) struct Apart {
    pool: MySqlPool,
    uri: Arc<MysqlUri>,
    limits: Limits,
}

impl Apart {
    /// Opens the database at `uri` as it is. The server need not be reachable.
    pub(crate) fn open(uri: &MysqlUri) -> Self {
        let limits = Limits { connections: CONNECTIONS, acquire: ACQUIRE, ..Limits::default() };
        Self { pool: connect::pool(uri, &limits), uri: Arc::new(uri.clone()), limits }
    }

    pub(crate) async fn connection(&self) -> Result<Lease, Fault> {
        acquire(&self.pool, &self.uri, &self.limits).await
    }

    pub(crate) fn uri(&self) -> &MysqlUri {
        &self.uri
    }

    /// The error for callers, which names the server.
    pub(crate) fn failed(&self, fault: Fault) -> StoreError {
        fault.at(&self.uri)
    }
}
