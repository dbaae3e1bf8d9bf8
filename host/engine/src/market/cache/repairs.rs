//! Follows the log of repairs: what an operator changes by hand, through any replica or by a command, is noticed here
//! soon, and not only by the next round of comparisons.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{CandleCache, lock};
use crate::{
    market::candle_store::{CandleStore as _, RepairEntry},
    support::store_error::StoreError,
};

/// How often the log is read.
const PAUSE: Duration = Duration::from_secs(1);
/// How many entries one read returns.
const AT_ONCE: u32 = 200;

impl CandleCache {
    /// Compares what is kept of each repaired series with the store, soon after each repair, until `stop` is cancelled.
    ///
    /// Repairs from before this call concern nothing: nothing had been read then.
    pub async fn follow_repairs(self: Arc<Self>, stop: CancellationToken) {
        let following = async {
            let mut known = None;
            let mut is_told = false;
            loop {
                match self.take_repairs(known).await {
                    Ok(newest) => (known, is_told) = (Some(newest), false),
                    Err(error) if !std::mem::replace(&mut is_told, true) => {
                        tracing::warn!(%error, "the log of repairs of candles can't be read; trying again");
                    }
                    Err(_) => {}
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        stop.run_until_cancelled(following).await;
    }

    /// Takes in the repairs that came after the one with the number `known`, and returns the number of the newest. If
    /// none is known yet, only its number is read.
    pub async fn take_repairs(&self, known: Option<i64>) -> Result<i64, StoreError> {
        let Some(mut known) = known else {
            let newest = self.reads.store.newest_repairs(1).await?;
            return Ok(newest.first().map_or(0, |entry| entry.number));
        };
        loop {
            let entries = self.reads.store.repairs_after(known, AT_ONCE).await?;
            let Some(last) = entries.last() else { return Ok(known) };
            for entry in &entries {
                self.recheck(entry).await?;
            }
            known = last.number;
        }
    }

    /// Compares what is kept of the series of a repair with the store.
    async fn recheck(&self, entry: &RepairEntry) -> Result<(), StoreError> {
        let RepairEntry { number, symbol, timeframe, kind, added, changed, removed, author, .. } = entry;
        let by = &author.changed_by;
        tracing::info!(number, %symbol, %timeframe, %kind, added, changed, removed, by, "candles were changed by hand");
        self.expire(symbol);
        let series = (symbol.clone(), *timeframe);
        let is_kept = lock(&self.kept).contains_key(&series);
        if is_kept { self.compare(std::slice::from_ref(&series)).await } else { Ok(()) }
    }
}
