//! A strategy's parameters: for all symbols, or for one.

use utoipa_axum::routes;

use crate::access::{Guard, Routes};

mod body;
mod change;
mod level;
mod validate;
mod view;

pub(super) use change::{ChangeView, done, expected};

use crate::request::write::Shared;

pub(crate) fn routes(guard: &Guard) -> Routes {
    let reading = || routes!(level::get);
    let writing = || routes!(level::put, level::post, level::patch, level::delete);
    Routes::new(guard)
        .viewer(level::for_all_symbols(reading()))
        .trader(level::for_all_symbols(writing()))
        .viewer(reading())
        .trader(writing())
        .trader(routes!(validate::validate))
}
