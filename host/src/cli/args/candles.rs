//! The arguments of `ta-bot candles`.

#![allow(clippy::doc_markdown, reason = "these are help texts, read in a terminal")]

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ta_bot_core::{StrategyId, Symbol, Timeframe, Timestamp};

use super::{
    Most,
    modules::{name, reason},
};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CandlesCommand {
    /// Import files of candles: CSV with the header open_time_ms,open,high,low,close,volume; Binance's klines; tables
    /// of TradingView or pandas, each of which may be zipped; Parquet
    Import(FilesWanted),
    /// Write the candles of a series as CSV or Parquet that `candles import` reads: with every digit, so that the same
    /// bytes are stored
    Export(ExportWanted),
    /// List what the store holds, by symbol and timeframe
    List,
    /// List closed candles that changed after a service had read them, newest first
    Revisions {
        /// Only of this symbol
        #[arg(long)]
        symbol: Option<Symbol>,
        /// Only of this timeframe
        #[arg(long)]
        timeframe: Option<Timeframe>,
        #[command(flatten)]
        most: Most,
    },
    /// Replace stored candles by those of files, or say what that would do: which candles change, and which finished
    /// jobs and published signals rested on them
    Replace(ReplaceWanted),
    /// Delete stored candles, or say what that would do
    Delete(DeleteWanted),
    /// List changes of candles by hand, newest first
    Repairs(Most),
    /// Have the jobs decided again that rested on what a repair has changed, as --redecide does: later, or once more
    /// after it was interrupted
    Redecide {
        /// The number of the repair, see `candles repairs`
        #[arg(value_name = "REPAIR")]
        repair: i64,
    },
    /// List what strategies decide on the candles after a repair, oldest candle first
    Redecisions(RedecisionsWanted),
}

/// Which files to read, and as what.
#[derive(Debug, Args)]
pub(in crate::cli) struct FilesWanted {
    /// The files, in any order
    #[arg(required = true, value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// The symbol of the candles, such as BTCUSDT [default: what Binance's names say, such as BTCUSDT-15m-2026-01.zip]
    #[arg(long)]
    pub(in crate::cli) symbol: Option<Symbol>,
    /// The timeframe of the candles, such as 15m [default: what Binance's names say]
    #[arg(long)]
    pub(in crate::cli) timeframe: Option<Timeframe>,
    /// Take the sound rows and name the others, instead of importing nothing
    #[arg(long)]
    pub(in crate::cli) skip_bad: bool,
}

/// What to export.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportWanted {
    /// The symbol of the candles, such as BTCUSDT
    #[arg(long)]
    pub(in crate::cli) symbol: Symbol,
    /// The timeframe of the candles, such as 15m
    #[arg(long)]
    pub(in crate::cli) timeframe: Timeframe,
    /// Only candles that opened at this moment or later: a date, with or without a time of day (UTC, if it has no
    /// offset), or milliseconds since 1970
    #[arg(long, value_name = "MOMENT")]
    pub(in crate::cli) since: Option<Timestamp>,
    /// Only candles that opened before this moment
    #[arg(long, value_name = "MOMENT")]
    pub(in crate::cli) until: Option<Timestamp>,
    /// The file to write, as Parquet if its name ends in .parquet [default: CSV to stdout]; an existing file is never
    /// overwritten
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
}

/// The arguments of `candles replace`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReplaceWanted {
    #[command(flatten)]
    pub(in crate::cli) files: FilesWanted,
    #[command(flatten)]
    pub(in crate::cli) terms: RepairTerms,
}

/// The arguments of `candles delete`.
#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteWanted {
    /// The symbol of the candles, such as BTCUSDT
    #[arg(long)]
    pub(in crate::cli) symbol: Symbol,
    /// The timeframe of the candles, such as 15m
    #[arg(long)]
    pub(in crate::cli) timeframe: Timeframe,
    /// Candles that opened at this moment or later: a date, with or without a time of day (UTC, if it has no offset),
    /// or milliseconds since 1970
    #[arg(long, alias = "from", value_name = "MOMENT")]
    pub(in crate::cli) since: Timestamp,
    /// Candles that opened before this moment
    #[arg(long, alias = "to", value_name = "MOMENT")]
    pub(in crate::cli) until: Timestamp,
    #[command(flatten)]
    pub(in crate::cli) terms: RepairTerms,
}

/// How candles are changed by hand.
#[derive(Debug, Args)]
pub(in crate::cli) struct RepairTerms {
    /// Make the change; without it, only say what it would do
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// Have the affected jobs decided again on the new candles, and store that beside what was decided; this publishes
    /// nothing
    #[arg(long, requires = "yes")]
    pub(in crate::cli) redecide: bool,
    /// Change candles that another service writes: those of MySQL are the Data Extractor's, which may undo it
    #[arg(long)]
    pub(in crate::cli) in_foreign_tables: bool,
    /// Who changes it [default: the user's name, or cli if that is unknown]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(in crate::cli) by: Option<String>,
    /// Why it is changed
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(in crate::cli) reason: Option<String>,
}

/// The arguments of `candles redecisions`.
#[derive(Debug, Args)]
pub(in crate::cli) struct RedecisionsWanted {
    /// The number of the repair, see `candles repairs`
    #[arg(value_name = "REPAIR")]
    pub(in crate::cli) repair: i64,
    /// Only of this strategy
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) strategy: Option<StrategyId>,
    /// Only of this symbol
    #[arg(long)]
    pub(in crate::cli) symbol: Option<Symbol>,
    /// Only on candles that closed after this moment
    #[arg(long, value_name = "MOMENT")]
    pub(in crate::cli) after: Option<Timestamp>,
    #[command(flatten)]
    pub(in crate::cli) most: Most,
}
