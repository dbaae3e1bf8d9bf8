//! The dead jobs: those that were given up.

use axum::extract::State;
use serde::Serialize;
use ta_bot_engine::signals::outbox::DeadJob;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{fields::QueryFields, refusals::ReadRefusals, write::Shared},
};

/// A job that was given up.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeadJobView {
    symbol: String,
    timeframe: String,
    candle_close: String,
    /// How often it was tried.
    attempts: u32,
    /// The error of the last attempt.
    reason: String,
    died_at: String,
    /// When a retry was requested; null if none is pending.
    retried_at: Option<String>,
}

impl From<DeadJob> for DeadJobView {
    fn from(dead: DeadJob) -> Self {
        Self {
            symbol: dead.job.symbol.to_string(),
            timeframe: dead.job.timeframe.as_str().to_owned(),
            candle_close: dead.job.candle_close.to_string(),
            attempts: dead.attempts,
            reason: dead.reason,
            died_at: dead.died_at.to_string(),
            retried_at: dead.retried_at.map(|moment| moment.to_string()),
        }
    }
}

/// Jobs that kept failing and were given up, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/dead-jobs",
    operation_id = "list_dead_jobs",
    tag = "journal",
    params(("limit" = Option<u32>, Query, description = "1 to 1000; 100 if absent")),
    responses((status = 200, body = Envelope<Vec<DeadJobView>>), ReadRefusals)
)]
pub(super) async fn list(State(services): Shared, query: QueryFields) -> Result<Answer<Vec<DeadJobView>>, ApiError> {
    let mut fields = query.fields(&["limit"])?;
    let limit = fields.limit();
    fields.finish(Some(()))?;
    let dead = services.outbox.dead(limit).await?;
    Ok(Answer::list(dead.into_iter().map(DeadJobView::from).collect()).with("limit", limit))
}
