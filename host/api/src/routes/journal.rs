//! What has happened: signals, failed evaluations, costs and dead jobs; which candles are stored, which have changed,
//! and their repair.

use utoipa_axum::routes;

use crate::access::{Guard, Routes};

mod candles;
mod costs;
mod dead_jobs;
mod failures;
mod repair;
mod repairs;
mod replay;
mod retry;
mod revisions;
mod signals;

pub(crate) use signals::Streams;

pub(crate) fn routes(guard: &Guard) -> Routes {
    Routes::new(guard)
        .viewer(routes!(signals::list))
        .viewer(routes!(signals::stream))
        .trader(routes!(replay::replay))
        .viewer(routes!(failures::list))
        .viewer(routes!(failures::download))
        .viewer(routes!(costs::list))
        .viewer(routes!(dead_jobs::list))
        .trader(routes!(retry::retry))
        .viewer(routes!(candles::list))
        .viewer(routes!(revisions::list))
        .operator(routes!(repair::replace))
        .operator(routes!(repair::delete))
        .viewer(routes!(repairs::list))
        .viewer(routes!(repairs::decisions))
}
