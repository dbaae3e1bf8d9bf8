//! Failed evaluations.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::header,
    response::{IntoResponse as _, Response},
};
use ta_bot_core::FailureId;
use ta_bot_engine::supervision::failure::{FailureFilter, document::FailureDocument};

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{fields::QueryFields, refusals::ReadRefusals, write::Shared},
    views::failure::FailureView,
};

/// Failed evaluations of jobs, newest first. The newest 200 of each module are kept.
#[utoipa::path(
    get,
    path = "/api/v1/failures",
    operation_id = "list_failures",
    tag = "journal",
    params(
        ("strategy" = Option<String>, Query, description = "Only of this strategy"),
        ("module" = Option<String>, Query, description = "Only of the module with this SHA-256, 64 hex digits"),
        ("symbol" = Option<String>, Query, description = "Only of this symbol"),
        ("limit" = Option<u32>, Query, description = "1 to 1000; 100 if absent"),
    ),
    responses((status = 200, body = Envelope<Vec<FailureView>>), ReadRefusals)
)]
pub(super) async fn list(State(services): Shared, query: QueryFields) -> Result<Answer<Vec<FailureView>>, ApiError> {
    let mut fields = query.fields(&["strategy", "module", "symbol", "limit"])?;
    let filter = FailureFilter {
        strategy: fields.parsed("strategy"),
        symbol: fields.parsed("symbol"),
        module: fields.module(),
        limit: fields.limit(),
    };
    fields.finish(Some(()))?;
    let failures = services.failures.list(&filter).await?;
    Ok(Answer::list(failures.into_iter().map(FailureView::from).collect()).with("limit", filter.limit))
}

/// The bundle of a failure, without an envelope; `ta-bot replay` can rerun it on any machine.
#[utoipa::path(
    get,
    path = "/api/v1/failures/{failure_id}",
    operation_id = "get_failure",
    tag = "journal",
    params(("failure_id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = FailureDocument), ReadRefusals)
)]
pub(super) async fn download(
    State(services): Shared,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path(name) = path.map_err(|_| ApiError::UnknownRoute)?;
    let unknown = || ApiError::UnknownFailure(name.chars().take(100).collect());
    let id: FailureId = name.parse().map_err(|_| unknown())?;
    let document = services.failures.get(id).await?.ok_or_else(unknown)?;
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"failure-{}.json\"", id.short())),
        // A stored failure never changes.
        (header::CACHE_CONTROL, "private, immutable, max-age=31536000".to_owned()),
    ];
    Ok((headers, document).into_response())
}
