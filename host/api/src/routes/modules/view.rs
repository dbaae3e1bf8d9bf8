//! What is known about modules.

use axum::extract::State;

use super::Named;
use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{refusals::ReadRefusals, write::Shared},
    views::module::ModuleView,
};

/// The uploaded modules.
#[utoipa::path(
    get,
    path = "/api/v1/modules",
    operation_id = "list_modules",
    tag = "modules",
    responses((status = 200, body = Envelope<Vec<ModuleView>>), ReadRefusals)
)]
pub(super) async fn list(State(services): Shared) -> Result<Answer<Vec<ModuleView>>, ApiError> {
    let modules = services.catalog.uploaded().await?;
    Ok(Answer::list(modules.into_iter().map(ModuleView::from).collect()))
}

/// One module, with each check of its admission.
#[utoipa::path(
    get,
    path = "/api/v1/modules/{digest}",
    operation_id = "get_module",
    tag = "modules",
    params(("digest" = String, Path, description = "SHA-256 of the module's bytes, 64 hex digits")),
    responses((status = 200, body = Envelope<ModuleView>), ReadRefusals)
)]
pub(super) async fn detail(State(services): Shared, Named(digest): Named) -> Result<Answer<ModuleView>, ApiError> {
    let module = services.catalog.find(digest).await?.ok_or(ApiError::UnknownModule(digest))?;
    Ok(Answer::new(module.into()))
}
