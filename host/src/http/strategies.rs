//! The strategies: which there are, what each takes, and the history of its parameters.

use utoipa_axum::{router::OpenApiRouter, routes};

mod audit;
mod candidate;
mod deployment;
mod detail;
mod list;
mod refresh;
mod rollback;
mod shadow;

pub(super) use candidate::CANDIDATE;
pub(super) use deployment::DEPLOYMENT;

pub(super) fn routes() -> OpenApiRouter<super::State> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(detail::detail))
        .routes(routes!(detail::schema))
        .routes(routes!(detail::defaults))
        .routes(routes!(audit::audit))
        .routes(routes!(deployment::read, deployment::change))
        .routes(routes!(candidate::compare))
        .routes(routes!(shadow::read))
        .routes(routes!(rollback::rollback))
        .routes(routes!(refresh::refresh))
}
