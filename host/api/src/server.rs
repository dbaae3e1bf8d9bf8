//! Accepting and serving connections.
//!
//! A client that opens a connection and never finishes its request would hold it for ever. So the head of a request has
//! to arrive in time (its body has its own limit), and a connection without requests is closed after the same time.

use std::{io, net::IpAddr, time::Duration};

use axum::Router;
use hyper::{
    body::Incoming,
    server::conn::http1::Builder,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// How long the head of a request may take to arrive.
const HEAD: Duration = Duration::from_secs(30);
/// How long requests in progress may take at shutdown.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// How long to pause when no connection can be accepted because the system has run out of resources.
const PAUSE: Duration = Duration::from_millis(200);

/// The other end of a request's connection, which may be a proxy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// Serves requests until `stop`, then gives those in progress a limited time to finish.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let connections = GracefulShutdown::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => answer(&builder, &connections, (stream, Peer(peer.ip())), router.clone()),
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "can't accept connections");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(LAST_REQUESTS, connections.shutdown()).await.is_err() {
        tracing::warn!("gave up on requests that were still running");
    }
}

fn answer(builder: &Builder, connections: &GracefulShutdown, (stream, peer): (TcpStream, Peer), router: Router) {
    // Responses are small, and waiting to fill a packet would only delay them. If the system refuses this option, they
    // are merely slower.
    stream.set_nodelay(true).ok();
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            // Caused by the client: it went away, was too slow, or speaks another protocol.
            tracing::debug!(%error, "connection ended early");
        }
    });
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
