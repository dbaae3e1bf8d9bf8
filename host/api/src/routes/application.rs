//! The application's own settings: symbols, timeframes, enabled strategies and the confidence bounds.

use utoipa_axum::routes;

use crate::access::{Guard, Routes};

mod change;
mod history;
mod view;

pub(crate) fn routes(guard: &Guard) -> Routes {
    Routes::new(guard)
        .viewer(routes!(view::get))
        .trader(routes!(change::post))
        .viewer(routes!(history::audit))
        .trader(routes!(history::rollback))
}
