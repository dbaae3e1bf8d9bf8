//! What is known about modules.

use axum::extract::State;
use ta_bot_core::ModuleDigest;
use ta_bot_engine::modules::module_store::KeptModule;

use super::Named;
use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{fields::QueryFields, refusals::ReadRefusals, write::Shared},
    views::module::ModuleView,
};

/// How many bytes of JSON a response has. A single module is returned even if it has more.
const MOST_BYTES: usize = 8 << 20;

/// The modules that fit into a response, and the digest after which there are more.
fn page(modules: Vec<KeptModule>, after: Option<ModuleDigest>, limit: u32) -> (Vec<ModuleView>, Option<String>) {
    let (mut found, mut bytes): (Vec<ModuleView>, usize) = (Vec::new(), 0);
    for module in modules.into_iter().filter(|module| after.is_none_or(|after| module.digest > after)) {
        let view = ModuleView::from(module);
        bytes += serde_json::to_string(&view).map_or(0, |json| json.len());
        if found.len() as u32 == limit || (bytes > MOST_BYTES && !found.is_empty()) {
            let next = found.last().map(|last| last.digest.clone());
            return (found, next);
        }
        found.push(view);
    }
    (found, None)
}

/// The uploaded modules, by digest.
///
/// A response has 8 MiB at most. `metadata.next` is the `after` with which the next request goes on, and null if there
/// are no more.
#[utoipa::path(
    get,
    path = "/api/v1/modules",
    operation_id = "list_modules",
    tag = "modules",
    params(
        ("after" = Option<String>, Query, description = "Only those whose digest comes after this one"),
        ("limit" = Option<u32>, Query, description = "1 to 1000; as many as fit if absent"),
    ),
    responses((status = 200, body = Envelope<Vec<ModuleView>>), ReadRefusals)
)]
pub(super) async fn list(State(services): Shared, query: QueryFields) -> Result<Answer<Vec<ModuleView>>, ApiError> {
    let mut fields = query.fields(&["after", "limit"])?;
    let after = fields.digest("after");
    let limit = if fields.has("limit") { fields.limit() } else { u32::MAX };
    fields.finish(Some(()))?;
    let (modules, next) = page(services.catalog.uploaded().await?, after, limit);
    Ok(Answer::list(modules).with("next", next))
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
