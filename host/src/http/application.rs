//! The application's own settings: symbols, timeframes, enabled strategies, bounds of confidence.

use utoipa_axum::{router::OpenApiRouter, routes};

mod change;
mod history;
mod view;

pub(super) fn routes() -> OpenApiRouter<super::State> {
    OpenApiRouter::new()
        .routes(routes!(view::get, change::post))
        .routes(routes!(history::audit))
        .routes(routes!(history::rollback))
}
