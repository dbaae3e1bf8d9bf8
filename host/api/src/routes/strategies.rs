//! The strategies: which ones exist, which parameters they take, their deployments, and the history of their
//! parameters.

use utoipa_axum::routes;

use crate::access::{Guard, Routes};

mod audit;
mod candidate;
mod deployment;
mod detail;
mod list;
mod refresh;
mod rollback;
mod shadow;

pub(crate) fn routes(guard: &Guard) -> Routes {
    Routes::new(guard)
        .viewer(routes!(list::list))
        .viewer(routes!(detail::detail))
        .viewer(routes!(detail::schema))
        .viewer(routes!(detail::defaults))
        .viewer(routes!(audit::audit))
        .viewer(routes!(deployment::read))
        .operator(routes!(deployment::change))
        .operator(routes!(candidate::compare))
        .viewer(routes!(shadow::read))
        .trader(routes!(rollback::rollback))
        .trader(routes!(refresh::refresh))
}
