//! Rolling parameters back to an earlier version.

use axum::extract::State;
use ta_bot_engine::settings::config_store::ConfigKey;

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{
        refusals::GuestRefusals,
        target::Target,
        write::{RollbackBody, Shared, WriteRequest, author, optional_fields},
    },
    routes::config::{ChangeView, done, expected},
};

/// Restores the parameters that a level held at `target_version`, or before its last change.
#[utoipa::path(
    post,
    path = "/api/v1/strategies/{id}/rollback",
    operation_id = "roll_back_strategy",
    tag = "configuration",
    params(
        ("id" = String, Path, description = "The strategy"),
        ("If-Match" = Option<String>, Header, description = "Write only if this version is stored; * for any"),
    ),
    request_body = Option<RollbackBody>,
    responses((status = 200, body = Envelope<ChangeView>), GuestRefusals)
)]
pub(super) async fn rollback(
    State(services): Shared,
    target: Target,
    request: WriteRequest,
) -> Result<Answer<ChangeView>, ApiError> {
    let mut fields = optional_fields(request.body, &["target_version", "symbol", "changed_by", "reason"])?;
    let symbol = fields.parsed("symbol");
    let version = fields.version("target_version");
    let author = author(&mut fields, request.caller);
    fields.finish(Some(()))?;
    let key = ConfigKey { symbol, ..target.key };
    let roll_back = async move {
        let expected = expected(&services, &key, request.condition).await?;
        let entry = services.parameters.roll_back(&key, version, expected, &author).await?;
        done(&services, &key, entry, None).await
    };
    request.turns.take()?.run(roll_back).await
}
