//! Finds the windows of an old evaluation by their hash.
//!
//! Closed candles do not change, but more of them may have been stored since: a longer candle that closed with the
//! signal's and was stored after it, or history that was imported for a young market. So if today's newest candles have
//! a different hash, windows without such candles are tried.

use std::ops::Range;

use ta_bot_core::{
    Candle, CandleSlice, CandleWindow, Job, StrategyDescription, Symbol, Timeframe, Timestamp, WindowHash,
};

use super::{Cause, recorded::Recorded};
use crate::{
    evaluation::{SeriesKey, WindowRequest, extra_windows},
    market::candles::Candles,
    pipeline::analysis::AnalysisError,
    support::store_error::StoreError,
};

/// The largest number of candles of a series that may have been late.
const LATE: usize = 32;
/// The largest number of bytes of candles that are hashed to find windows: at most about a second's work.
const MOST_BYTES: usize = 128 << 20;
/// The size of a candle's columns, in bytes.
const CANDLE_BYTES: usize = 48;

/// Candles by the rules of the host that made a signal.
#[derive(Clone, Copy)]
pub(super) enum Rows<'a> {
    /// Closed and sound candles.
    Checked(&'a Candles),
    /// Whatever is stored.
    AsStored(&'a Candles),
}

impl Rows<'_> {
    async fn newest(
        self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<Candle>, StoreError> {
        match self {
            Self::Checked(candles) => Ok(candles.newest(symbol, timeframe, until, count).await?.candles),
            Self::AsStored(candles) => candles.as_stored(symbol, timeframe, until, count).await,
        }
    }

    /// Why the candle of a job is not among these candles. If its row has become one that is no candle, it has changed
    /// and is not missing.
    async fn cause_without(self, job: &Job, recorded: WindowHash) -> Result<Cause, StoreError> {
        if let Self::Checked(candles) = self {
            let closed = candles.newest(&job.symbol, job.timeframe, job.candle_close, 1).await?;
            let is_of_the_job = |open_time| job.timeframe.close_of(open_time) == job.candle_close;
            if closed.refused.iter().any(|refused| is_of_the_job(refused.open_time)) {
                return Ok(Cause::CandlesChanged { recorded });
            }
        }
        Ok(Cause::CandlesMissing(job.clone()))
    }
}

/// Today's candles that may have been in a window: more than the window needs, if some could have been late.
pub(super) struct Windows {
    all: Vec<Available>,
}

/// The candles of one series.
struct Available {
    series: Option<SeriesKey>,
    wanted: usize,
    window: CandleWindow,
}

/// The range of candles of each series that forms its window.
type Span = Vec<Range<usize>>;

/// A window that a strategy was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The series; `None` for an input that is empty because there is no higher timeframe.
    pub series: Option<SeriesKey>,
    /// The number of candles.
    pub candles: usize,
    /// When the first candle opened.
    pub first_open: Option<Timestamp>,
    /// When the last candle opened.
    pub last_open: Option<Timestamp>,
    /// How many more candles the window would have today, because they were stored since.
    pub stored_since: usize,
}

impl Windows {
    /// Reads the available candles of the windows that a module asks for.
    pub(super) async fn read(
        rows: Rows<'_>,
        description: &StrategyDescription,
        Recorded { job, window_hash, .. }: &Recorded,
    ) -> Result<Self, super::Stop> {
        let base = (Some((job.symbol.clone(), job.timeframe)), description.lookback);
        let mut all = vec![Available::read(rows, base, 0, job).await?];
        if !all[0].ends_with(job) {
            return Err(rows.cause_without(job, *window_hash).await?.into());
        }
        for wanted in extra_windows(description, job) {
            all.push(Available::read(rows, wanted, LATE, job).await?);
        }
        Ok(Self { all })
    }

    /// Returns the windows that a strategy would be given today.
    pub(super) fn present(&self) -> Span {
        self.all.iter().map(|candles| candles.ending(0)).collect()
    }

    /// Returns the windows with this hash, if they are found.
    pub(super) fn find(&self, hash: WindowHash) -> Option<Span> {
        let mut left = MOST_BYTES;
        let mut fits = |place: &[Range<usize>]| {
            left = left.saturating_sub(place.iter().map(|span| CANDLE_BYTES * span.len()).sum());
            left > 0 && CandleSlice::hash(&self.slices(place)) == hash
        };
        let present = self.present();
        if fits(&present) {
            return Some(present);
        }
        self.without_late(&present).chain(Self::without_early(&present)).find(|place| fits(place))
    }

    /// Returns the spans without the newest candle of some extra series, then without more candles of one of them.
    fn without_late(&self, present: &[Range<usize>]) -> impl Iterator<Item = Span> {
        let extra = self.all.len() - 1;
        let some = (1_u32..1 << extra).map(move |chosen| {
            let mut place = present.to_vec();
            for index in (1..=extra).filter(|index| chosen >> (index - 1) & 1 == 1) {
                place[index] = self.all[index].ending(1);
            }
            place
        });
        let more = (1..=extra).flat_map(move |index| (2..=LATE).map(move |late| (index, late)));
        let more = more.map(move |(index, late)| {
            let mut place = present.to_vec();
            place[index] = self.all[index].ending(late);
            place
        });
        some.chain(more)
    }

