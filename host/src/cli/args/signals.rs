//! The arguments of `ta-bot signals`.

#![allow(clippy::doc_markdown, reason = "these are help texts, read in a terminal")]

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use ta_bot_core::{Action, StrategyId, Symbol, Timeframe, Timestamp};
use ta_bot_engine::signals::{
    cursor::Cursor,
    outbox::{SignalFilter, SignalState},
};

use super::Most;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SignalsCommand {
    /// List stored signals, newest first
    List {
        #[command(flatten)]
        wanted: SignalsWanted,
        #[command(flatten)]
        moments: MomentsWanted,
        /// Only those stored before the one with this number
        #[arg(long, value_name = "NUMBER")]
        before: Option<i64>,
        #[command(flatten)]
        most: Most,
    },
    /// Show one signal: what it says, what has become of it, and what it was made of
    Show {
        /// Its number in the list, or its id of 64 hex digits
        #[arg(value_name = "NUMBER | SIGNAL_ID")]
        which: String,
    },
    /// Print signals as they are stored, until Ctrl-C; with --json, one JSON document for each
    Tail {
        #[command(flatten)]
        wanted: SignalsWanted,
        /// Begin after this cursor, as an event of GET /api/v1/signals/stream contains it; 0: with the oldest signal
        /// [default: with what is stored from now on]
        #[arg(long, value_name = "CURSOR")]
        after: Option<Cursor>,
    },
    /// Write stored signals to a file or to stdout, in the order in which they were stored
    Export {
        #[command(flatten)]
        wanted: SignalsWanted,
        #[command(flatten)]
        moments: MomentsWanted,
        /// csv: a row for each, without the strategy's words; jsonl: a line for each with everything
        #[arg(long, value_name = "FORMAT", default_value = "csv")]
        format: SignalFormat,
        /// The file to write; an existing file is never overwritten [default: stdout]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// How signals are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SignalFormat {
    Csv,
    Jsonl,
}

/// Which signals are meant.
#[derive(Debug, Args)]
pub(in crate::cli) struct SignalsWanted {
    /// Only of this strategy
    #[arg(long, value_name = "ID")]
    strategy: Option<StrategyId>,
    /// Only of this symbol
    #[arg(long)]
    symbol: Option<Symbol>,
    /// Only of this timeframe
    #[arg(long)]
    timeframe: Option<Timeframe>,
    /// Only of this action: buy, sell, hold or close
    #[arg(long)]
    action: Option<Action>,
}

/// What has become of them, and of when they are.
#[derive(Debug, Args)]
pub(in crate::cli) struct MomentsWanted {
    /// Only in this state: waiting, published, expired or withheld
    #[arg(long)]
    state: Option<SignalState>,
    /// Only of candles that closed at this moment or later: a date, with or without a time of day (UTC, if it has no
    /// offset), or milliseconds since 1970
    #[arg(long, value_name = "MOMENT")]
    since: Option<Timestamp>,
    /// Only of candles that closed before this moment
    #[arg(long, value_name = "MOMENT")]
    until: Option<Timestamp>,
}

impl From<SignalsWanted> for SignalFilter {
    fn from(SignalsWanted { strategy, symbol, timeframe, action }: SignalsWanted) -> Self {
        Self { strategy, symbol, timeframe, action, ..Self::default() }
    }
}

impl MomentsWanted {
    /// Adds these conditions.
    pub(in crate::cli) fn within(self, filter: SignalFilter) -> SignalFilter {
        let Self { state, since, until } = self;
        SignalFilter { state, since, until, ..filter }
    }
}
