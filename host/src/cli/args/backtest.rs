//! The arguments of `ta-bot backtest`.

#![allow(clippy::doc_markdown, reason = "these are help texts, read in a terminal")]

use std::{path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum};
use serde_json::Value as Json;
use ta_bot_backtest::run::SignalFile;
use ta_bot_core::{Symbol, Timeframe, Timestamp};

/// What to evaluate, and on what.
#[derive(Debug, Args)]
pub(in crate::cli) struct BacktestWanted {
    /// The strategies: ids, digests of modules (their first digits), or files of components
    #[arg(required = true, value_name = "ID | DIGEST | FILE.wasm")]
    pub(in crate::cli) what: Vec<String>,
    /// The symbols [default: all that have candles]
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    pub(in crate::cli) symbols: Vec<Symbol>,
    /// The timeframes [default: all that have candles]
    #[arg(long, value_name = "TIMEFRAME", value_delimiter = ',')]
    pub(in crate::cli) timeframes: Vec<Timeframe>,
    /// Only candles that closed after this moment: a date, with or without a time of day (UTC, if it has no offset), or
    /// milliseconds since 1970 [default: all]
    #[arg(long, value_name = "MOMENT")]
    pub(in crate::cli) from: Option<Timestamp>,
    /// Only candles that closed at this moment or before [default: now]
    #[arg(long, value_name = "MOMENT")]
    pub(in crate::cli) to: Option<Timestamp>,
    /// A parameter instead of the configured one, for all symbols; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub(in crate::cli) set: Vec<Setting>,
    /// Files of candles instead of the store: as `candles import` reads them, named as Binance names them or
    /// SYMBOL_TIMEFRAME
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(in crate::cli) candles: Vec<PathBuf>,
    /// A JSON file of what is assumed about fees, slippage, sizes and instruments, see docs/backtest.md [default: what
    /// errs on the side of the market]
    #[arg(long, value_name = "FILE.json")]
    pub(in crate::cli) assumptions: Option<PathBuf>,
    /// The folder in which the run is kept; the same run goes on there [default: backtests/ID in DATA_DIR]
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// How the signals are written
    #[arg(long, value_enum, default_value_t = FormatWanted::Csv)]
    pub(in crate::cli) format: FormatWanted,
    /// Make an instance for each evaluation, as the service does, though a trial shows that this changes nothing
    #[arg(long)]
    pub(in crate::cli) fresh: bool,
}

/// A parameter and its value.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Setting {
    pub(in crate::cli) name: String,
    pub(in crate::cli) value: Json,
}

impl FromStr for Setting {
    type Err = String;

    /// What is no number and neither true nor false is a text.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("give NAME=VALUE, such as period=10")?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        Ok(Self { name: name.trim().to_owned(), value })
    }
}

/// In which form signals are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FormatWanted {
    /// signals.csv: a table
    Csv,
    /// signals.jsonl: each message as it would have been sent
    Jsonl,
    /// signals.parquet: the table and the messages
    Parquet,
}

impl FormatWanted {
    /// The name of the file.
    pub(in crate::cli) const fn file(self) -> &'static str {
        match self {
            Self::Csv => "signals.csv",
            Self::Jsonl => "signals.jsonl",
            Self::Parquet => "signals.parquet",
        }
    }
}

impl From<FormatWanted> for SignalFile {
    fn from(format: FormatWanted) -> Self {
        match format {
            FormatWanted::Csv => Self::Csv,
            FormatWanted::Jsonl => Self::Jsonl,
            FormatWanted::Parquet => Self::Parquet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_name_and_a_value() {
        let read = |text: &str| text.parse::<Setting>().map(|setting| (setting.name, setting.value));
        assert_eq!(read("period=10"), Ok(("period".to_owned(), 10.into())));
        assert_eq!(read("fast=0.5"), Ok(("fast".to_owned(), 0.5.into())));
        assert_eq!(read("is_on=true"), Ok(("is_on".to_owned(), true.into())));
        assert_eq!(read("mode=a=b"), Ok(("mode".to_owned(), "a=b".into())));
        assert!(read("period").unwrap_err().contains("NAME=VALUE"));
    }
}
