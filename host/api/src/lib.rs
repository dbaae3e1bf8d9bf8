//! The HTTP side: health, metrics, and the API through which operators inspect and control the service.
//!
//! A handler reads the request, calls the same components that jobs use, and builds the response; it makes no trading
//! decisions. Every API response has the same envelope (`answer`), and the status of every failure is chosen in one
//! place (`error`).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic"))]

use std::sync::Arc;

use axum::{Extension, Router, middleware};
use ta_bot_engine::{
    deployments::{impact::Impact, rollout::Rollout, shadow_store::ShadowStore},
    market::{candles::Candles, revisions::Revisions},
    modules::{catalog::Catalog, registry::Registry},
    pipeline::{analysis::Analyst, repair::Mender},
    retention::store::RetentionStore,
    settings::{application::SettingsBook, parameters::ParameterBook},
    signals::{bus::Bus, expiry::Expiry, feed::Feed, outbox::Outbox, replay::Replayer},
    supervision::{failure::FailureStore, ladders::Ladders, ledger::Ledger},
    support::metrics::Metrics,
};
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::CancellationToken;

use crate::{
    access::{Access, Guard},
    health::Health,
};

type State = Arc<Services>;

pub mod access;
mod answer;
mod error;
pub mod health;
mod observe;
mod openapi;
mod problem;
mod request;
mod routes;
mod server;
pub mod tokens;
pub mod views;

/// The components that the handlers use.
#[allow(missing_docs, reason = "the types are self-explanatory")]
pub struct Services {
    pub analyst: Arc<Analyst>,
    pub registry: Arc<Registry>,
    pub parameters: Arc<ParameterBook>,
    pub settings: Arc<SettingsBook>,
    pub rollout: Arc<Rollout>,
    pub candles: Arc<Candles>,
    pub revisions: Arc<Revisions>,
    pub outbox: Arc<dyn Outbox>,
    /// Which of them are no longer kept.
    pub retention: Arc<dyn RetentionStore>,
    /// The signals as they are stored.
    pub feed: Arc<Feed>,
    pub failures: Arc<dyn FailureStore>,
    pub replayer: Arc<Replayer>,
    pub impact: Arc<Impact>,
    pub mender: Arc<Mender>,
    pub shadows: Arc<dyn ShadowStore>,
    pub ledger: Arc<Ledger>,
    pub ladders: Arc<Ladders>,
    pub bus: Arc<dyn Bus>,
    pub catalog: Arc<Catalog>,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    /// What callers may do.
    pub access: Access,
    /// Cancelled when the service begins to shut down, so that long work is neither started nor continued.
    pub ending: CancellationToken,
    /// Says which signals are too old to be published.
    pub expiry: Expiry,
    /// Notifies the relay that signals were committed.
    pub relay_wakeup: Arc<Notify>,
}

/// Every route, with the middleware that all of them share.
pub fn router(services: Arc<Services>) -> Router {
    let guard = Guard::new(services.access.clone());
    let (api, document) = openapi::api(&guard).split_for_parts();
    let api = openapi::serve(api, &document, &guard);
    Router::new()
        .merge(
            api.layer(middleware::from_fn(request::cross_site::refuse))
                .layer(Extension(request::turns::Turns::new()))
                .layer(Extension(request::turns::Uploads::new()))
                .layer(Extension(routes::journal::Streams::new())),
        )
        .merge(routes::service::open_routes())
        .fallback(async || error::ApiError::UnknownRoute)
        .method_not_allowed_fallback(async || error::ApiError::Method)
        .layer(Extension(routes::service::Scrapes::default()))
        .layer(middleware::from_fn(request::ambiguous::refuse))
        .layer(middleware::from_fn(request::unread::drain))
        .layer(middleware::from_fn(observe::catch_panic))
        .layer(middleware::from_fn(observe::log))
        .layer(middleware::from_fn_with_state(Arc::clone(&services.metrics), observe::measure))
        .with_state(services)
}

/// The page `docs/routes.md`: every route, with the role it needs and the statuses it can return.
pub fn routes_page() -> String {
    openapi::routes_page()
}

/// Serves requests until `stop`, then gives those in progress a limited time to finish.
pub async fn serve(listener: TcpListener, services: Arc<Services>, stop: CancellationToken) {
    server::serve(listener, router(services), stop).await;
}
