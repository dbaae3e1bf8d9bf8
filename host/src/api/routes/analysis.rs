//! Analyses on request.

use utoipa_axum::routes;

use crate::api::access::{Guard, Routes};

mod analyse;
mod publish;
mod view;

pub(in crate::api) fn routes(guard: &Guard) -> Routes {
    Routes::new(guard).trader(routes!(analyse::analyse))
}
