//! Rows of candles as a store holds them, and which of them are closed candles.
//!
//! Rows are written by somebody else. They are written while a candle is still open, they hold zeros if an exchange
//! hiccups, and the same candle may be stored twice. Nothing of a row is believed before [`closed_candles`] has looked
//! at it.

use thiserror::Error;

use crate::{Candle, CandleError, DerivedCandles, Timeframe, Timestamp};

/// A row of a store of candles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CandleRow {
    /// The numbers. A number that the row does not have is NaN.
    pub candle: Candle,
    /// When the row was written, by the clock of its writer; `None` if the store does not say.
    pub extracted_at: Option<Timestamp>,
}

/// Why a row is no closed candle.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RowProblem {
    /// The row was written while the candle was open, so its numbers are not final.
    #[error(
        "the row was written at {extracted_at}, before the candle closed at {close}: its numbers are those of an open \
         candle. Have the row written again from the exchange"
    )]
    Unfinished {
        /// When the row was written.
        extracted_at: Timestamp,
        /// When the candle closed.
        close: Timestamp,
    },
    /// The numbers are no candle.
    #[error("{0}. Correct the row, or remove it")]
    Unsound(CandleError),
    /// Another row of the same candle has other numbers, and neither was written later.
    #[error(
        "there are {rows} rows with other numbers of this candle, and none was written last: remove the wrong ones"
    )]
    Contradicted {
        /// How many rows there are.
        rows: usize,
    },
}

impl RowProblem {
    /// All codes, for metrics that exist before anything is refused.
    pub const CODES: [&'static str; 4] = ["unfinished", "off_grid", "unsound", "contradicted"];

    /// A stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unfinished { .. } => "unfinished",
            Self::Unsound(CandleError::OffGrid { .. }) => "off_grid",
            Self::Unsound(_) => "unsound",
            Self::Contradicted { .. } => "contradicted",
        }
    }
}

/// A candle that a store has no usable row of.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedCandle {
    /// When the candle opened.
    pub open_time: Timestamp,
    /// Why its rows are not used.
    pub problem: RowProblem,
}

/// The rows of a stretch of one series, sorted out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClosedCandles {
    /// The closed candles, oldest first, each once.
    pub candles: Vec<Candle>,
    /// The candles that have rows but no usable one, oldest first.
    pub refused: Vec<RefusedCandle>,
    /// Which of the candles have no usable row and were made of shorter candles; `None` if there are none.
    pub derived: Option<DerivedCandles>,
}

impl ClosedCandles {
    /// When the newest candle closed; `None` if there is none.
    pub fn newest_close(&self, timeframe: Timeframe) -> Option<Timestamp> {
        self.candles.last().map(|candle| timeframe.close_of(candle.open_time))
    }
}

impl CandleRow {
    /// A row of which only the numbers are known.
    pub const fn undated(candle: Candle) -> Self {
        Self { candle, extracted_at: None }
    }

    /// Checks that the row holds a closed candle of `timeframe`.
    ///
    /// The close is computed from the open time and the timeframe's length: writers round the close times that they
    /// store. A row that was written too early and whose `extracted_at` was refreshed later without its prices can't be
    /// recognised.
    pub fn check(&self, timeframe: Timeframe) -> Result<(), RowProblem> {
        self.candle.check(timeframe).map_err(RowProblem::Unsound)?;
        let close = timeframe.close_of(self.candle.open_time);
        match self.extracted_at {
            Some(extracted_at) if extracted_at < close => Err(RowProblem::Unfinished { extracted_at, close }),
            _ => Ok(()),
        }
    }
}

/// Sorts out the rows of a stretch of a series, which may come in any order.
///
/// If a candle has several usable rows, the one that was written last counts; equal ones count as one.
pub fn closed_candles(timeframe: Timeframe, mut rows: Vec<CandleRow>) -> ClosedCandles {
    // Most stores give their rows in order, for which this does nothing.
    rows.sort_by_key(|row| row.candle.open_time);
    let mut closed = ClosedCandles { candles: Vec::with_capacity(rows.len()), ..ClosedCandles::default() };
    for rows in rows.chunk_by(|one, other| one.candle.open_time == other.candle.open_time) {
        match candle_of(timeframe, rows) {
            Ok(candle) => closed.candles.push(candle),
            Err(problem) => closed.refused.push(RefusedCandle { open_time: rows[0].candle.open_time, problem }),
        }
    }
    closed
}

