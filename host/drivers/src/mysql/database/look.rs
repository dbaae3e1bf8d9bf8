//! A database that is looked at and left as it is.

use std::sync::Arc;

use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Fault, Limits, Mysql, MysqlUri, State, connect,
    lease::{Lease, acquire},
    schema,
};

/// Connects once, for statements that change nothing. The connection is closed with the lease.
pub(crate) async fn connection(uri: &MysqlUri) -> Result<Lease, Fault> {
    let limits = Limits { connections: 1, ..Limits::default() };
    acquire(&connect::pool(uri, &limits), uri, &limits).await
}

impl Mysql {
    /// Opens the database at `uri` without bringing its schema up to this version. What needs tables that are not there
    /// fails. The server need not be reachable. This must be called within a runtime.
    pub fn as_it_is(uri: &MysqlUri) -> Self {
        let limits = Limits::default();
        let pool = connect::pool(uri, &limits);
        let uri = Arc::new(uri.clone());
        let (sender, state) = watch::channel(State::Asking);
        let (looked_at, address) = (pool.clone(), Arc::clone(&uri));
        let look = tokio::spawn(async move {
            let known = timeout(limits.read, async {
                let mut lease = acquire(&looked_at, &address, &limits).await?;
                schema::as_it_is(&mut lease, limits.read).await
            });
            let known = match known.await {
                Ok(Ok(schema)) => State::Ready(schema),
                Ok(Err(fault)) => State::Failed(fault.at(&address)),
                Err(_) => State::Failed(super::unavailable(&format!("{address}: no answer"))),
            };
            sender.send_replace(known);
        });
        Self { pool, limits, uri, state, instance: 0, _migration: Arc::new(AbortOnDropHandle::new(look)) }
    }
}
