//! Checks that candles make a series: each is sound, on the timeframe's grid, after the one before it, and closed.

use std::mem;

use ta_bot_core::{Candle, RowProblem, Timeframe, Timestamp};

use super::{BadRow, CandleFile, FileProblem, LineProblem, MOST_BAD_ROWS, Skipped, row::Row};

/// How long before its end a candle may close by the file's own account: Binance writes the last millisecond (or
/// microsecond) of a candle, other writers the last second.
const BEFORE_THE_END: i64 = 1_000;

/// A series while it is being read.
pub(super) struct FileOrder {
    timeframe: Timeframe,
    now: Timestamp,
    skips_bad: bool,
    candles: Vec<Candle>,
    still_open: Option<Candle>,
    /// The line of the last candle.
    last_line: u64,
    /// The open time of the last rows that contradicted each other.
    contradicted: Option<Timestamp>,
    skipped: Skipped,
}

impl FileOrder {
    pub(super) const fn new(timeframe: Timeframe, now: Timestamp, skips_bad: bool) -> Self {
        Self {
            timeframe,
            now,
            skips_bad,
            candles: Vec::new(),
            still_open: None,
            last_line: 0,
            contradicted: None,
            skipped: Skipped { count: 0, named: Vec::new() },
        }
    }

    /// Takes what was found in a line: the next row of the file, or why there is none.
    pub(super) fn take(&mut self, line: u64, row: Result<Row, LineProblem>) -> Result<(), FileProblem> {
        match row.and_then(|row| self.add(row)) {
            Ok(()) => {
                self.last_line = line;
                Ok(())
            }
            Err(problem) if self.skips_bad => {
                self.skip(line, problem);
                Ok(())
            }
            Err(problem) => Err(FileProblem::Line { line, problem }),
        }
    }

    /// Leaves a row out. Of two rows of one candle with other numbers, nobody can know which one is right, so both go.
    fn skip(&mut self, line: u64, problem: LineProblem) {
        if let LineProblem::Row(RowProblem::Contradicted { .. }) = problem
            && self.contradicted.is_none()
        {
            let gone = self.still_open.take().or_else(|| self.candles.pop());
            self.contradicted = gone.map(|candle| candle.open_time);
            let above = mem::take(&mut self.last_line);
            self.name(above, problem.clone());
        }
        self.name(line, problem);
    }

    fn name(&mut self, line: u64, problem: LineProblem) {
        self.skipped.count += 1;
        if self.skipped.named.len() < MOST_BAD_ROWS {
            self.skipped.named.push(BadRow { line, problem });
        }
    }

    fn add(&mut self, Row { candle, close_time }: Row) -> Result<(), LineProblem> {
        candle.check(self.timeframe)?;
        let open = candle.open_time;
        let end = self.timeframe.close_of(open);
        if let Some(close) = close_time
            && !(0..=BEFORE_THE_END).contains(&(end.millis() - close.millis()))
        {
            return Err(LineProblem::OtherClose { open, close, timeframe: self.timeframe });
        }
        if self.contradicted == Some(open) {
            return Err(RowProblem::Contradicted { rows: 2 }.into());
        }
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
        self.contradicted = None;
        if end > self.now {
            self.still_open = Some(candle);
        } else {
            self.candles.push(candle);
        }
        Ok(())
    }

    /// Returns the series, if it is one. Candles of a longer timeframe lie on the grid of a shorter one, so three or
    /// more candles of which no two follow each other directly are taken for candles of another timeframe.
    pub(super) fn finish(self) -> Result<CandleFile, FileProblem> {
        let Self { timeframe, candles, skipped, .. } = self;
        let still_open = self.still_open.map(|candle| candle.open_time);
        let (bad, sound) = (skipped.count, candles.len() as u64);
        if bad > sound
            && let Some(BadRow { line, problem }) = skipped.named.first().cloned()
        {
            return Err(FileProblem::MostlyBad { bad, sound, line, problem });
        }
        if candles.is_empty() {
            return Err(still_open.map_or(FileProblem::Empty, FileProblem::OnlyOpen));
        }
        let apart = |pair: &[Candle]| pair[1].open_time.millis() - pair[0].open_time.millis();
        let nearest = candles.windows(2).map(apart).min().unwrap_or(i64::MAX);
        if candles.len() > 2 && nearest > timeframe.millis() {
            return Err(FileProblem::OtherTimeframe { timeframe, nearest });
        }
        let missing = candles.windows(2).map(|pair| (apart(pair) / timeframe.millis()) as u64 - 1).sum();
        Ok(CandleFile { candles, still_open, missing, skipped })
    }
}
