//! The history of the settings, and rolling them back.

use axum::extract::State;

use super::change::{SettingsChange, done};
use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{
        fields::QueryFields,
        refusals::{ReadRefusals, WriteRefusals},
        write::{AuditView, RollbackBody, Shared, WriteRequest, author, optional_fields, refuse_rollback_id},
    },
};

/// Every change of the settings, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/config/application/audit",
    operation_id = "get_application_audit",
    tag = "application",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 1000; 100 if absent"),
        ("symbol" = Option<String>, Query, description = "Has no effect: the settings are those of all symbols"),
    ),
    responses((status = 200, body = Envelope<Vec<AuditView>>), ReadRefusals)
)]
pub(super) async fn audit(State(services): Shared, query: QueryFields) -> Result<Answer<Vec<AuditView>>, ApiError> {
    let mut fields = query.fields(&["limit", "symbol"])?;
    let limit = fields.limit();
    fields.finish(Some(()))?;
    let entries = services.settings.audit(limit).await?;
    Ok(Answer::list(entries.into_iter().map(AuditView::from).collect()).with("limit", limit))
}

/// Restores the settings of `target_version`, or those before the last change. Version 0 stands for the environment's
/// settings.
#[utoipa::path(
    post,
    path = "/api/v1/config/application/rollback",
    operation_id = "roll_back_application_settings",
    tag = "application",
    params(
        ("symbol" = Option<String>, Query, description = "Has no effect: the settings are those of all symbols"),
        ("If-Match" = Option<String>, Header, description = "Write only if this version is stored; * for any"),
    ),
    request_body = Option<RollbackBody>,
    responses((status = 200, body = Envelope<SettingsChange>), WriteRefusals)
)]
pub(super) async fn rollback(
    State(services): Shared,
    request: WriteRequest,
) -> Result<Answer<SettingsChange>, ApiError> {
    let mut fields = optional_fields(request.body, &["target_version", "rollback_id", "changed_by", "reason"])?;
    let version = fields.version("target_version");
    refuse_rollback_id(&mut fields);
    let author = author(&mut fields, &request.sender);
    fields.finish(Some(()))?;
    let expected = super::change::expected(&services, request.condition).await?;
    let entry = services.settings.roll_back(version, expected, &author).await?;
    Ok(done(&services, Some(entry), false).await)
}
