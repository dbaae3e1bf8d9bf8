//! What evaluations cost.

use axum::extract::State;
use ta_bot_core::Timestamp;
use ta_bot_engine::supervision::costs::{CostFilter, DEFAULT_SINCE_MS, hour_of};

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{fields::QueryFields, refusals::ReadRefusals, write::Shared},
    views::cost::CostView,
};

/// What the evaluations of jobs cost, the most expensive first.
///
/// Costs are kept by the hour for 90 days and summed over all replicas. What another replica measured within the last
/// minute may be missing.
#[utoipa::path(
    get,
    path = "/api/v1/costs",
    operation_id = "list_costs",
    tag = "journal",
    params(
        ("strategy" = Option<String>, Query, description = "Only of this strategy"),
        ("module" = Option<String>, Query, description = "Only of the module with this SHA-256"),
        ("symbol" = Option<String>, Query, description = "Only of this symbol"),
        ("since" = Option<String>, Query, description =
            "From the start of the hour of this moment: RFC 3339, or milliseconds since 1970; 24 hours ago if absent"),
        ("by" = Option<String>, Query, description =
            "What to sum by: `strategy`, `module` or `symbol`; `strategy` if absent"),
        ("limit" = Option<u32>, Query, description = "1 to 1000; 100 if absent"),
    ),
    responses((status = 200, body = Envelope<Vec<CostView>>), ReadRefusals)
)]
pub(super) async fn list(State(services): Shared, query: QueryFields) -> Result<Answer<Vec<CostView>>, ApiError> {
    let mut fields = query.fields(&["strategy", "module", "symbol", "since", "by", "limit"])?;
    let filter = CostFilter {
        strategy: fields.parsed("strategy"),
        module: fields.module(),
        symbol: fields.parsed("symbol"),
        since: fields.parsed("since").unwrap_or_else(|| Timestamp::now().plus_millis(-DEFAULT_SINCE_MS)),
    };
    let by = fields.parsed("by").unwrap_or_default();
    let limit = fields.limit();
    fields.finish(Some(()))?;
    let sums = services.ledger.sums(&filter, by).await?;
    let listed = sums.into_iter().take(limit as usize).map(CostView::from).collect();
    Ok(Answer::list(listed).with("limit", limit).with("since", hour_of(filter.since).to_string()))
}
