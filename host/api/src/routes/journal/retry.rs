//! Retrying dead jobs.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use ta_bot_core::Timeframe;
use ta_bot_engine::{
    settings::config_store::Author,
    signals::{bus::Notice, outbox::DeadFilter},
};
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    problem::Problem,
    request::{
        refusals::WriteRefusals,
        write::{Shared, WriteRequest, author, optional_fields},
    },
};

/// Which dead jobs to retry: those that match every given condition, or all of them.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field to report every problem")]
struct RetryBody {
    /// Only jobs of this symbol.
    symbol: Option<String>,
    /// Only jobs of this timeframe.
    timeframe: Option<String>,
    /// Only the job of the candle that closed at this moment: RFC 3339, or milliseconds since 1970.
    candle_close: Option<String>,
    /// Must be true if no condition is given, and must not be true otherwise.
    all: Option<bool>,
    /// Who asks; defaults to the token's role or `api`.
    changed_by: Option<String>,
    /// The reason for the retry.
    reason: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Retried {
    /// How many jobs were newly marked for a retry.
    retried: u64,
}

/// Requests a retry of dead jobs, whatever their age; the leader runs it.
///
/// They stay in the list until they are finished; one that fails again is listed with its new reason.
#[utoipa::path(
    post,
    path = "/api/v1/dead-jobs/retry",
    operation_id = "retry_dead_jobs",
    tag = "journal",
    request_body = RetryBody,
    responses((status = 200, body = Envelope<Retried>), WriteRefusals)
)]
pub(super) async fn retry(State(services): Shared, request: WriteRequest) -> Result<Answer<Retried>, ApiError> {
    let known = ["symbol", "timeframe", "candle_close", "all", "changed_by", "reason"];
    let mut fields = optional_fields(request.body, &known)?;
    let which = DeadFilter {
        symbol: fields.parsed("symbol"),
        timeframe: fields.parsed("timeframe"),
        candle_close: fields.parsed("candle_close"),
    };
    let all = fields.flag("all");
    let author = author(&mut fields, &request.sender);
    let names_none = which == DeadFilter::default();
    if all != names_none && fields.is_sound() {
        let allowed = "true to retry every dead job; else give at least one of symbol, timeframe and candle_close";
        fields.refuse(Problem::new("all", &Value::Bool(all), allowed));
    }
    fields.finish(Some(()))?;
    let retried = services.outbox.retry(&which, author.at).await?;
    if retried == 0 && !all {
        return Err(ApiError::NoDeadJobs);
    }
    told(&which, retried, &author);
    services.metrics.jobs.with_label_values(&["retried"]).inc_by(retried);
    // The jobs are marked already; if the bus is unavailable, the next sweep finds them.
    if let Err(error) = services.bus.notify(Notice::JobsRetried).await {
        tracing::warn!(%error, "could not notify the leader of jobs to retry yet");
    }
    Ok(Answer::new(Retried { retried }))
}

/// Logs who asked for the retry; it is recorded nowhere else.
fn told(which: &DeadFilter, retried: u64, author: &Author) {
    let DeadFilter { symbol, timeframe, candle_close } = which;
    tracing::info!(
        retried,
        symbol = symbol.as_ref().map(ToString::to_string),
        timeframe = timeframe.map(Timeframe::as_str),
        candle_close = candle_close.map(|moment| moment.to_string()),
        changed_by = author.changed_by,
        claimed_by = author.claimed_by,
        reason = author.reason,
        "dead jobs are tried again"
    );
}
