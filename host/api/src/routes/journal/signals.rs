//! The stored signals.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use ta_bot_engine::{
    signals::outbox::{Outbox, SignalFilter, StoredSignal},
    support::store_error::StoreError,
};
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

/// How many bytes the messages of one response have together. A single signal is returned even if it has more.
const MOST_BYTES: usize = 8 << 20;
/// How many signals are read from the store at once: each of an older version may have a megabyte.
const AT_ONCE: u32 = 50;

/// The newest signals that fit into a response, and the position before which there may be more.
async fn page(outbox: &dyn Outbox, wanted: &SignalFilter) -> Result<(Vec<StoredSignal>, Option<i64>), StoreError> {
    let mut filter = wanted.clone();
    let (mut found, mut bytes) = (Vec::new(), 0);
    loop {
        let missing = wanted.limit - found.len() as u32;
        filter.limit = missing.min(AT_ONCE);
        let read = outbox.signals(&filter).await?;
        let is_last = read.len() < filter.limit as usize;
        for signal in read {
            bytes += signal.message.len();
            if bytes > MOST_BYTES && !found.is_empty() {
                return Ok((found, filter.before));
            }
            filter.before = Some(signal.sequence);
            found.push(signal);
        }
        if is_last {
            return Ok((found, None));
        }
        if found.len() as u32 == wanted.limit {
            return Ok((found, filter.before));
        }
    }
}

/// Signals, newest first.
///
/// A response has 8 MiB of messages at most. `metadata.next` is the `before` with which the next request goes on, and
/// null if there are no more.
#[utoipa::path(
    get,
    path = "/api/v1/signals",
    operation_id = "list_signals",
    tag = "journal",
    params(
        ("strategy" = Option<String>, Query, description = "Only of this strategy"),
        ("symbol" = Option<String>, Query, description = "Only of this symbol"),
        ("timeframe" = Option<String>, Query, description = "Only of this timeframe"),
        ("before" = Option<i64>, Query, description = "Only those stored before the one with this sequence"),
        ("limit" = Option<u32>, Query, description = "1 to 1000; 100 if absent"),
    ),
    responses((status = 200, body = Envelope<Vec<SignalView>>), ReadRefusals)
)]
pub(super) async fn list(State(services): Shared, query: QueryFields) -> Result<Answer<Vec<SignalView>>, ApiError> {
    let mut fields = query.fields(&["strategy", "symbol", "timeframe", "before", "limit"])?;
    let filter = SignalFilter {
        strategy: fields.parsed("strategy"),
        symbol: fields.parsed("symbol"),
        timeframe: fields.parsed("timeframe"),
        before: fields.sequence("before"),
        limit: fields.limit(),
    };
    fields.finish(Some(()))?;
    let (signals, next) = page(&*services.outbox, &filter).await?;
    let signals = signals.into_iter().map(SignalView::from).collect();
    Ok(Answer::list(signals).with("limit", filter.limit).with("next", next))
}
