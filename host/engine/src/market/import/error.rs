//! What can be wrong with a file of candles. Each error says where it is, what was given and what is allowed.

use std::{fmt, io, path::PathBuf};

use ta_bot_core::{CandleError, RowProblem, Timeframe, Timestamp};
use thiserror::Error;

use crate::support::store_error::StoreError;

/// Stands for the list of timeframes in an error.
struct TimeframeHelp;

impl fmt::Display for TimeframeHelp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Timeframe::ALL.into_iter().map(Timeframe::as_str).collect();
        write!(f, "there are {}", names.join(", "))
    }
}

fn also(more: u64) -> String {
    if more == 0 { String::new() } else { format!(" and of {more} more") }
}

/// What a close time says, in the words of timeframes if there is one of that length.
fn told_of_close(open: Timestamp, close: Timestamp, timeframe: Timeframe) -> String {
    let length = close.millis() - open.millis();
    let named = Timeframe::ALL.into_iter().find(|named| (0..=1_000).contains(&(named.millis() - length)));
    let (is_of, remedy) = if let Some(named) = named {
        (format!("a candle of {named}"), format!("give --timeframe {named}"))
    } else {
        let days = length as f64 / 86_400_000.0;
        let told = if (27.5..31.5).contains(&days) { "a month".to_owned() } else { format!("{days:.3} days") };
        (told, "give a file of this timeframe".to_owned())
    };
    format!(
        "the file itself says that the candle that opened {open} closed {close}: that is {is_of}, and --timeframe says \
         {timeframe}. If the file is right, {remedy}"
    )
}

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
    /// Several files are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<Self>),
    /// Two files say something else of the same candle.
    #[error(
        "{} and {} have other numbers of the {timeframe} candle that opened {open}{}: import the right one by itself. \
         Nothing was imported",
        one.display(), other.display(), also(*more)
    )]
    Contradicting {
        /// One of the files.
        one: PathBuf,
        /// The other one.
        other: PathBuf,
        /// The timeframe.
        timeframe: Timeframe,
        /// The first such candle.
        open: Timestamp,
        /// How many more such candles there are.
        more: u64,
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
    /// It is a Parquet file that can't be used.
    #[error("the Parquet file {0}")]
    Parquet(String),
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
    /// Its name does not say what it holds, and the caller did not either.
    #[error(
        "give {0}: its name is not one of Binance's, such as BTCUSDT-15m-2026-01.zip or BTCUSDT-15m-2026-01-31.csv"
    )]
    Unnamed(&'static str),
    /// Its name says another timeframe than the caller.
    #[error(
        "its name says {named}, and --timeframe says {timeframe}: give the file's own --timeframe, or rename the file if \
         its name is wrong"
    )]
    NamedOtherwise {
        /// The timeframe of the name.
        named: String,
        /// What was asked for.
        timeframe: Timeframe,
    },
    /// Its name says a timeframe that there is not.
    #[error("its name says {named}, and no strategy runs on that: {}", TimeframeHelp)]
    NoTimeframe {
        /// The timeframe of the name.
        named: String,
    },
    /// Most of its rows are bad, which is no accident of single rows.
    #[error(
        "{bad} rows are bad and {sound} are sound, so it may be another kind of file; line {line}: {problem}. Nothing was \
         imported"
    )]
    MostlyBad {
        /// How many rows are bad.
        bad: u64,
        /// How many are sound.
        sound: u64,
        /// The first line that is bad.
        line: u64,
        /// What is wrong with it.
        problem: LineProblem,
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
        "{given:?} is no header: the first line has to be open_time_ms,open,high,low,close,volume (time, timestamp or \
         date stand for the first one too, and other columns may be there), or the file Binance's klines in 12 columns"
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
    /// The open time is neither a date nor a number.
    #[error(
        "the time is {given:?}: give a date such as 2026-01-01 00:15:00 (UTC, if it has no offset), or a number of \
         seconds, milliseconds, microseconds or nanoseconds since 1970"
    )]
    NoDate {
        /// What was given.
        given: String,
    },
    /// The close time is not a time.
    #[error("the close time is {given:?}: give it as the open time is given, or leave the column away")]
    NoCloseTime {
        /// What was given.
        given: String,
    },
    /// The file's own close time is that of another timeframe.
    #[error("{}", told_of_close(*open, *close, *timeframe))]
    OtherClose {
        /// When the candle opened.
        open: Timestamp,
        /// When it closed by the file's own account.
        close: Timestamp,
        /// What was asked for.
        timeframe: Timeframe,
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
