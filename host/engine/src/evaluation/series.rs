//! The series of candles that a strategy reads.

use ta_bot_core::{ExtraInput, InputSymbol, InputTimeframe, Job, StrategyDescription, Symbol, Timeframe};

/// The key of a series of candles: its symbol and timeframe.
pub type SeriesKey = (Symbol, Timeframe);

/// A series and how many of its candles are wanted. Without a series the window is empty.
pub type WindowRequest = (Option<SeriesKey>, u32);

/// The windows that a module's extra inputs need.
pub fn extra_windows(description: &StrategyDescription, job: &Job) -> Vec<WindowRequest> {
    description.extra.iter().map(|input| (series_of(input, job), input.lookback)).collect()
}

/// The series of an extra input. A job sees the candles of that series that had closed when its own candle closed.
/// There is no timeframe above the highest; the series is then `None`, and the input is empty.
pub fn series_of(input: &ExtraInput, job: &Job) -> Option<SeriesKey> {
    let symbol = match &input.symbol {
        InputSymbol::Own => job.symbol.clone(),
        InputSymbol::Fixed(symbol) => symbol.clone(),
    };
    let timeframe = match input.timeframe {
        InputTimeframe::NextHigher => job.timeframe.next_higher(),
        InputTimeframe::Fixed(timeframe) => Some(timeframe),
    };
    timeframe.map(|timeframe| (symbol, timeframe))
}
