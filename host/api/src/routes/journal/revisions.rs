//! Candles that changed after the service had read them.

use axum::extract::State;
use ta_bot_engine::market::revision_store::RevisionFilter;

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{fields::QueryFields, refusals::ReadRefusals, write::Shared},
    views::revision::RevisionView,
};

/// Closed candles that changed after the service had read them, newest first. The newest 10,000 changes are kept.
#[utoipa::path(
    get,
    path = "/api/v1/candles/revisions",
    operation_id = "list_revisions",
    tag = "journal",
    params(
        ("symbol" = Option<String>, Query, description = "Only of this symbol"),
        ("timeframe" = Option<String>, Query, description = "Only of this timeframe"),
        ("limit" = Option<u32>, Query, description = "1 to 1000; 100 if absent"),
    ),
    responses((status = 200, body = Envelope<Vec<RevisionView>>), ReadRefusals)
)]
pub(super) async fn list(State(services): Shared, query: QueryFields) -> Result<Answer<Vec<RevisionView>>, ApiError> {
    let mut fields = query.fields(&["symbol", "timeframe", "limit"])?;
    let filter = RevisionFilter {
        symbol: fields.parsed("symbol"),
        timeframe: fields.parsed("timeframe"),
        limit: fields.limit(),
    };
    fields.finish(Some(()))?;
    let revisions = services.revisions.list(&filter).await?;
    Ok(Answer::list(revisions.into_iter().map(RevisionView::from).collect()).with("limit", filter.limit))
}
