//! A window in a document: candles by column.

use serde::{Deserialize, Serialize};
use ta_bot_core::{Candle, CandleWindow, Timeframe, Timestamp, WindowError};
use utoipa::ToSchema;

use super::{DocumentError, exact::Exact, field, parsed};
use crate::supervision::failure::FailedWindow;

/// The largest number of candles of a series that a module may ask for.
const MOST_CANDLES: usize = 10_000;
/// Up to here, whole milliseconds are exact numbers in every language.
const LARGEST_MILLIS: i64 = 1 << 53;

/// Candles by column, oldest first. A number that is not finite is written as a string of its bits.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FailureWindow {
    /// Null for an input that is empty because there is no higher timeframe.
    #[serde(deserialize_with = "Option::deserialize")]
    symbol: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    timeframe: Option<String>,
    /// Milliseconds since 1970-01-01 00:00 UTC.
    open_time: Vec<i64>,
    #[schema(value_type = Vec<f64>)]
    open: Vec<Exact>,
    #[schema(value_type = Vec<f64>)]
    high: Vec<Exact>,
    #[schema(value_type = Vec<f64>)]
    low: Vec<Exact>,
    #[schema(value_type = Vec<f64>)]
    close: Vec<Exact>,
    #[schema(value_type = Vec<f64>)]
    volume: Vec<Exact>,
}

impl FailureWindow {
    pub(super) fn new(window: &FailedWindow) -> Self {
        let candles = window.candles.newest(usize::MAX);
        let column = |values: &[f64]| values.iter().copied().map(Exact).collect();
        let series = window.series.as_ref();
        Self {
            symbol: series.map(|(symbol, _)| symbol.to_string()),
            timeframe: series.map(|(_, timeframe)| timeframe.as_str().to_owned()),
            open_time: candles.open_time.iter().map(|millis| *millis as i64).collect(),
            open: column(candles.open),
            high: column(candles.high),
            low: column(candles.low),
            close: column(candles.close),
            volume: column(candles.volume),
        }
    }

    pub(super) fn read(self, index: usize) -> Result<FailedWindow, DocumentError> {
        let path = |part: &str| format!("windows.series[{index}]{part}");
        let series = match (&self.symbol, &self.timeframe) {
            (Some(symbol), Some(timeframe)) => {
                let timeframe: Timeframe = parsed(&path(".timeframe"), timeframe)?;
                Some((parsed(&path(".symbol"), symbol)?, timeframe))
            }
            (None, None) => None,
            _ => return Err(field(path(""), "symbol and timeframe are null together or not at all".to_owned())),
        };
        let count = self.open_time.len();
        let columns = [&self.open, &self.high, &self.low, &self.close, &self.volume];
        if columns.iter().any(|column| column.len() != count) {
            return Err(field(path(""), "its columns have different lengths".to_owned()));
        }
        let most = if series.is_some() { MOST_CANDLES } else { 0 };
        if count > most {
            return Err(field(path(""), format!("{count} candles: {most} at most")));
        }
        if self.open_time.iter().any(|millis| millis.unsigned_abs() > LARGEST_MILLIS as u64) {
            return Err(field(path(".open_time"), "give milliseconds since 1970".to_owned()));
        }
        let candle = |place: usize| Candle {
            open_time: Timestamp::from_millis(self.open_time[place]),
            open: self.open[place].0,
            high: self.high[place].0,
            low: self.low[place].0,
            close: self.close[place].0,
            volume: self.volume[place].0,
        };
        let candles = CandleWindow::new((0..count).map(candle));
        let candles = candles.map_err(|error: WindowError| field(path(""), error.to_string()))?;
        Ok(FailedWindow { series, candles })
    }
}
