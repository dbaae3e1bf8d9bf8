//! Accepting and serving connections.
//!
//! A client that opens a connection and never finishes its request, or never reads the answer, would hold it for ever.
//! So the head of a request has to arrive in time (its body has its own limit), what is sent has to be read in time
//! (see [`patient`]), and a connection without requests is closed after a while. How many there may be is bounded, in
//! total and for each address (see [`places`]); probes are answered beyond that bound.

use std::{io, time::Duration};

use axum::{Router, response::IntoResponse as _};
use hyper::{
    body::Incoming,
    server::conn::http1::Builder,
    service::{Service as _, service_fn},
};
use hyper_util::{rt::TokioTimer, server::graceful::GracefulShutdown, service::TowerToHyperService};
use ta_bot_engine::support::log_limit::LogLimit;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;

mod patient;
mod places;
#[cfg(test)]
mod tests;

use patient::Patient;
use places::{Place, Places, Room};

/// How long to pause when no connection can be accepted because the system has run out of resources.
const PAUSE: Duration = Duration::from_millis(200);
/// How long requests in progress may take at shutdown.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// The most bytes that are read ahead of a connection, or wait to be written to it besides the answer under way. A
/// client that sends requests without waiting for answers gets no further than this.
const BUFFER: usize = 64 * 1024;

/// How long connections may take.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Until the head of a request has arrived.
    head: Duration,
    /// Until a client has read what it was sent, see [`patient`].
    write: Duration,
    /// In all, for a connection that has no place among the others.
    spare: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { head: seconds(30), write: seconds(30), spare: seconds(5) }
    }
}

/// Serves requests until `stop`, then gives those in progress a limited time to finish.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve_with(listener, router, stop, Room::of_process(), Patience::default()).await;
}

async fn serve_with(listener: TcpListener, router: Router, stop: CancellationToken, room: Room, patience: Patience) {
    let connections = GracefulShutdown::new();
    let (places, refused) = (Places::new(room), LogLimit::default());
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                let place = places.take(peer.ip());
                if !place.is_regular()
                    && let Some(withheld) = refused.admit()
                {
                    tracing::warn!(peer = %peer.ip(), ?room, withheld, "too many connections: only probes are answered");
                }
                tokio::spawn(answer(stream, router.clone(), place, patience, &connections));
            }
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

/// Answers the requests of a connection, for as long as it has its place.
fn answer(
    stream: TcpStream,
    router: Router,
    place: Place,
    patience: Patience,
    connections: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
    // Responses are small, and waiting to fill a packet would only delay them. If the system refuses this option, they
    // are merely slower.
    stream.set_nodelay(true).ok();
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).max_buf_size(BUFFER);
    let is_regular = place.is_regular();
    if is_regular {
        builder.header_read_timeout(patience.head);
    } else {
        builder.header_read_timeout(patience.spare).keep_alive(false);
    }
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answer = (is_regular || is_probe(request.uri().path())).then(|| router.call(request));
        async move {
            match answer {
                Some(answer) => answer.await,
                None => Ok(ApiError::Crowded.into_response()),
            }
        }
    });
    let connection = builder.serve_connection(Patient::new(stream, patience.write), service);
    let connection = connections.watch(connection);
    async move {
        let ended = if is_regular {
            Some(connection.await)
        } else {
            place.until_lost(tokio::time::timeout(patience.spare, connection)).await.and_then(Result::ok)
        };
        if let Some(Err(error)) = ended {
            // Caused by the client: it went away, was too slow, or speaks another protocol.
            tracing::debug!(%error, "connection ended early");
        }
        drop(place);
    }
}

/// Whether a path tells the state of the service, which is worth most while the service is crowded.
fn is_probe(path: &str) -> bool {
    ["/healthz", "/live", "/ready", "/health", "/metrics"].contains(&path)
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
