//! Changes of candles by hand.

use axum::extract::State;
use serde_json::Value;
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{market::candle_store::RepairChange, modules::registry::Progress, settings::config_store::Author};
use utoipa::ToSchema;

use crate::{
    Services,
    answer::{Answer, Envelope},
    error::ApiError,
    problem::Problem,
    request::{
        fields::Fields,
        refusals::GuestRefusals,
        turns::Turns,
        write::{Shared, WriteRequest, author},
    },
    views::revision::RepairView,
};

/// How many jobs a request may have decided again.
const MOST_JOBS: usize = 1_000;
/// What a candle looks like in a body.
const CANDLE: &str = "a list of six numbers: open time in milliseconds since 1970, open, high, low, close, volume";

/// Candles to put in place of what is stored.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field to report every problem")]
struct ReplaceBody {
    /// The symbol, such as `BTCUSDT`.
    symbol: String,
    /// The timeframe, such as `15m`.
    timeframe: String,
    /// The candles, oldest first, each once: open time in milliseconds since 1970, open, high, low, close, volume.
    candles: Vec<[f64; 6]>,
    /// Make the change. Without it, the answer says what the change would do, and nothing is changed.
    apply: Option<bool>,
    /// Have the affected jobs decided again and store that beside what was decided. Nothing is published.
    redecide: Option<bool>,
    /// Change candles that another service writes.
    in_foreign_tables: Option<bool>,
    /// Who makes the change; defaults to the token's role or `api`.
    changed_by: Option<String>,
    /// The reason for the change.
    reason: Option<String>,
}

/// Candles to delete.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field to report every problem")]
struct DeleteBody {
    /// The symbol, such as `BTCUSDT`.
    symbol: String,
    /// The timeframe, such as `15m`.
    timeframe: String,
    /// Candles that opened at this moment or later: RFC 3339, or milliseconds since 1970.
    since: String,
    /// Candles that opened before this moment.
    until: String,
    /// Make the change. Without it, the answer says what the change would do, and nothing is changed.
    apply: Option<bool>,
    /// Have the affected jobs decided again and store that beside what was decided. Nothing is published.
    redecide: Option<bool>,
    /// Change candles that another service writes.
    in_foreign_tables: Option<bool>,
    /// Who makes the change; defaults to the token's role or `api`.
    changed_by: Option<String>,
    /// The reason for the change.
    reason: Option<String>,
}

/// What every request asks for.
struct Wanted {
    series: (Symbol, Timeframe),
    change: RepairChange,
    apply: bool,
    redecide: bool,
    in_foreign_tables: bool,
    author: Author,
}

/// Replaces candles of a series, or says what that would do: which candles change, and which finished jobs and
/// published signals rested on them. The change is made as a whole or not at all, is recorded, and publishes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/candles/replace",
    operation_id = "replace_candles",
    tag = "journal",
    request_body = ReplaceBody,
    responses((status = 200, body = Envelope<RepairView>), GuestRefusals)
)]
pub(super) async fn replace(State(services): Shared, request: WriteRequest) -> Result<Answer<RepairView>, ApiError> {
    let WriteRequest { sender, body, turns, .. } = request;
    let mut fields = Fields::new(body.required()?, &[COMMON.as_slice(), &["candles"]].concat())?;
    let candles = candles(&mut fields).map(RepairChange::Replace);
    let author = author(&mut fields, &sender);
    let wanted = wanted(fields, author, candles)?;
    answer(services, turns, wanted).await
}