    /// Returns the spans with a shorter history of one series.
    fn without_early(present: &[Range<usize>]) -> impl Iterator<Item = Span> {
        let shorter =
            (0..present.len()).flat_map(move |index| (0..present[index].len()).map(move |count| (index, count)));
        shorter.map(move |(index, count)| {
            let mut place = present.to_vec();
            place[index].start = place[index].end - count;
            place
        })
    }

    pub(super) fn slices(&self, place: &[Range<usize>]) -> Vec<CandleSlice<'_>> {
        self.all.iter().zip(place).map(|(candles, span)| candles.window.span(span.clone())).collect()
    }

    pub(super) fn seen(&self, place: &[Range<usize>]) -> Vec<Seen> {
        let seen = |(candles, span): (&Available, &Range<usize>)| {
            let present = candles.ending(0);
            Seen {
                series: candles.series.clone(),
                candles: span.len(),
                first_open: candles.open_time(span.start).filter(|_| !span.is_empty()),
                last_open: candles.open_time(span.end.wrapping_sub(1)).filter(|_| !span.is_empty()),
                stored_since: present.filter(|index| !span.contains(index)).count(),
            }
        };
        self.all.iter().zip(place).map(seen).collect()
    }
}

impl Available {
    async fn read(
        rows: Rows<'_>,
        (series, wanted): WindowRequest,
        late: usize,
        job: &Job,
    ) -> Result<Self, super::Stop> {
        let mut window = CandleWindow::default();
        if let Some((symbol, timeframe)) = &series {
            let candles = rows.newest(symbol, *timeframe, job.candle_close, wanted + late as u32).await?;
            window = CandleWindow::new(candles).map_err(AnalysisError::from)?;
        }
        Ok(Self { series, wanted: wanted as usize, window })
    }

    /// Whether the newest candle is the job's.
    fn ends_with(&self, job: &Job) -> bool {
        let newest = self.open_time(self.window.len().wrapping_sub(1));
        newest.map(|open| job.timeframe.close_of(open)) == Some(job.candle_close)
    }

    /// Returns the window that leaves out the newest `late` candles.
    fn ending(&self, late: usize) -> Range<usize> {
        let end = self.window.len().saturating_sub(late);
        end.saturating_sub(self.wanted)..end
    }

    fn open_time(&self, index: usize) -> Option<Timestamp> {
        let all = self.window.newest(usize::MAX);
        all.open_time.get(index).map(|open| Timestamp::from_millis(*open as i64))
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{Candle, Timeframe};

    use super::*;

    fn candles(wanted: usize, count: i64) -> Available {
        let candle = |index: i64| {
            let open_time = Timestamp::from_millis(index * Timeframe::M15.millis());
            Candle { open_time, open: 10.0, high: 12.0, low: 9.0, close: 11.0, volume: index as f64 }
        };
        Available { series: None, wanted, window: CandleWindow::new((0..count).map(candle)).unwrap() }
    }

    fn find(windows: &Windows, given: &[Range<usize>]) -> Option<Span> {
        windows.find(CandleSlice::hash(&windows.slices(given)))
    }

    #[test]
    fn windows_are_found_as_they_are_and_as_they_were() {
        let windows = Windows { all: vec![candles(50, 50), candles(20, 52), candles(10, 42)] };
        let (base, one, other) = (0..50, 32..52, 32..42);
        let present = vec![base.clone(), one.clone(), other.clone()];
        assert_eq!(windows.present(), present);
        let late = vec![base.clone(), 31..51, 31..41];
        let standing_still = vec![base.clone(), 25..45, other.clone()];
        let young = vec![13..50, one.clone(), other.clone()];
        let young_extra = vec![base, one, 39..42];
        for given in [&present, &late, &standing_still, &young, &young_extra] {
            assert_eq!(find(&windows, given).as_ref(), Some(given), "{given:?}");
        }
        assert_eq!(windows.find(CandleSlice::hash(&[])), None);
    }

    #[test]
    fn what_was_stored_since_is_counted() {
        let windows = Windows { all: vec![candles(50, 50), candles(20, 52)] };
        let counts =
            |place: &[Range<usize>]| windows.seen(place).iter().map(|seen| seen.stored_since).collect::<Vec<_>>();
        assert_eq!(counts(&windows.present()), [0, 0]);
        assert_eq!(counts(&[13..50, 31..51]), [13, 1]);
        let empty = &windows.seen(&[50..50, 32..52])[0];
        assert_eq!((empty.candles, empty.first_open, empty.last_open), (0, None, None));
    }

    #[test]
    fn the_search_has_an_end() {
        let windows = Windows { all: vec![candles(10_000, 10_000)] };
        assert_eq!(windows.find(CandleSlice::hash(&[])), None);
        let windows = Windows { all: (0..9).map(|_| candles(100, 132)).collect() };
        assert_eq!(windows.find(CandleSlice::hash(&[])), None);
    }
}
