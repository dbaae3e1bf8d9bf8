//! Checks that candles make a series: each is sound, on the timeframe's grid, after the one before it, and closed.

use ta_bot_core::{Candle, RowProblem, Timeframe, Timestamp};

use super::{CandleFile, FileProblem, LineProblem};

/// A series while it is being read.
pub(super) struct FileOrder {
    timeframe: Timeframe,
    now: Timestamp,
    candles: Vec<Candle>,
    still_open: Option<Candle>,
    missing: u64,
    /// The shortest time between two candles, in milliseconds.
    nearest: i64,
}

impl FileOrder {
    pub(super) const fn new(timeframe: Timeframe, now: Timestamp) -> Self {
        Self { timeframe, now, candles: Vec::new(), still_open: None, missing: 0, nearest: i64::MAX }
    }

    /// Takes the next candle of the file.
    pub(super) fn add(&mut self, candle: Candle) -> Result<(), LineProblem> {
        candle.check(self.timeframe)?;
        let open = candle.open_time;
        let above = self.still_open.or_else(|| self.candles.last().copied());
        if let Some(above) = above {
            // As in a store: equal rows count as one, and of two others nobody can know which one is right.
            if candle == above {
                return Ok(());
            }
            if open == above.open_time {
                return Err(RowProblem::Contradicted { rows: 2 }.into());
            }
            if open < above.open_time {
                return Err(LineProblem::Disordered { open, above: above.open_time });
            }
        }
        if open > self.now {
            return Err(LineProblem::Future { open, now: self.now });
        }
        if self.timeframe.close_of(open) > self.now {
            self.still_open = Some(candle);
            return Ok(());
        }
        if let Some(above) = above {
            let apart = open.millis() - above.open_time.millis();
            self.nearest = self.nearest.min(apart);
            self.missing += (apart / self.timeframe.millis()) as u64 - 1;
        }
        self.candles.push(candle);
        Ok(())
    }

    /// Returns the series, if it is one. Candles of a longer timeframe lie on the grid of a shorter one, so three or
    /// more candles of which no two follow each other directly are taken for candles of another timeframe.
    pub(super) fn finish(self) -> Result<CandleFile, FileProblem> {
        let still_open = self.still_open.map(|candle| candle.open_time);
        if self.candles.is_empty() {
            return Err(still_open.map_or(FileProblem::Empty, FileProblem::OnlyOpen));
        }
        if self.candles.len() > 2 && self.nearest > self.timeframe.millis() {
            return Err(FileProblem::OtherTimeframe { timeframe: self.timeframe, nearest: self.nearest });
        }
        Ok(CandleFile { candles: self.candles, still_open, missing: self.missing })
    }
}