/// Deletes candles of a series, or says what that would do. See the replacement of candles.
#[utoipa::path(
    post,
    path = "/api/v1/candles/delete",
    operation_id = "delete_candles",
    tag = "journal",
    request_body = DeleteBody,
    responses((status = 200, body = Envelope<RepairView>), GuestRefusals)
)]
pub(super) async fn delete(State(services): Shared, request: WriteRequest) -> Result<Answer<RepairView>, ApiError> {
    let WriteRequest { sender, body, turns, .. } = request;
    let mut fields = Fields::new(body.required()?, &[COMMON.as_slice(), &["since", "until"]].concat())?;
    let since: Option<Timestamp> = fields.required("since");
    let until: Option<Timestamp> = fields.required("until");
    if let Some((since, until)) = since.zip(until).filter(|(since, until)| since >= until) {
        let allowed = format!("a moment after since, {since}");
        fields.refuse(Problem::new("until", &Value::String(until.to_string()), allowed));
    }
    let change = since.zip(until).map(|(since, until)| RepairChange::Delete(since..until));
    let author = author(&mut fields, &sender);
    let wanted = wanted(fields, author, change)?;
    answer(services, turns, wanted).await
}

/// The fields that both bodies have.
const COMMON: [&str; 7] = ["symbol", "timeframe", "apply", "redecide", "in_foreign_tables", "changed_by", "reason"];

fn wanted(mut fields: Fields, author: Author, change: Option<RepairChange>) -> Result<Wanted, ApiError> {
    let symbol: Option<Symbol> = fields.required("symbol");
    let timeframe: Option<Timeframe> = fields.required("timeframe");
    let [apply, redecide, in_foreign_tables] = ["apply", "redecide", "in_foreign_tables"].map(|name| fields.flag(name));
    if redecide && !apply {
        fields.refuse(Problem::new("redecide", &Value::Bool(true), "only together with apply"));
    }
    let read = symbol.zip(timeframe).zip(change);
    let read = read.map(|(series, change)| Wanted { series, change, apply, redecide, in_foreign_tables, author });
    fields.finish(read)
}

/// The candles of a body. Each that can't be read is a problem of its own.
fn candles(fields: &mut Fields) -> Option<Vec<Candle>> {
    let given = fields.take("candles").unwrap_or(Value::Null);
    let Some(rows) = given.as_array().filter(|rows| !rows.is_empty()) else {
        fields.refuse(Problem::new("candles", &given, format!("a list of candles, each {CANDLE}")));
        return None;
    };
    let mut candles = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        match candle(row) {
            Some(candle) => candles.push(candle),
            None => fields.refuse(Problem::new(&format!("candles[{index}]"), row, CANDLE)),
        }
    }
    Some(candles)
}

fn candle(row: &Value) -> Option<Candle> {
    let [open_time, rest @ ..] = row.as_array()?.as_slice() else { return None };
    let open_time = Timestamp::from_millis(open_time.as_i64()?);
    let numbers: Vec<f64> = rest.iter().map(Value::as_f64).collect::<Option<_>>()?;
    let [open, high, low, close, volume] = numbers.try_into().ok()?;
    Some(Candle { open_time, open, high, low, close, volume })
}

async fn answer(
    services: std::sync::Arc<Services>,
    turns: Turns,
    wanted: Wanted,
) -> Result<Answer<RepairView>, ApiError> {
    // Without the strategies nobody knows how far they look.
    if *services.registry.progress() == Progress::Loading {
        return Err(ApiError::Loading);
    }
    let turn = turns.take()?;
    turn.run(async move { repaired(&services, wanted).await.map(Answer::new) }).await
}

async fn repaired(services: &Services, wanted: Wanted) -> Result<RepairView, ApiError> {
    let Wanted { series: (symbol, timeframe), change, apply, redecide, in_foreign_tables, author } = wanted;
    let mender = &services.mender;
    let preview = mender.preview(&symbol, timeframe, &change).await?;
    if !apply {
        return Ok(RepairView::new(&preview, None, None));
    }
    if redecide && preview.jobs.len() > MOST_JOBS {
        return Err(ApiError::TooManyJobs { jobs: preview.jobs.len(), most: MOST_JOBS });
    }
    let repaired = mender.apply((&symbol, timeframe), change, author, in_foreign_tables).await?;
    let redecided = match repaired.number.filter(|_| redecide) {
        Some(number) => Some(mender.redecide(number, &preview, &mut |_| ()).await?),
        None => None,
    };
    Ok(RepairView::new(&preview, Some(repaired), redecided))
}
