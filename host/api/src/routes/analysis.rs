//! Analyses on request.

use utoipa_axum::routes;

use crate::access::{Guard, Routes};

mod analyse;
mod publish;
mod view;

pub(crate) fn routes(guard: &Guard) -> Routes {
    Routes::new(guard).trader(routes!(analyse::analyse))
}