/// The candle that rows of the same open time stand for.
fn candle_of(timeframe: Timeframe, rows: &[CandleRow]) -> Result<Candle, RowProblem> {
    let mut usable: Option<&CandleRow> = None;
    let mut problem = None;
    let mut contradicted = false;
    for row in rows {
        match (row.check(timeframe), usable) {
            (Err(found), _) => problem = problem.or(Some(found)),
            (Ok(()), Some(known)) if known.extracted_at >= row.extracted_at => {
                contradicted |= known.extracted_at == row.extracted_at && known.candle != row.candle;
            }
            (Ok(()), _) => (usable, contradicted) = (Some(row), false),
        }
    }
    match (usable, problem) {
        (Some(row), _) if !contradicted => Ok(row.candle),
        (None, Some(problem)) => Err(problem),
        _ => Err(RowProblem::Contradicted { rows: rows.len() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const M15: Timeframe = Timeframe::M15;

    fn candle(index: i64) -> Candle {
        let open_time = Timestamp::from_millis(index * M15.millis());
        Candle { open_time, open: 10.0, high: 12.0, low: 9.0, close: 11.0, volume: 5.0 }
    }

    /// A row of candle `index` that was written `after` milliseconds after its close.
    fn row(index: i64, close: f64, after: i64) -> CandleRow {
        let written = M15.close_of(candle(index).open_time).plus_millis(after);
        CandleRow { candle: Candle { close, ..candle(index) }, extracted_at: Some(written) }
    }

    fn closes(rows: &[CandleRow]) -> Vec<f64> {
        closed_candles(M15, rows.to_vec()).candles.iter().map(|candle| candle.close).collect()
    }

    fn codes(rows: &[CandleRow]) -> Vec<&'static str> {
        closed_candles(M15, rows.to_vec()).refused.iter().map(|refused| refused.problem.code()).collect()
    }

    #[test]
    fn a_row_that_was_written_before_the_close_is_no_closed_candle() {
        assert_eq!(row(0, 11.0, 0).check(M15), Ok(()));
        assert_eq!(CandleRow::undated(candle(0)).check(M15), Ok(()));
        let early = row(0, 11.0, -1).check(M15).unwrap_err();
        assert_eq!(early.code(), "unfinished");
        assert!(early.to_string().contains("1970-01-01T00:14:59.999"), "{early}");
        assert_eq!(codes(&[row(0, 11.0, 0), row(1, 11.0, -1), row(2, 11.0, 9)]), ["unfinished"]);
        assert_eq!(closes(&[row(0, 10.5, 0), row(1, 11.0, -1), row(2, 11.5, 9)]), [10.5, 11.5]);
    }

    #[test]
    fn every_kind_of_bad_row_is_left_out_and_named() {
        let zero = Candle { close: 0.0, low: 0.0, ..candle(1) };
        let upside_down = Candle { high: 9.0, low: 12.0, ..candle(2) };
        let missing = Candle { volume: f64::NAN, ..candle(3) };
        let off_grid = Candle { open_time: candle(4).open_time.plus_millis(1), ..candle(4) };
        let rows = [zero, upside_down, missing, off_grid, candle(5)].map(CandleRow::undated);
        assert_eq!(codes(&rows), ["unsound", "unsound", "unsound", "off_grid"]);
        assert_eq!(closed_candles(M15, rows.to_vec()).candles, [candle(5)]);
        assert!(RowProblem::CODES.iter().all(|code| !code.is_empty()));
    }

    #[test]
    fn of_several_rows_of_a_candle_the_last_written_counts() {
        assert_eq!(closes(&[row(0, 10.5, 5), row(0, 10.5, 5)]), [10.5]);
        assert_eq!(closes(&[row(0, 10.5, 9), row(0, 11.5, 5)]), [10.5]);
        assert_eq!(closes(&[row(0, 10.5, 5), row(0, 11.5, 9)]), [11.5]);
        assert_eq!(closes(&[row(0, 10.5, -5), row(0, 11.5, 0)]), [11.5]);
        assert_eq!(closes(&[row(0, 10.5, 5), row(0, 11.5, 5), row(0, 11.0, 9)]), [11.0]);
        let undated = [10.5, 11.5].map(|close| CandleRow::undated(Candle { close, ..candle(0) }));
        for rows in [undated, [row(0, 10.5, 5), row(0, 11.5, 5)]] {
            assert_eq!(codes(&rows), ["contradicted"]);
            assert_eq!(closes(&rows), [0.0; 0]);
        }
    }

    proptest! {
        /// Whatever the rows are, what comes out is sound, closed and in order, and each candle comes out once at most.
        #[test]
        fn what_comes_out_is_sound_and_in_order(
            rows in prop::collection::vec((0..12_i64, -1..3_i64, 0..4_usize, -2..3_i64), 0..40)
        ) {
            let prices = [10.5, 0.0, f64::NAN, 11.5];
            let rows: Vec<CandleRow> = rows
                .into_iter()
                .map(|(index, shift, price, after)| {
                    let mut row = row(index, prices[price], after);
                    row.candle.open_time = row.candle.open_time.plus_millis(shift.max(0) / 2);
                    row
                })
                .collect();
            let closed = closed_candles(M15, rows.clone());
            for candle in &closed.candles {
                prop_assert_eq!(candle.check(M15), Ok(()));
                let close = M15.close_of(candle.open_time);
                prop_assert!(rows.iter().any(|row| row.candle == *candle && row.extracted_at >= Some(close)));
            }
            prop_assert!(closed.candles.windows(2).all(|pair| pair[0].open_time < pair[1].open_time));
            let mut opens: Vec<_> = rows.iter().map(|row| row.candle.open_time).collect();
            opens.sort_unstable();
            opens.dedup();
            prop_assert_eq!(closed.candles.len() + closed.refused.len(), opens.len());
            let mut shuffled = rows.clone();
            shuffled.reverse();
            prop_assert_eq!(closed_candles(M15, shuffled).candles, closed.candles);
        }
    }
}
