//! The history of a strategy's parameters.

use axum::extract::State;

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{
        fields::QueryFields,
        refusals::ReadRefusals,
        target::Target,
        write::{AuditView, Shared},
    },
};

/// Every change of a strategy's parameters, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/strategies/{id}/audit",
    operation_id = "get_strategy_audit",
    tag = "configuration",
    params(
        ("id" = String, Path, description = "The strategy"),
        ("symbol" = Option<String>, Query, description = "Only changes of this symbol's level"),
        ("limit" = Option<u32>, Query, description = "1 to 1000; 100 if absent"),
    ),
    responses((status = 200, body = Envelope<Vec<AuditView>>), ReadRefusals)
)]
pub(super) async fn audit(
    State(services): Shared,
    target: Target,
    query: QueryFields,
) -> Result<Answer<Vec<AuditView>>, ApiError> {
    let mut fields = query.fields(&["symbol", "limit"])?;
    let symbol = fields.parsed("symbol");
    let limit = fields.limit();
    fields.finish(Some(()))?;
    let entries = services.parameters.audit(&target.key.strategy, symbol.as_ref(), limit).await?;
    Ok(Answer::list(entries.into_iter().map(AuditView::from).collect()).with("limit", limit))
}
