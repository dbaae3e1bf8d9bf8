//! What has happened: signals, failed evaluations, costs and dead jobs; and which candles are stored.

use utoipa_axum::routes;

use crate::access::{Guard, Routes};

mod candles;
mod costs;
mod dead_jobs;
mod failures;
mod replay;
mod retry;
mod signals;

pub(crate) fn routes(guard: &Guard) -> Routes {
    Routes::new(guard)
        .viewer(routes!(signals::list))
        .trader(routes!(replay::replay))
        .viewer(routes!(failures::list))
        .viewer(routes!(failures::download))
        .viewer(routes!(costs::list))
        .viewer(routes!(dead_jobs::list))
        .trader(routes!(retry::retry))
        .viewer(routes!(candles::list))
}
