//! Made-up candles for a module's first evaluation: as many as it asks for, the same each time.

use ta_bot_core::{CandleWindow, ExtraInput, Job, StrategyDescription, Symbol, Timeframe, Timestamp};

use crate::{evaluation::series_of, feed::walk};

/// When the candle closes: the first moment of 2026.
const CLOSE: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// The price at which every window begins.
const FIRST_PRICE: f64 = 100.0;

/// The candle to look at, on a timeframe that the strategy runs on: 15m where it may be.
pub(super) fn job(description: &StrategyDescription, symbol: Symbol) -> Job {
    let timeframe = if description.runs_on(Timeframe::M15) {
        Timeframe::M15
    } else {
        description.timeframes.first().copied().unwrap_or(Timeframe::M15)
    };
    Job { symbol, timeframe, candle_close: timeframe.open_of(CLOSE) }
}

/// The base window.
pub(super) fn base(job: &Job, lookback: u32) -> CandleWindow {
    window(&job.symbol, job.timeframe, job.candle_close, lookback)
}

/// The window of an extra input; empty where there is no higher timeframe, as in the service.
pub(super) fn extra(job: &Job, input: &ExtraInput) -> CandleWindow {
    series_of(input, job).map_or_else(CandleWindow::default, |(symbol, timeframe)| {
        window(&symbol, timeframe, timeframe.open_of(job.candle_close), input.lookback)
    })
}

fn window(symbol: &Symbol, timeframe: Timeframe, close: Timestamp, count: u32) -> CandleWindow {
    let first = close.plus_millis(-timeframe.millis() * i64::from(count));
    let opens = (0..i64::from(count)).map(|index| first.plus_millis(timeframe.millis() * index));
    // Each candle opens one timeframe after the one before, so they are in order.
    CandleWindow::new(walk(symbol, opens, FIRST_PRICE)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{Columns, InputSymbol, InputTimeframe};

    use super::*;

    fn job_of(timeframe: Timeframe) -> Job {
        Job { symbol: "BTCUSDT".parse().unwrap(), timeframe, candle_close: timeframe.open_of(CLOSE) }
    }

    #[test]
    fn the_window_ends_with_the_job() {
        let job = job_of(Timeframe::W1);
        let window = base(&job, 7);
        assert_eq!(window.len(), 7);
        let newest = Timestamp::from_millis(window.newest(1).open_time[0] as i64);
        assert_eq!(Timeframe::W1.close_of(newest), job.candle_close);
        assert_eq!(window, base(&job, 7));
    }

    #[test]
    fn higher_candles_have_closed_and_there_is_none_above_a_week() {
        let input = ExtraInput {
            symbol: InputSymbol::Own,
            timeframe: InputTimeframe::NextHigher,
            lookback: 3,
            columns: Columns::ALL,
        };
        let higher = extra(&job_of(Timeframe::M15), &input);
        assert_eq!(higher.newest(1).open_time, [(CLOSE.millis() - Timeframe::H1.millis()) as f64]);
        assert!(extra(&job_of(Timeframe::W1), &input).is_empty());
    }
}
