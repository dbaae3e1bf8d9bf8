//! Reads files of candles into the store: `ta-bot candles import FILE... --symbol BTCUSDT --timeframe 15m`.
//!
//! The kinds of file are told apart by their content: ours, with the header `open_time_ms,open,high,low,close,volume`;
//! the klines that Binance publishes, with 12 columns, with or without a header, and with times in milliseconds or
//! (since 2025) in microseconds; and tables with a header as TradingView and pandas write them. Each may be the only
//! file in a zip. A Parquet file is read like a table with its columns.
//!
//! Files are imported whole or not at all, and what is wrong with them is reported by line: a strategy that is tested
//! on half a file, or on candles in the wrong order, gives answers that look right. If the caller asks for it, sound
//! rows are taken and the others named. What a file says of itself, by its name, its close times and the time between
//! its candles, is compared with what the caller says of it. If the last candle is still open, it is left out and
//! reported, since anybody who downloads candles up to now has one at the end. A candle that opens later than now is an
//! error.

use std::path::{Path, PathBuf};

use serde::Serialize;
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};

use crate::market::candles::Candles;

mod check;
mod error;
mod gather;
mod lines;
mod names;
mod parquet;
mod row;
mod source;
#[cfg(test)]
mod tests;

pub use error::{FileProblem, ImportError, LineProblem};
pub use gather::{FileHole, FileSummary, Files, Gathered, gather};

use check::FileOrder;
use lines::Lines;
use row::Layout;

/// How many bad rows of a file are named.
const MOST_BAD_ROWS: usize = 1_000;

/// How far the reading has come, in bytes of text. The total is 0 if it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many bytes have been read.
    pub read: u64,
    /// How many bytes there are.
    pub total: u64,
}

/// The candles of a file, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct CandleFile {
    /// Closed candles, oldest first, at least one.
    pub candles: Vec<Candle>,
    /// When the last candle of the file opened, if it is still open and therefore left out.
    pub still_open: Option<Timestamp>,
    /// How many candles are missing between the first and the last.
    pub missing: u64,
    /// The rows that were left out.
    pub skipped: Skipped,
}

/// The rows of a file that are no candles and were left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Skipped {
    /// How many there are.
    pub count: u64,
    /// The first of them, at most a thousand.
    pub named: Vec<BadRow>,
}

/// A row that is no candle.
#[derive(Debug, Clone, PartialEq)]
pub struct BadRow {
    /// Its line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: LineProblem,
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ImportSummary {
    /// How many closed candles the file holds.
    pub rows: u64,
    /// How many of them were not in the store before.
    pub new: u64,
    /// How many of them were already there with the same numbers.
    pub same: u64,
    /// How many of them were already there with other numbers. The stored numbers were kept.
    pub different: u64,
    /// When the first closed candle of the file opened.
    pub first: Timestamp,
    /// When the last closed candle of the file opened.
    pub last: Timestamp,
    /// How many candles are missing between those two.
    pub missing: u64,
    /// When the last candle of the file opened, if it is still open and was left out.
    pub still_open: Option<Timestamp>,
}

/// Imports a file of candles. `progress` is called while the file is read. Nothing is stored before the whole file is
/// read and checked.
pub async fn import(
    store: &Candles,
    path: &Path,
    symbol: &Symbol,
    timeframe: Timeframe,
    mut progress: impl FnMut(Progress) + Send + 'static,
) -> Result<ImportSummary, ImportError> {
    let owned: PathBuf = path.to_owned();
    let reading = move || read(&owned, timeframe, Timestamp::now(), &mut progress);
    let file =
        tokio::task::spawn_blocking(reading).await.map_err(|error| ImportError::Stopped(error.to_string()))??;
    let inserted = store.insert(symbol, timeframe, &file.candles).await?;
    let open = |candle: Option<&Candle>| candle.map_or(Timestamp::from_millis(0), |candle| candle.open_time);
    Ok(ImportSummary {
        rows: file.candles.len() as u64,
        new: inserted.new,
        same: inserted.same,
        different: inserted.different,
        first: open(file.candles.first()),
        last: open(file.candles.last()),
        missing: file.missing,
        still_open: file.still_open,
    })
}

/// Reads and checks a file of candles as of `now`. Blocks.
pub fn read(
    path: &Path,
    timeframe: Timeframe,
    now: Timestamp,
    progress: &mut dyn FnMut(Progress),
) -> Result<CandleFile, ImportError> {
    read_with(path, timeframe, now, false, progress)
}

/// Like [`read`]. With `skip_bad`, rows that are no candles are left out and named, unless there are more of them than
/// of the others.
fn read_with(
    path: &Path,
    timeframe: Timeframe,
    now: Timestamp,
    skip_bad: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<CandleFile, ImportError> {
    let series = FileOrder::new(timeframe, now, skip_bad);
    let parsed = source::parquet(path).and_then(|file| match file {
        Some(file) => parquet::parse(file, series, progress),
        None => source::with_text(path, source::TEXT_LIMIT, progress, |text| parse(Lines::new(text), series)),
    });
    parsed.map_err(|problem| ImportError::File { path: path.to_owned(), problem })
}

/// Parses the lines of a file into candles.
fn parse(mut lines: Lines<'_>, mut series: FileOrder) -> Result<CandleFile, FileProblem> {
    let Some((line, first)) = lines.next_line()? else { return Err(FileProblem::Empty) };
    let first = first.map_err(|problem| FileProblem::Line { line, problem })?;
    let (layout, is_header) = Layout::of(first).map_err(|problem| FileProblem::Line { line, problem })?;
    if !is_header {
        series.take(line, layout.row(first))?;
    }
    while let Some((line, text)) = lines.next_line()? {
        series.take(line, text.and_then(|text| layout.row(text)))?;
    }
    series.finish()
}
