//! The stored signals.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use ta_bot_engine::signals::outbox::{SignalFilter, StoredSignal};
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{fields::QueryFields, refusals::ReadRefusals, write::Shared},
};

/// A stored signal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignalView {
    /// The position in the order in which signals were stored.
    sequence: i64,
    signal_id: String,
    strategy: String,
    symbol: String,
    timeframe: String,
    /// When it was stored.
    created_at: String,
    /// `waiting`, `published`, `expired` (too old to be sent) or `withheld` (of an action that is not published).
    state: &'static str,
    /// When the candle closed.
    candle_close: String,
    /// When the bus acknowledged it; null while it waits to be sent, and if it never will be.
    published_at: Option<String>,
    /// When it was found to be too old to be sent; null if it was not.
    expired_at: Option<String>,
    /// When it was found to be of an action that is not published, see `NATS_PUBLISH_ACTIONS`; null if it was not.
    withheld_at: Option<String>,
    /// The message, as it is sent.
    #[schema(value_type = Object)]
    message: Value,
}

impl From<StoredSignal> for SignalView {
    fn from(signal: StoredSignal) -> Self {
        Self {
            message: signal.json(),
            sequence: signal.sequence,
            strategy: signal.strategy.to_string(),
            symbol: signal.symbol.to_string(),
            timeframe: signal.timeframe.as_str().to_owned(),
            state: signal.state(),
            candle_close: signal.candle_close.to_string(),
            created_at: signal.created_at.to_string(),
            published_at: signal.published_at.map(|moment| moment.to_string()),
            expired_at: signal.expired_at.map(|moment| moment.to_string()),
            withheld_at: signal.withheld_at.map(|moment| moment.to_string()),
            signal_id: signal.id,
        }
    }
}

/// Signals, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/signals",
    operation_id = "list_signals",
    tag = "journal",
    params(
        ("strategy" = Option<String>, Query, description = "Only of this strategy"),
        ("symbol" = Option<String>, Query, description = "Only of this symbol"),
        ("timeframe" = Option<String>, Query, description = "Only of this timeframe"),
        ("limit" = Option<u32>, Query, description = "1 to 1000; 100 if absent"),
    ),
    responses((status = 200, body = Envelope<Vec<SignalView>>), ReadRefusals)
)]
pub(super) async fn list(State(services): Shared, query: QueryFields) -> Result<Answer<Vec<SignalView>>, ApiError> {
    let mut fields = query.fields(&["strategy", "symbol", "timeframe", "limit"])?;
    let filter = SignalFilter {
        strategy: fields.parsed("strategy"),
        symbol: fields.parsed("symbol"),
        timeframe: fields.parsed("timeframe"),
        before: None,
        limit: fields.limit(),
    };
    fields.finish(Some(()))?;
    let signals = services.outbox.signals(&filter).await?;
    Ok(Answer::list(signals.into_iter().map(SignalView::from).collect()).with("limit", filter.limit))
}
