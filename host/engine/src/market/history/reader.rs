//! Reads the candles that strategies are given at a stretch of a series, piece by piece, so that however long the
//! stretch is, a bounded number of candles is held at once.

use std::{collections::HashMap, ops::Range};

use ta_bot_core::{InputTimeframe, StrategyDescription, Symbol, Timeframe, Timestamp, WindowError};
use thiserror::Error;

use super::{CandleSeries, History};
use crate::{evaluation::series_of, market::candles::Candles, support::store_error::StoreError};

/// The largest number of candles of an extra series, beyond those of a window, that are held at once. An extra series
/// of minutes beside a series of days has over a million candles for a thousand candles of days.
const MOST_EXTRA: i64 = 20_000;

/// Why a history can't be read.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The candles can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The candles are in no order.
    #[error(transparent)]
    Window(#[from] WindowError),
}

/// Reads what strategies with these descriptions are given.
pub struct HistoryReader<'a> {
    candles: &'a Candles,
    descriptions: Vec<&'a StrategyDescription>,
}

impl<'a> HistoryReader<'a> {
    /// A reader of `candles`, which should be read without a cache, since old candles are of no use to one.
    pub fn new(candles: &'a Candles, descriptions: impl IntoIterator<Item = &'a StrategyDescription>) -> Self {
        Self { candles, descriptions: descriptions.into_iter().collect() }
    }

    /// The newest `count` candles of a series that had closed at `until`, and those before them that are part of
    /// windows.
    pub async fn base(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<CandleSeries, HistoryError> {
        let extra = self.descriptions.iter().flat_map(|one| one.extra.iter().map(|input| input.lookback));
        let longest = self.descriptions.iter().map(|one| one.lookback).chain(extra).max().unwrap_or(1);
        self.read(symbol, timeframe, until, count.saturating_add(longest)).await
    }

    /// Adds the extra series that are read for the candles `piece` of `base`.
    pub async fn with_extra(&self, base: CandleSeries, piece: &Range<usize>) -> Result<History, HistoryError> {
        let Some(last) = piece.end.checked_sub(1).filter(|_| !piece.is_empty()) else { return Ok(History::default()) };
        let from = base.close_time(piece.start);
        let job = base.job(last);
        let mut wanted = HashMap::<(Symbol, Timeframe), i64>::new();
        for input in self.descriptions.iter().flat_map(|description| &description.extra) {
            let Some(series) = series_of(input, &job) else { continue };
            let between = (job.candle_close.millis() - from.millis()) / series.1.millis() + 1;
            let most = wanted.entry(series).or_default();
            *most = (i64::from(input.lookback) + between).max(*most);
        }
        wanted.remove(&(base.symbol.clone(), base.timeframe));
        let mut all = vec![base];
        for ((symbol, timeframe), count) in wanted {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            all.push(self.read(&symbol, timeframe, job.candle_close, count).await?);
        }
        Ok(History::new(all))
    }

    /// How many candles of a series can be looked at before its extra series have to be read again.
    pub fn piece_length(&self, timeframe: Timeframe) -> usize {
        let extra = self.descriptions.iter().flat_map(|description| &description.extra);
        let lengths = extra.map(|input| match input.timeframe {
            InputTimeframe::NextHigher => i64::MAX,
            InputTimeframe::Fixed(extra) => (MOST_EXTRA * extra.millis() / timeframe.millis()).max(1),
        });
        lengths.min().and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX)
    }

    async fn read(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<CandleSeries, HistoryError> {
        let closed = self.candles.newest(symbol, timeframe, until, count).await?;
        Ok(CandleSeries::of(symbol.clone(), timeframe, closed.try_into()?))
    }
}
