//! Which jobs are due, and whether they are finished.

use ta_bot_core::{Job, Timeframe, Timestamp};
use ta_bot_engine::{market::candles::Candles, signals::outbox::Outbox, support::store_error::StoreError};

/// The due jobs of `timeframe`: for each series, all closes since a service began with it.
pub async fn due(outbox: &dyn Outbox, candles: &Candles, timeframe: Timeframe) -> Result<Vec<Job>, StoreError> {
    let begun = outbox.begun(timeframe).await?;
    let closed = candles.closed_between(timeframe, &begun, Timestamp::now()).await?;
    Ok(closed.into_iter().map(|(symbol, candle_close)| Job { symbol, timeframe, candle_close }).collect())
}

/// How many of the due jobs are not finished.
pub async fn unfinished(outbox: &dyn Outbox, candles: &Candles, timeframes: &[Timeframe]) -> Result<usize, StoreError> {
    let mut unfinished = 0;
    for timeframe in timeframes {
        let due = due(outbox, candles, *timeframe).await?;
        let asked: Vec<_> = due.into_iter().map(|job| (job.symbol, job.candle_close)).collect();
        unfinished += asked.len() - outbox.finished(*timeframe, &asked).await?.len();
    }
    Ok(unfinished)
}
