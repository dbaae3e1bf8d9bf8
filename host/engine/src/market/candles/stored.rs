//! What is stored of a series, for exports and repairs: every row, and changes by hand.

use std::ops::Range;

use ta_bot_core::{CandleRow, Symbol, Timeframe, Timestamp};

use super::Candles;
use crate::{
    market::candle_store::{Repair, RepairEntry, Repaired},
    support::store_error::StoreError,
};

/// How many rows one read returns.
const PAGE: u32 = 10_000;

impl Candles {
    /// The oldest rows of the candles that opened within a stretch, and where the next page of them begins; `None` if
    /// there is none. The rows of one candle are on one page.
    pub async fn page(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        opened: Range<Timestamp>,
    ) -> Result<(Vec<CandleRow>, Option<Timestamp>), StoreError> {
        let mut limit = PAGE;
        loop {
            let mut rows = self.store.opened_within(symbol, timeframe, opened.clone(), limit).await?;
            let Some(last) = rows.last().map(|row| row.candle.open_time).filter(|_| rows.len() >= limit as usize)
            else {
                return Ok((rows, None));
            };
            // There may be more rows of the last candle.
            rows.retain(|row| row.candle.open_time != last);
            if !rows.is_empty() {
                return Ok((rows, Some(last)));
            }
            limit = limit.saturating_mul(2);
        }
    }

    /// Every row of the candles that opened within a stretch, oldest first.
    pub async fn opened_within(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        opened: Range<Timestamp>,
    ) -> Result<Vec<CandleRow>, StoreError> {
        let mut all = Vec::new();
        let mut from = opened.start;
        loop {
            let (rows, next) = self.page(symbol, timeframe, from..opened.end).await?;
            all.extend(rows);
            match next {
                Some(next) => from = next,
                None => return Ok(all),
            }
        }
    }

    /// The service that owns the rows, see [`CandleStore::owner`](crate::market::candle_store::CandleStore::owner).
    pub fn owner(&self) -> Option<&'static str> {
        self.store.owner()
    }

    /// Changes a series by hand, see [`CandleStore::repair`](crate::market::candle_store::CandleStore::repair).
    pub async fn repair(&self, repair: &Repair) -> Result<Repaired, StoreError> {
        self.store.repair(repair).await
    }

    /// The newest repairs, newest first.
    pub async fn newest_repairs(&self, limit: u32) -> Result<Vec<RepairEntry>, StoreError> {
        self.store.newest_repairs(limit).await
    }

    /// The repair with this number.
    pub async fn repair_numbered(&self, number: i64) -> Result<Option<RepairEntry>, StoreError> {
        let found = self.store.repairs_after(number.saturating_sub(1), 1).await?;
        Ok(found.into_iter().find(|entry| entry.number == number))
    }
}
