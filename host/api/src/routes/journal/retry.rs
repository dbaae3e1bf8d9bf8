//! Jobs that were given up, tried again.

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
    refusals::WriteRefusals,
    request::write::{Shared, WriteRequest, author, optional_fields},
};

/// Which jobs are to be tried again: those that fit every condition, or all of them.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body; it is read field by field so that every problem is named")]
struct RetryBody {
    /// Of this symbol only.
    symbol: Option<String>,
    /// Of this timeframe only.
    timeframe: Option<String>,
    /// Of the candle that closed then only: RFC 3339, or milliseconds since 1970.
    candle_close: Option<String>,
    /// True where no condition is given.
    all: Option<bool>,
    /// Who; the token's role or `api` where absent.
    changed_by: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Retried {
    /// How many jobs are to be tried again now and were not before.
    retried: u64,
}

/// Has jobs that were given up tried again, by the leader and whatever their age. They stay in the list until they are
/// finished; one that fails again is there with its new reason.
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
    let (all, author) = (fields.flag("all"), author(&mut fields, request.caller));
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
    // They are marked; where the bus is away the next sweep finds them.
    if let Err(error) = services.bus.notify(Notice::JobsRetried).await {
        tracing::warn!(%error, "the leader is not told of jobs to retry yet");
    }
    Ok(Answer::new(Retried { retried }))
}

/// The log is where it is kept who asked.
fn told(which: &DeadFilter, retried: u64, author: &Author) {
    let DeadFilter { symbol, timeframe, candle_close } = which;
    tracing::info!(
        retried,
        symbol = symbol.as_ref().map(ToString::to_string),
        timeframe = timeframe.map(Timeframe::as_str),
        candle_close = candle_close.map(|moment| moment.to_string()),
        changed_by = author.changed_by,
        reason = author.reason,
        "dead jobs are tried again"
    );
}
