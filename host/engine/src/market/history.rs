//! Series of candles in memory, and the windows of them that a strategy is given at a candle. The windows are cut as
//! the service cuts them.

use std::ops::Range;

use ta_bot_core::{
    Candle, CandleSlice, CandleWindow, Job, Parameters, StrategyDescription, Symbol, Timeframe, Timestamp, WindowError,
};
use ta_bot_wasm::EvaluationInput;

use crate::evaluation::series_of;

mod reader;

pub use reader::{HistoryError, HistoryReader};

/// The candles of one symbol and timeframe, oldest first.
#[derive(Debug, Clone)]
pub struct CandleSeries {
    /// The symbol of the candles.
    pub symbol: Symbol,
    /// The timeframe of the candles.
    pub timeframe: Timeframe,
    candles: CandleWindow,
}

impl CandleSeries {
    /// Creates a series. The candles must be ordered by open time, each given once.
    pub fn new(
        symbol: Symbol,
        timeframe: Timeframe,
        candles: impl IntoIterator<Item = Candle>,
    ) -> Result<Self, WindowError> {
        Ok(Self::of(symbol, timeframe, CandleWindow::new(candles)?))
    }

    /// A series of candles that are ordered already.
    pub const fn of(symbol: Symbol, timeframe: Timeframe, candles: CandleWindow) -> Self {
        Self { symbol, timeframe, candles }
    }

    /// Number of candles.
    pub fn len(&self) -> usize {
        self.candles.len()
    }

    /// Whether there is no candle.
    pub fn is_empty(&self) -> bool {
        self.candles.is_empty()
    }

    /// All candles.
    pub fn all(&self) -> CandleSlice<'_> {
        self.candles.newest(usize::MAX)
    }

    /// The candles in `range`.
    ///
    /// # Panics
    ///
    /// Panics if the series has no such range, as indexing a slice does.
    pub fn span(&self, range: Range<usize>) -> CandleSlice<'_> {
        self.candles.span(range)
    }

    /// When a candle closed.
    pub fn close_time(&self, candle: usize) -> Timestamp {
        self.timeframe.close_of(Timestamp::from_millis(self.all().open_time[candle] as i64))
    }

    /// The job of evaluating a candle.
    pub fn job(&self, candle: usize) -> Job {
        Job { symbol: self.symbol.clone(), timeframe: self.timeframe, candle_close: self.close_time(candle) }
    }

    /// How many candles had closed at `at`.
    pub fn closed_by(&self, at: Timestamp) -> usize {
        let opened_by = (at.millis() - self.timeframe.millis()) as f64;
        self.all().open_time.partition_point(|open| *open <= opened_by)
    }

    /// The newest `count` candles that had closed at `at`; `None` if there are fewer.
    pub fn closed(&self, at: Timestamp, count: usize) -> Option<CandleSlice<'_>> {
        let end = self.closed_by(at);
        Some(self.span(end.checked_sub(count)?..end))
    }

    /// Like [`closed`](Self::closed), but returns all candles if there are fewer.
    fn closed_at_most(&self, at: Timestamp, count: usize) -> CandleSlice<'_> {
        let end = self.closed_by(at);
        self.span(end.saturating_sub(count)..end)
    }
}

/// Several series.
#[derive(Debug, Clone, Default)]
pub struct History {
    series: Vec<CandleSeries>,
}

/// A candle, by the index of its series and its index in that series.
pub type CandleIndex = (usize, usize);

/// What a strategy is given at a candle.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// The job, which names the candle.
    pub job: Job,
    /// The base window.
    pub base: CandleSlice<'a>,
    /// One window for each extra input, in their order.
    pub extra: Vec<CandleSlice<'a>>,
}

impl View<'_> {
    /// The view as the sandbox takes it.
    pub fn input<'b>(&'b self, parameters: &'b Parameters) -> EvaluationInput<'b> {
        EvaluationInput { job: &self.job, base: self.base, extra: &self.extra, parameters }
    }
}

impl History {
    /// Creates a history of these series.
    pub const fn new(series: Vec<CandleSeries>) -> Self {
        Self { series }
    }

    /// The series.
    pub fn series(&self) -> &[CandleSeries] {
        &self.series
    }

    fn find(&self, series: &(Symbol, Timeframe)) -> Option<&CandleSeries> {
        self.series.iter().find(|one| one.symbol == series.0 && one.timeframe == series.1)
    }

