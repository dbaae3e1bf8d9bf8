//! The log of changes of candles by hand, and what was decided after them.

use axum::extract::State;
use serde_json::Value;
use ta_bot_engine::signals::redecision_store::RedecisionFilter;

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    problem::Problem,
    request::{fields::QueryFields, refusals::ReadRefusals, write::Shared},
    views::revision::{RedecisionView, RepairEntryView},
};

/// Changes of candles by hand, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/candles/repairs",
    operation_id = "list_repairs",
    tag = "journal",
    params(("limit" = Option<u32>, Query, description = "1 to 1000; 100 if absent")),
    responses((status = 200, body = Envelope<Vec<RepairEntryView>>), ReadRefusals)
)]
pub(super) async fn list(
    State(services): Shared,
    query: QueryFields,
) -> Result<Answer<Vec<RepairEntryView>>, ApiError> {
    let mut fields = query.fields(&["limit"])?;
    let limit = fields.limit();
    fields.finish(Some(()))?;
    let repairs = services.mender.repairs(limit).await?;
    Ok(Answer::list(repairs.into_iter().map(RepairEntryView::from).collect()).with("limit", limit))
}

/// What strategies decide on the candles after a repair, oldest candle first. Nothing of this was published.
#[utoipa::path(
    get,
    path = "/api/v1/candles/redecisions",
    operation_id = "list_redecisions",
    tag = "journal",
    params(
        ("repair" = i64, Query, description = "The number of the repair"),
        ("strategy" = Option<String>, Query, description = "Only of this strategy"),
        ("symbol" = Option<String>, Query, description = "Only of this symbol"),
        ("after" = Option<String>, Query, description = "Only on candles that closed after this moment: RFC 3339, or \
                                                         milliseconds since 1970"),
        ("limit" = Option<u32>, Query, description = "1 to 1000; 100 if absent"),
    ),
    responses((status = 200, body = Envelope<Vec<RedecisionView>>), ReadRefusals)
)]
pub(super) async fn decisions(
    State(services): Shared,
    query: QueryFields,
) -> Result<Answer<Vec<RedecisionView>>, ApiError> {
    let mut fields = query.fields(&["repair", "strategy", "symbol", "after", "limit"])?;
    let repair: Option<i64> = fields.parsed("repair");
    if repair.is_none() && fields.is_sound() {
        let allowed = "the number of a repair; GET /api/v1/candles/repairs lists them";
        fields.refuse(Problem::new("repair", &Value::Null, allowed));
    }
    let filter = RedecisionFilter {
        repair: repair.unwrap_or_default(),
        strategy: fields.parsed("strategy"),
        symbol: fields.parsed("symbol"),
        after: fields.parsed("after"),
        limit: fields.limit(),
    };
    fields.finish(Some(()))?;
    let decisions = services.mender.redecisions(&filter).await?;
    Ok(Answer::list(decisions.into_iter().map(RedecisionView::from).collect()).with("limit", filter.limit))
}
