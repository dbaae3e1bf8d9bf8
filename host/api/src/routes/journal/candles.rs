//! Which candles are stored.

use axum::extract::State;
use serde::Serialize;
use ta_bot_engine::market::candle_store::SeriesSummary;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{refusals::ReadRefusals, write::Shared},
};

/// The stored candles of one symbol and timeframe.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SeriesView {
    symbol: String,
    timeframe: String,
    /// The number of candles.
    candles: u64,
    /// The number of candles that are missing between the oldest and the newest one.
    missing: u64,
    /// When the oldest one opened.
    first_open: String,
    /// When the newest one opened.
    last_open: String,
}

impl From<SeriesSummary> for SeriesView {
    fn from(series: SeriesSummary) -> Self {
        Self {
            missing: series.missing(),
            symbol: series.symbol.to_string(),
            timeframe: series.timeframe.as_str().to_owned(),
            candles: series.candles,
            first_open: series.first_open.to_string(),
            last_open: series.last_open.to_string(),
        }
    }
}

/// Every stored series, by symbol and timeframe.
#[utoipa::path(
    get,
    path = "/api/v1/candles",
    operation_id = "list_series",
    tag = "journal",
    responses((status = 200, body = Envelope<Vec<SeriesView>>), ReadRefusals)
)]
pub(super) async fn list(State(services): Shared) -> Result<Answer<Vec<SeriesView>>, ApiError> {
    let series = services.candles.series().await?;
    Ok(Answer::list(series.into_iter().map(SeriesView::from).collect()))
}