    /// The newest `count` candles of a series that had closed at `at`; `None` if there are fewer.
    pub fn closed(&self, series: &(Symbol, Timeframe), at: Timestamp, count: usize) -> Option<CandleSlice<'_>> {
        self.find(series)?.closed(at, count)
    }

    /// Every candle of a timeframe on which the strategy runs.
    pub fn places(&self, description: &StrategyDescription) -> impl Iterator<Item = CandleIndex> {
        let series = self.series.iter().enumerate().filter(|(_, series)| description.runs_on(series.timeframe));
        series.flat_map(|(index, series)| (0..series.len()).map(move |candle| (index, candle)))
    }

    /// What the strategy is given at a candle, with `more` candles in each window beyond what it asks for; `None` if a
    /// window can't be full.
    pub fn view(&self, description: &StrategyDescription, place: CandleIndex, more: usize) -> Option<View<'_>> {
        let (series, candle) = (&self.series[place.0], place.1);
        let from = (candle + 1).checked_sub(description.lookback as usize + more)?;
        let job = series.job(candle);
        let extra = description.extra.iter().map(|input| match series_of(input, &job) {
            Some(series) => self.closed(&series, job.candle_close, input.lookback as usize + more),
            // There is no timeframe above the highest.
            None => Some(CandleSlice::EMPTY),
        });
        let extra = extra.collect::<Option<Vec<_>>>()?;
        Some(View { base: series.span(from..candle + 1), extra, job })
    }

    /// What a job gives the strategy at a candle. Each window is as full as the market allows.
    pub fn live_view(&self, description: &StrategyDescription, (series, candle): CandleIndex) -> View<'_> {
        let series = &self.series[series];
        let from = (candle + 1).saturating_sub(description.lookback as usize);
        let job = series.job(candle);
        let extra = description.extra.iter().map(|input| {
            let series = series_of(input, &job).and_then(|series| self.find(&series));
            series.map_or(CandleSlice::EMPTY, |series| series.closed_at_most(job.candle_close, input.lookback as usize))
        });
        View { base: series.span(from..candle + 1), extra: extra.collect(), job }
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{Columns, ExtraInput, InputSymbol, InputTimeframe, ParameterSchema};

    use super::*;
    use crate::market::made_up::walk;

    fn history() -> History {
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        let series = |timeframe: Timeframe, count: i64| {
            let opens = (0..count).map(|index| Timestamp::from_millis(index * timeframe.millis()));
            CandleSeries::new(symbol.clone(), timeframe, walk(&symbol, opens, 100.0)).unwrap()
        };
        History::new(vec![series(Timeframe::M15, 20), series(Timeframe::H1, 5)])
    }

    fn description(extra: Vec<ExtraInput>) -> StrategyDescription {
        StrategyDescription {
            id: "some".parse().unwrap(),
            name: "Some".to_owned(),
            version: "1".to_owned(),
            description: "Some.".to_owned(),
            lookback: 4,
            columns: Columns::ALL,
            timeframes: vec![Timeframe::M15],
            extra,
            schema: ParameterSchema::new(Vec::new()),
        }
    }

    #[test]
    fn a_view_ends_with_its_candle_and_sees_no_open_one() {
        let input = ExtraInput {
            symbol: InputSymbol::Own,
            timeframe: InputTimeframe::NextHigher,
            lookback: 2,
            columns: Columns::ALL,
        };
        let history = history();
        let description = description(vec![input]);
        assert_eq!(history.places(&description).count(), 20);
        // The candle that closes at 1:45; only the first hour has closed.
        assert!(history.view(&description, (0, 6), 0).is_none());
        let view = history.view(&description, (0, 7), 0).unwrap();
        assert_eq!((view.base.len(), view.extra[0].len()), (4, 2));
        assert_eq!(view.job.candle_close.millis(), 2 * Timeframe::H1.millis());
        assert_eq!(view.extra[0].open_time[1], Timeframe::H1.millis() as f64);
        let longer = history.view(&description, (0, 18), 2).unwrap();
        assert_eq!((longer.base.len(), longer.extra[0].len()), (6, 4));
        assert!(history.view(&description, (0, 18), 3).is_none());
    }

    #[test]
    fn a_job_is_given_what_is_there() {
        let input = ExtraInput {
            symbol: InputSymbol::Own,
            timeframe: InputTimeframe::NextHigher,
            lookback: 2,
            columns: Columns::ALL,
        };
        let history = history();
        let description = description(vec![input]);
        let lengths = |candle| {
            let view = history.live_view(&description, (0, candle));
            (view.base.len(), view.extra[0].len())
        };
        assert_eq!([0, 2, 3, 6, 7, 18].map(lengths), [(1, 0), (3, 0), (4, 1), (4, 1), (4, 2), (4, 2)]);
        for candle in 7..20 {
            let (full, live) =
                (history.view(&description, (0, candle), 0), history.live_view(&description, (0, candle)));
            assert_eq!(full.map(|view| (view.base, view.extra)), Some((live.base, live.extra)));
        }
    }

    #[test]
    fn a_window_without_a_series_of_its_own_is_never_full() {
        let fixed = ExtraInput {
            symbol: InputSymbol::Fixed("ETHUSDT".parse().unwrap()),
            timeframe: InputTimeframe::NextHigher,
            lookback: 1,
            columns: Columns::ALL,
        };
        assert!(history().view(&description(vec![fixed]), (0, 19), 0).is_none());
        assert!(history().view(&description(Vec::new()), (0, 3), 0).is_some());
        assert!(history().view(&description(Vec::new()), (0, 2), 0).is_none());
    }
}
