//! What the shadow of a strategy would have changed.

use axum::extract::State;

use super::deployment::Name;
use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{fields::QueryFields, refusals::ReadRefusals, target, write::Shared},
    views::shadow::ShadowDetail,
};

/// What the newest shadow of a strategy would have changed so far, or until it ended.
#[utoipa::path(
    get,
    path = "/api/v1/strategies/{id}/shadow",
    operation_id = "get_shadow",
    tag = "strategies",
    params(
        ("id" = String, Path, description = "The strategy"),
        ("limit" = Option<u32>, Query, description = "The most differences, 1 to 1000; 100 if absent"),
    ),
    responses((status = 200, body = Envelope<ShadowDetail>), ReadRefusals)
)]
pub(super) async fn read(
    State(services): Shared,
    Name(id): Name,
    query: QueryFields,
) -> Result<Answer<ShadowDetail>, ApiError> {
    let mut fields = query.fields(&["limit"])?;
    let limit = fields.limit();
    fields.finish(Some(()))?;
    let log = services.registry.log();
    if log.of(&id).is_empty() {
        target::known(&services, &id)?;
    }
    let detail = ShadowDetail::of(&*services.shadows, &log, &id, limit).await?;
    Ok(Answer::new(detail).with("limit", limit))
}
