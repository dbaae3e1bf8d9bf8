//! Higher candles that come late.
//!
//! At the full hour a 15-minute candle and an hour's close together, and whoever writes them writes one of them first. A
//! strategy that reads both must not answer by who won that race, so a job waits a moment for the higher candle that
//! closes with its own. Not for long, and not for a series that stands still: a signal without the newest higher candle
//! is better than none.

use std::time::Duration;

use ta_bot_core::{Job, Symbol, Timeframe, Timestamp};

use super::{AnalysisError, Analyst, turns};
use crate::modules::registry::Deciding;

/// How long after the close a higher candle is waited for.
const PATIENCE_MS: i64 = 10_000;
/// How often it is looked for.
const PAUSE: Duration = Duration::from_millis(200);

impl Analyst {
    /// Whether a candle that the job's strategies read beside its own closes with it, is not there, and may still come.
    pub async fn is_early(&self, job: &Job) -> bool {
        if Timestamp::now() >= job.candle_close.plus_millis(PATIENCE_MS) {
            return false;
        }
        // Where the store fails, the analysis meets the same and knows what to do about it.
        let missing = self.missing(job).await.ok().flatten();
        if let Some((symbol, timeframe)) = &missing {
            tracing::debug!(%job, "waits for the candle of {symbol} {timeframe} that closes with it");
        }
        missing.is_some()
    }

    /// Waits until the job [is early](Self::is_early) no more.
    pub async fn wait_for_inputs(&self, job: &Job) {
        while self.is_early(job).await {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A series whose candle closes with the job's and is not there, though the one before it is.
    async fn missing(&self, job: &Job) -> Result<Option<(Symbol, Timeframe)>, AnalysisError> {
        for (symbol, timeframe) in self.closing_together(job).await? {
            let newest = self.candles.newest_closed(&symbol, timeframe, job.candle_close, 1).await?;
            let newest = newest.last().map(|candle| timeframe.close_of(candle.open_time));
            if newest == Some(timeframe.open_of(job.candle_close.plus_millis(-1))) {
                return Ok(Some((symbol, timeframe)));
            }
        }
        Ok(None)
    }

    /// The extra series of the job's strategies of which a candle closes at the same moment.
    async fn closing_together(&self, job: &Job) -> Result<Vec<(Symbol, Timeframe)>, AnalysisError> {
        let Deciding { modules, .. } = self.deciding(job, &self.settings.current()).await?;
        let mut series: Vec<_> = turns(modules, job)
            .into_iter()
            .flat_map(|turn| turn.extra)
            .filter_map(|(series, _)| series)
            .filter(|(_, timeframe)| timeframe.open_of(job.candle_close) == job.candle_close)
            .collect();
        series.sort();
        series.dedup();
        Ok(series)
    }
}
