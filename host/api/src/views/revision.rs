//! The JSON views of candles that changed, and of candles that are changed by hand, for the API and the commands.

use serde::Serialize;
use ta_bot_core::Candle;
use utoipa::ToSchema;

use ta_bot_engine::market::revision_store::Revision;

mod repair;

pub use repair::{CandleChangeView, JobView, RedecidedView, RedecisionView, RepairEntryView, RepairView, SignalOfView};

/// A closed candle that changed after the service had read it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevisionView {
    pub symbol: String,
    pub timeframe: String,
    pub open_time: String,
    /// The numbers that were believed.
    pub old: NumbersView,
    /// The numbers now; null if the candle has no usable row any more.
    pub new: Option<NumbersView>,
    pub noticed_at: String,
}

/// The numbers of a candle: prices in the quote currency, the volume in the base currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct NumbersView {
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: f64,
}

impl From<Revision> for RevisionView {
    fn from(revision: Revision) -> Self {
        Self {
            symbol: revision.symbol.to_string(),
            timeframe: revision.timeframe.as_str().to_owned(),
            open_time: revision.open_time().to_string(),
            old: revision.old.into(),
            new: revision.new.map(NumbersView::from),
            noticed_at: revision.noticed_at.to_string(),
        }
    }
}

impl From<Candle> for NumbersView {
    fn from(Candle { open, high, low, close, volume, .. }: Candle) -> Self {
        Self { open, high, low, close, volume }
    }
}
