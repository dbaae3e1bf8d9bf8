//! `ta-bot candles`: the candles of the local store.

use std::fmt;

use serde::Serialize;
use ta_bot_core::{Symbol, Timeframe};
use ta_bot_engine::market::candle_store::SeriesSummary;

use super::{Session, error::CliError, output::table};

pub(super) mod export;
pub(super) mod import;
pub(super) mod repair;
pub(super) mod repairs;
pub(super) mod revisions;

pub(super) async fn list(session: Session) -> Result<(), CliError> {
    let app = session.open().await?;
    let mut series = app.candles.series().await?;
    series.sort_by(|one, other| (&one.symbol, one.timeframe).cmp(&(&other.symbol, other.timeframe)));
    session.output.answer(&CandleList { series: series.into_iter().map(SeriesRow::from).collect() })
}

#[derive(Serialize)]
struct CandleList {
    series: Vec<SeriesRow>,
}

/// What the store holds of one symbol and timeframe.
#[derive(Serialize)]
struct SeriesRow {
    symbol: Symbol,
    timeframe: Timeframe,
    candles: u64,
    /// How many are missing between the oldest and the newest one.
    missing: u64,
    first_open: String,
    last_open: String,
}

impl From<SeriesSummary> for SeriesRow {
    fn from(summary: SeriesSummary) -> Self {
        let missing = summary.missing();
        let SeriesSummary { symbol, timeframe, candles, first_open, last_open } = summary;
        let [first_open, last_open] = [first_open, last_open].map(|open| open.to_string());
        Self { symbol, timeframe, candles, missing, first_open, last_open }
    }
}

impl fmt::Display for CandleList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.series.is_empty() {
            return CliError::NoCandles.fmt(f);
        }
        let row = |series: &SeriesRow| {
            let SeriesRow { symbol, timeframe, candles, missing, first_open, last_open } = series;
            let [candles, missing] = [candles, missing].map(ToString::to_string);
            [symbol.to_string(), timeframe.to_string(), candles, missing, first_open.clone(), last_open.clone()]
        };
        let header = ["symbol", "timeframe", "candles", "missing", "first opened", "last opened"];
        f.write_str(&table(&header, &[2, 3], self.series.iter().map(row)))
    }
}
