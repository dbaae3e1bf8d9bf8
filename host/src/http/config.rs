//! A strategy's parameters: for all symbols, or for one.

use utoipa_axum::{router::OpenApiRouter, routes};

mod body;
mod change;
mod global;
mod symbol;
mod validate;
mod view;

pub(super) use change::{ChangeView, done, expected};

use super::write::Shared;

pub(super) fn routes() -> OpenApiRouter<super::State> {
    OpenApiRouter::new()
        .routes(routes!(global::get, global::put, global::post, global::patch, global::delete))
        .routes(routes!(symbol::get, symbol::put, symbol::post, symbol::patch, symbol::delete))
        .routes(routes!(validate::validate))
}
