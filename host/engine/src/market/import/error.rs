//! What can be wrong with a file of candles. Each error says where it is, what was given and what is allowed.

use std::{io, path::PathBuf};

use ta_bot_core::{CandleError, RowProblem, Timeframe, Timestamp};
use thiserror::Error;

use crate::support::store_error::StoreError;

/// Why nothing was imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file is wrong.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: FileProblem,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reading stopped before the end of the file.
    #[error("the reading was stopped: {0}")]
    Stopped(String),
}

/// What is wrong with a file.
#[derive(Debug, Error)]
pub enum FileProblem {
    /// It is not there.
    #[error("there is no such file")]
    Missing,
    /// It is a directory.
    #[error("this is a directory: give one CSV file, or a zip with one CSV in it")]
    Directory,
    /// The operating system can't read it.
    #[error("can't be read: {0}")]
    Unreadable(io::Error),
    /// It is packed with something other than zip.
    #[error("this is packed with {0}: unpack it, or give a zip with one CSV in it")]
    Packed(&'static str),
    /// It is a zip that can't be used.
    #[error("the zip {0}")]
    Zip(String),
    /// Its text is too long.
    #[error("holds more than {limit} bytes of text: split it")]
    TooLarge {
        /// What is allowed.
        limit: u64,
    },
    /// It has no candles.
    #[error(
        "holds no candles: give rows of open_time_ms,open,high,low,close,volume below that header, or Binance's klines"
    )]
    Empty,
    /// The only candle is not closed yet.
    #[error("its only candle, opened {0}, is still open: import it when it has closed")]
    OnlyOpen(Timestamp),
    /// No two candles follow each other.
    #[error(
        "no two of its candles are {timeframe} apart, the nearest are {} minutes apart: give the file's \
         own --timeframe",
        nearest / 60_000
    )]
    OtherTimeframe {
        /// What was asked for.
        timeframe: Timeframe,
        /// How near the nearest candles are, in milliseconds.
        nearest: i64,
    },
    /// A line is wrong.
    #[error("line {line}: {problem}. Nothing was imported")]
    Line {
        /// Which line, counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: LineProblem,
    },
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum LineProblem {
    /// It is not text.
    #[error("this is {0}: give a CSV file in UTF-8, or a zip with one in it")]
    NotText(&'static str),
    /// It is too long to be a candle.
    #[error("is longer than {limit} bytes: give one candle to a line")]
    TooLong {
        /// What is allowed.
        limit: usize,
    },
    /// It is the first line, and is neither a header nor a row of Binance's.
    #[error(
        "{given:?} is no header: the first line has to be open_time_ms,open,high,low,close,volume, or the file \
         Binance's klines in 12 columns"
    )]
    NoHeader {
        /// How the line begins.
        given: String,
    },
    /// It has too few or too many columns.
    #[error("the number of columns is {given}: it must be {expected}, divided by commas")]
    Columns {
        /// How many it has.
        given: usize,
        /// How many the first line has.
        expected: usize,
    },
    /// A column is not a number.
    #[error("{column} is {given:?}: give a number with a decimal point, such as 50000.5")]
    NotANumber {
        /// Which column.
        column: &'static str,
        /// What was given.
        given: String,
    },
    /// The open time is not a whole number.
    #[error("the open time is {given:?}: give whole milliseconds since 1970, such as 1767226500000")]
    NotATime {
        /// What was given.
        given: String,
    },
    /// The open time can't be in milliseconds.
    #[error("the open time is {given}, in the year 1973 or before: give milliseconds since 1970, not seconds")]
    TooEarly {
        /// What was given.
        given: i64,
    },
    /// The candle is older than the one before it.
    #[error("the candle opened {open}, before the one above it ({above}): order the file by time, oldest first")]
    Disordered {
        /// Which candle.
        open: Timestamp,
        /// The open time of the one above.
        above: Timestamp,
    },
    /// The candle opens later than now.
    #[error(
        "the candle opens {open}, but now is {now}: give candles of the past, in milliseconds, and check the clock"
    )]
    Future {
        /// Which candle.
        open: Timestamp,
        /// The moment of the import.
        now: Timestamp,
    },
    /// The line is no candle of the timeframe.
    #[error(transparent)]
    Candle(#[from] CandleError),
    /// The line says something else of the candle than the line above.
    #[error(transparent)]
    Row(#[from] RowProblem),
}
