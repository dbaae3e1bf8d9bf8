//! The connections.
//!
//! A client that opens a connection and never finishes its request would hold it for ever; so the head of a request has to
//! arrive in time (its body has a limit of its own), and a connection without requests is closed after the same time.

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
/// How long requests under way may take at shutdown.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// How long nothing is accepted where the system has no more connections to give.
const PAUSE: Duration = Duration::from_millis(200);

/// Where a request comes from: the other end of its connection, which may be a proxy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// Answers requests until `stop`, and then those under way within a bound.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let connections = GracefulShutdown::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => answer(&builder, &connections, (stream, Peer(peer.ip())), router.clone()),
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(LAST_REQUESTS, connections.shutdown()).await.is_err() {
        tracing::warn!("requests under way were given up");
    }
}

fn answer(builder: &Builder, connections: &GracefulShutdown, (stream, peer): (TcpStream, Peer), router: Router) {
    // Answers are small: waiting to fill a packet would only delay them. Where the system refuses, they are slower.
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
            // The client's doing: it went away, was too slow, or speaks something else.
            tracing::debug!(%error, "connection ended early");
        }
    });
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
