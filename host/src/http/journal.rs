//! What happened: signals, evaluations that failed and what they cost, jobs that were given up, and which candles are there.

use std::ops::RangeInclusive;

use utoipa_axum::{router::OpenApiRouter, routes};

mod candles;
mod costs;
mod dead_jobs;
mod failures;
mod replay;
mod retry;
mod signals;

/// How long a list may be asked to be.
pub(super) const LIMITS: RangeInclusive<u32> = 1..=1000;
/// How long a list is where nothing is asked.
pub(super) const DEFAULT_LIMIT: u32 = 100;

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
