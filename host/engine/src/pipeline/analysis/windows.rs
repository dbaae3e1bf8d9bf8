//! The candles that a job's strategies look at, and those that were left out because their rows are no candles.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use ta_bot_core::{CandleSlice, CandleWindow, Job, RefusedCandle, Timestamp};

use super::{AnalysisError, Analyst, Turn};
use crate::evaluation::SeriesKey;

/// How many refused candles of a series are listed.
const MOST_LISTED: usize = 10;

/// The candles that were left out of the windows of one series, because the store has no usable row of them.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedCandles {
    /// The series.
    pub series: SeriesKey,
    /// How many there are.
    pub candles: usize,
    /// The newest of them, oldest first; at most ten.
    pub newest: Vec<RefusedCandle>,
}

/// The candles that were read for a job: one window for each series, as long as the longest that is wanted of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Windows {
    by_series: HashMap<SeriesKey, CandleWindow>,
    /// Sorted by series.
    pub(super) refused: Vec<RefusedCandles>,
}

impl Windows {
    /// The newest `count` candles of a series that was read. Without a series there are none.
    pub(super) fn newest(&self, series: Option<&SeriesKey>, count: u32) -> CandleSlice<'_> {
        series.map_or(CandleSlice::EMPTY, |series| self.by_series[series].newest(count as usize))
    }

    /// The number of candles of a series; 0 if it was not read.
    pub(super) fn candles(&self, series: &SeriesKey) -> usize {
        self.by_series.get(series).map_or(0, CandleWindow::len)
    }

    /// Adds series, or replaces them by longer windows.
    pub(super) fn extend(&mut self, more: Self) {
        self.by_series.extend(more.by_series);
    }
}

impl RefusedCandles {
    /// The candles of `refused`, which are ordered from the oldest, that opened at `since` or later; all of them if
    /// that is `None`. Returns `None` if there is none.
    pub(super) fn since(series: &SeriesKey, mut refused: Vec<RefusedCandle>, since: Option<Timestamp>) -> Option<Self> {
        refused.retain(|candle| since.is_none_or(|since| candle.open_time >= since));
        let candles = refused.len();
        let newest = refused.split_off(candles.saturating_sub(MOST_LISTED));
        (candles > 0).then(|| Self { series: series.clone(), candles, newest })
    }

    /// Adds newer candles of the same series.
    pub(super) fn add(&mut self, newer: Self) {
        self.candles += newer.candles;
        self.newest.extend(newer.newest);
        self.newest = self.newest.split_off(self.newest.len().saturating_sub(MOST_LISTED));
    }
}

impl Analyst {
    /// Reads every series once, with as many candles as the strategy that needs the most. Shadows are not considered
    /// here: what only they need is read after the decision, when nothing waits for it.
    pub(super) async fn windows(&self, job: &Job, turns: &[Turn]) -> Result<Windows, AnalysisError> {
        let base = ((job.symbol.clone(), job.timeframe), 1);
        self.read(job, turns.iter().flat_map(|turn| turn.wanted(job)).chain([base])).await
    }

    /// Reads each series once, with the largest number of candles that is wanted of it.
    pub(super) async fn read(
        &self,
        job: &Job,
        wanted: impl IntoIterator<Item = (SeriesKey, u32)>,
    ) -> Result<Windows, AnalysisError> {
        let mut most_of: HashMap<SeriesKey, u32> = HashMap::new();
        for (series, count) in wanted {
            let most = most_of.entry(series).or_default();
            *most = count.max(*most);
        }
        // All at the same time, so that each series is read together with those of other jobs.
        let read = most_of.into_iter().map(|(series, count)| self.window(job, series, count));
        let mut windows = Windows::default();
        for (series, window, refused) in try_join_all(read).await? {
            windows.refused.extend(refused);
            windows.by_series.insert(series, window);
        }
        windows.refused.sort_by(|one, other| one.series.cmp(&other.series));
        Ok(windows)
    }

    /// Reads the candles that had closed at the job's close. A candle of a higher timeframe that contains the job's is
    /// still open then, and is not read.
    async fn window(
        &self,
        job: &Job,
        series: SeriesKey,
        count: u32,
    ) -> Result<(SeriesKey, CandleWindow, Option<RefusedCandles>), AnalysisError> {
        let (symbol, timeframe) = &series;
        let mut closed = self.candles.newest(symbol, *timeframe, job.candle_close, count).await?;
        let newest = closed.newest_close(*timeframe);
        if *symbol == job.symbol && *timeframe == job.timeframe && newest != Some(job.candle_close) {
            return Err(AnalysisError::without_candle(job, closed.refused));
        }
        // The rows that were read may reach back further than the window.
        let oldest = closed.candles.first().map(|candle| candle.open_time);
        let refused = RefusedCandles::since(&series, std::mem::take(&mut closed.refused), oldest);
        Ok((series, closed.try_into()?, refused))
    }
}
