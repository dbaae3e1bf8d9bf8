//! Analyses on request.

use utoipa_axum::{router::OpenApiRouter, routes};

mod analyse;
mod publish;
mod view;

pub(super) fn routes() -> OpenApiRouter<super::State> {
    OpenApiRouter::new().routes(routes!(analyse::analyse))
}
