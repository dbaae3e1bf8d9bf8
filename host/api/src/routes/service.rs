//! The routes that are open to everyone: liveness, readiness, health, metrics, and the page that shows the API.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::stream;
use tower_http::compression::CompressionLayer;

use crate::{error::ApiError, health::Status, request::write::Shared};

mod page;
mod scrapes;

pub(crate) use scrapes::Scrapes;

/// The text shown at the root path.
const WELCOME: &str = "TA Bot\n\n\
    /health               the state of the service and its parts\n\
    /healthz, /live       for probes: the process lives\n\
    /ready                for probes: it can take work\n\
    /metrics              for Prometheus\n\
    /docs                 the API, for people\n\
    /api/v1/openapi.json  the description of the API\n";

/// The paths that are open to everyone, and the statuses that they return.
pub(crate) const OPEN: [(&str, &str); 9] = [
    ("/", "200"),
    ("/healthz", "200"),
    ("/live", "200"),
    ("/ready", "200, 503"),
    ("/health", "200, 503"),
    ("/metrics", "200, 500"),
    ("/docs", "200"),
    ("/docs/page.css", "200"),
    ("/docs/page.js", "200"),
];

pub(crate) fn open_routes() -> Router<crate::State> {
    Router::new()
        .route("/", get(async || WELCOME))
        .route("/healthz", get(async || "ok\n"))
        .route("/live", get(async || "ok\n"))
        .route("/ready", get(ready))
        .route("/health", get(health))
        .route("/metrics", get(metrics).layer(CompressionLayer::new()))
        .merge(page::routes())
}

async fn ready(State(services): Shared) -> Response {
    let readiness = services.health.readiness().await;
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

/// A degraded service is still useful, so only `unhealthy` is a 503.
async fn health(State(services): Shared) -> Response {
    let report = services.health.report().await;
    let status = if report.status == Status::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(report)).into_response()
}

async fn metrics(State(services): Shared, Extension(scrapes): Extension<Scrapes>) -> Result<Response, ApiError> {
    services.health.measure_leadership();
    let scrape = scrapes.take(|| services.metrics.render_small())?;
    let first = scrape.text.clone();
    // Sent in chunks, which are made when there is room for them: with a thousand symbols, the metrics are tens of
    // megabytes.
    let pieces = services.metrics.render_large().map(move |piece| {
        // The text counts as on its way until everything is.
        let _held = Arc::clone(&scrape);
        Bytes::from(piece)
    });
    let pieces = std::iter::once(first).chain(pieces).map(Ok::<_, Infallible>);
    let body = Body::from_stream(stream::iter(pieces));
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body).into_response())
}
