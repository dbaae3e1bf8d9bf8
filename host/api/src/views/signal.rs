//! Stored signals.

use serde::Serialize;
use serde_json::Value;
use ta_bot_engine::signals::outbox::StoredSignal;
use utoipa::ToSchema;

/// A stored signal.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignalView {
    /// The position in the order in which signals were stored.
    pub sequence: i64,
    pub signal_id: String,
    pub strategy: String,
    pub symbol: String,
    pub timeframe: String,
    /// When it was stored.
    pub created_at: String,
    /// `waiting`, `published`, `expired` (too old to be sent) or `withheld` (of an action that is not published).
    pub state: &'static str,
    /// When the candle closed.
    pub candle_close: String,
    /// When the bus acknowledged it; null while it waits to be sent, and if it never will be.
    pub published_at: Option<String>,
    /// When it was found to be too old to be sent; null if it was not.
    pub expired_at: Option<String>,
    /// When it was found to be of an action that is not published, see `NATS_PUBLISH_ACTIONS`; null if it was not.
    pub withheld_at: Option<String>,
    /// The message, as it is sent.
    #[schema(value_type = Object)]
    pub message: Value,
}

impl From<StoredSignal> for SignalView {
    fn from(signal: StoredSignal) -> Self {
        Self {
            message: signal.json(),
            sequence: signal.sequence,
            strategy: signal.strategy.to_string(),
            symbol: signal.symbol.to_string(),
            timeframe: signal.timeframe.as_str().to_owned(),
            state: signal.state().as_str(),
            candle_close: signal.candle_close.to_string(),
            created_at: signal.created_at.to_string(),
            published_at: signal.published_at.map(|moment| moment.to_string()),
            expired_at: signal.expired_at.map(|moment| moment.to_string()),
            withheld_at: signal.withheld_at.map(|moment| moment.to_string()),
            signal_id: signal.id,
        }
    }
}
