//! Waits for candles that come late.
//!
//! At the full hour a 15-minute candle and an hourly candle close together, and their writer stores one of them first.
//! The result of a strategy that reads both must not depend on that race, so a job waits a moment for the higher candle
//! that closes with its own. It does not wait long, and not for a series that stands still: a signal without the newest
//! higher candle is better than no signal.

use std::time::Duration;

use ta_bot_core::{Job, Symbol, Timeframe, Timestamp};

use super::{AnalysisError, Analyst, turns};
use crate::modules::registry::Deciding;

/// The pause between two looks for it.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a job waits.
enum Early {
    /// A candle that it reads is not there yet.
    Missing,
    /// The store does not say whether all of them are there.
    Unknown,
}

impl Analyst {
    /// Whether an extra candle that the job's strategies read closes with the job's own, is not there yet, and may
    /// still come.
    pub async fn is_early(&self, job: &Job) -> bool {
        self.early(job).await.is_some()
    }

    /// Waits until the job is no longer [early](Self::is_early). Returns when a candle was last found missing, if one
    /// was: before that the job could not be decided.
    pub async fn wait_for_inputs(&self, job: &Job) -> Option<Timestamp> {
        let mut missed = None;
        loop {
            let looked = Timestamp::now();
            match self.early(job).await {
                None => return missed,
                Some(Early::Missing) => missed = Some(looked),
                Some(Early::Unknown) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn early(&self, job: &Job) -> Option<Early> {
        if !self.candles.is_awaited(job.candle_close) {
            return None;
        }
        match self.missing(job).await {
            Ok(None) => None,
            Ok(Some((symbol, timeframe))) => {
                tracing::debug!(%job, "job waits for the candle of {symbol} {timeframe} that closes with its own");
                Some(Early::Missing)
            }
            // Whether the candle is there is not known while a store fails, and the store may be back before the
            // analysis reads. Any other error comes again in the analysis, which handles it.
            Err(error) => error.is_stores().then_some(Early::Unknown),
        }
    }

    /// Returns a series whose candle closes with the job's and is missing, although the candle before it is there.
    async fn missing(&self, job: &Job) -> Result<Option<(Symbol, Timeframe)>, AnalysisError> {
        for (symbol, timeframe) in self.closing_together(job).await? {
            let newest = self.candles.newest(&symbol, timeframe, job.candle_close, 1).await?;
            if newest.newest_close(timeframe) == Some(timeframe.open_of(job.candle_close.plus_millis(-1))) {
                return Ok(Some((symbol, timeframe)));
            }
        }
        Ok(None)
    }

    /// Returns the extra series of the job's strategies that have a candle closing at the same moment.
    async fn closing_together(&self, job: &Job) -> Result<Vec<(Symbol, Timeframe)>, AnalysisError> {
        let Deciding { log, modules, .. } = self.deciding(job, &self.settings.current()).await?;
        let mut series: Vec<_> = turns(modules, job, &log)
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
