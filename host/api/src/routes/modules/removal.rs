//! Removing a module, and which ones were removed.

use axum::extract::State;
use ta_bot_engine::modules::module_store::{Removal, RemovedModule};

use super::Named;
use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{
        fields::QueryFields,
        refusals::{ReadRefusals, WriteRefusals},
        turns::to_its_end,
        write::{Shared, WriteRequest, author, optional_fields},
    },
    views::module::RemovedView,
};

/// Removes an uploaded module, whatever its state is and whatever its bytes are.
///
/// A module that one of the newest deployments names, that a strategy would be rolled back to, or that made a signal
/// that is still kept is not removed (409). The answer names which.
#[utoipa::path(
    delete,
    path = "/api/v1/modules/{digest}",
    operation_id = "delete_module",
    tag = "modules",
    params(
        ("digest" = String, Path, description = "SHA-256 of the module's bytes, 64 hex digits"),
        ("changed_by" = Option<String>, Query, description = "Who removes it, if the body does not say it"),
        ("reason" = Option<String>, Query, description = "Why, if the body does not say it"),
    ),
    responses((status = 200, body = Envelope<RemovedView>), WriteRefusals)
)]
pub(super) async fn remove(
    State(services): Shared,
    Named(digest): Named,
    request: WriteRequest,
) -> Result<Answer<RemovedView>, ApiError> {
    let WriteRequest { sender, body, .. } = request;
    let mut fields = optional_fields(body, &["changed_by", "reason"])?;
    let author = author(&mut fields, &sender);
    fields.finish(Some(()))?;
    let removal = Removal { by: author.changed_by, at: author.at, reason: author.reason };
    to_its_end(async move {
        let log = services.registry.log();
        let module = services.catalog.remove(digest, &removal, &log, &*services.retention).await?;
        Ok(Answer::new(RemovedModule { digest, size: module.size, upload: module.upload, removal }.into()))
    })
    .await
}

/// The modules that were removed, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/modules/removed",
    operation_id = "list_removed_modules",
    tag = "modules",
    params(("limit" = Option<u32>, Query, description = "1 to 1000; 100 if absent")),
    responses((status = 200, body = Envelope<Vec<RemovedView>>), ReadRefusals)
)]
pub(super) async fn removed(State(services): Shared, query: QueryFields) -> Result<Answer<Vec<RemovedView>>, ApiError> {
    let mut fields = query.fields(&["limit"])?;
    let limit = fields.limit();
    fields.finish(Some(()))?;
    let removed = services.catalog.removed(limit).await?;
    Ok(Answer::list(removed.into_iter().map(RemovedView::from).collect()).with("limit", limit))
}
