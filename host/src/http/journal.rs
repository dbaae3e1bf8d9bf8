//! What happened: signals, evaluations that failed and what they cost, jobs that were given up, and which candles are there.

use utoipa_axum::{router::OpenApiRouter, routes};

mod candles;
mod costs;
mod dead_jobs;
mod failures;
mod replay;
mod retry;
mod signals;

pub(super) fn routes() -> OpenApiRouter<super::State> {
    OpenApiRouter::new()
        .routes(routes!(signals::list))
        .routes(routes!(replay::replay))
        .routes(routes!(failures::list))
        .routes(routes!(failures::download))
        .routes(routes!(costs::list))
        .routes(routes!(dead_jobs::list))
        .routes(routes!(retry::retry))
        .routes(routes!(candles::list))
}
