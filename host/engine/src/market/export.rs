//! Writes the candles of a series in a form that an import reads again: `ta-bot candles export --symbol BTCUSDT
//! --timeframe 15m`.
//!
//! In a CSV a number has the fewest digits that make the same `f64` again, and in Parquet it is that `f64`: an import
//! of what was exported stores the same bytes. Only candles go out that strategies would see; rows that are none are
//! named. Candles that are made of shorter ones have no rows, and are not among them.

use std::{io, ops::Range};

use ta_bot_core::{Candle, RefusedCandle, Symbol, Timeframe, Timestamp, closed_candles};
use thiserror::Error;

use crate::{market::candles::Candles, support::store_error::StoreError};

mod parquet;

use parquet::ParquetSheet;

/// The header of a CSV, which an import knows it by.
const HEADER: &str = "open_time_ms,open,high,low,close,volume\n";
/// How many rows that are no candles are named.
const MOST_NAMED: usize = 100;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exported {
    /// How many candles.
    pub candles: u64,
    /// When the first of them opened.
    pub first: Option<Timestamp>,
    /// When the last of them opened.
    pub last: Option<Timestamp>,
    /// How many candles were left out because they have no usable row.
    pub refused: u64,
    /// The first of those.
    pub named: Vec<RefusedCandle>,
}

/// In which form candles are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandleFormat {
    /// Text, a line for each candle.
    Csv,
    /// Parquet, with the open time as a moment in UTC.
    Parquet,
}

/// Where candles are written.
enum Sheet<W: io::Write + Send> {
    Csv(W),
    Parquet(ParquetSheet<W>),
}

/// Why an export ended early.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The candles can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The text can't be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Writes the closed candles that opened within a stretch, oldest first.
pub async fn export(
    candles: &Candles,
    (symbol, timeframe): (&Symbol, Timeframe),
    opened: Range<Timestamp>,
    format: CandleFormat,
    out: &mut (impl io::Write + Send),
) -> Result<Exported, ExportError> {
    let mut exported = Exported::default();
    let mut sheet = Sheet::begin(format, out)?;
    // A candle of which the store does not say when it was written is not over before its time.
    let over = timeframe.open_of(candles.clock().now());
    let mut from = opened.start;
    let end = opened.end.min(over);
    loop {
        let (rows, next) = candles.page(symbol, timeframe, from..end).await?;
        let closed = closed_candles(timeframe, rows);
        sheet.add(&closed.candles)?;
        exported.add(&closed.candles, closed.refused);
        match next {
            Some(next) => from = next,
            None => break,
        }
    }
    sheet.end()?;
    Ok(exported)
}

impl<W: io::Write + Send> Sheet<W> {
    fn begin(format: CandleFormat, mut out: W) -> io::Result<Self> {
        Ok(match format {
            CandleFormat::Csv => {
                out.write_all(HEADER.as_bytes())?;
                Self::Csv(out)
            }
            CandleFormat::Parquet => Self::Parquet(ParquetSheet::begin(out)?),
        })
    }

    fn add(&mut self, candles: &[Candle]) -> io::Result<()> {
        match self {
            Self::Csv(out) => candles.iter().try_for_each(|candle| out.write_all(line(candle).as_bytes())),
            Self::Parquet(sheet) => sheet.add(candles),
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Csv(mut out) => out.flush(),
            Self::Parquet(sheet) => sheet.end(),
        }
    }
}

impl Exported {
    fn add(&mut self, candles: &[Candle], refused: Vec<RefusedCandle>) {
        self.candles += candles.len() as u64;
        self.first = self.first.or_else(|| candles.first().map(|candle| candle.open_time));
        self.last = candles.last().map(|candle| candle.open_time).or(self.last);
        self.refused += refused.len() as u64;
        let room = MOST_NAMED - self.named.len();
        self.named.extend(refused.into_iter().take(room));
    }
}

/// A candle as a line.
fn line(candle: &Candle) -> String {
    let Candle { open_time, open, high, low, close, volume } = candle;
    format!("{},{open},{high},{low},{close},{volume}\n", open_time.millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `f64` can hold is read again bit for bit.
    #[test]
    fn a_line_is_read_as_it_was() {
        let mut state = 7_u64;
        for exponent in -8..=8 {
            for _ in 0..200 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let price = (1.0 + (state >> 11) as f64 / (1_u64 << 53) as f64) * 10_f64.powi(exponent);
                let open_time = Timestamp::from_millis(1_767_225_600_000);
                let candle =
                    Candle { open_time, open: price, high: price, low: price, close: price, volume: price / 3.0 };
                let text = line(&candle);
                let numbers: Vec<f64> = text.trim().split(',').skip(1).map(|field| field.parse().unwrap()).collect();
                assert_eq!(numbers, [price, price, price, price, price / 3.0], "{text}");
                assert!(!text.contains(['e', 'E']), "{text}");
            }
        }
    }
}
