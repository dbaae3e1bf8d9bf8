//! The arguments of the command line.

#![allow(clippy::doc_markdown, reason = "these are help texts, read in a terminal")]

use std::{ops::RangeInclusive, path::PathBuf};

use clap::{Args, Parser, Subcommand, builder::RangedI64ValueParser};
use ta_bot_core::{FailureId, StrategyId, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    supervision::costs::CostBy,
    support::store_error::{DEFAULT_LIST_LIMIT, LIST_LIMITS},
};

mod author;
mod backtest;
mod candles;
mod digits;
mod migrate;
mod modules;
mod signals;

pub(super) use author::{BuildWanted, Language, NewWanted, PushWanted, TestWanted, WatchWanted};
pub(super) use backtest::{BacktestWanted, FormatWanted, Setting};
pub(super) use candles::{
    CandlesCommand, DeleteWanted, ExportWanted, FilesWanted, RedecisionsWanted, RepairTerms, ReplaceWanted,
};
pub(super) use digits::{Chosen, Digits};
pub(super) use migrate::{LeftOutWanted, MigrateCommand, MigrateTerms};
pub(super) use modules::{ChangeWanted, CompareWanted, ModulesCommand, ShadowTerms};
pub(super) use signals::{SignalFormat, SignalsCommand};

const AFTER_HELP: &str = "\
Everything else is set by environment variables, such as HTTP_ADDR, DATA_DIR, STRATEGIES_DIR, SUPPORTED_SYMBOLS and
LOG_LEVEL. Commands other than serve log only where LOG_LEVEL is set.

Exit codes: 0 done, 1 failed, 2 wrong usage or a wrong environment variable; replay has its own, see its help.

With --json, stdout is one JSON document, also where a command fails: {\"error\": {\"code\", \"message\", \"details\"}}.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "ta-bot",
    version,
    about = "Runs trading strategies as sandboxed WebAssembly components",
    after_help = AFTER_HELP,
    infer_long_args = false,
    arg_required_else_help = true
)]
pub(super) struct CommandLine {
    #[command(flatten)]
    pub(super) options: Options,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The options of every command.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Answer with one JSON document on stdout
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// The folder of the database and the compiled modules, instead of DATA_DIR
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(super) data_dir: Option<PathBuf>,
    /// The folder of the strategies' modules, instead of STRATEGIES_DIR
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(super) strategies_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the service
    Serve {
        /// Invent a market: THE CANDLES ARE MADE UP and close every second, whatever the timeframe's real length
        ///
        /// They go into the store in DATA_DIR like real ones and stay there, so use a separate DATA_DIR.
        #[arg(long)]
        simulate: bool,
        /// How often a made-up candle of each symbol closes, in milliseconds
        #[arg(long, value_name = "MS", default_value_t = 1000, requires = "simulate", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
        simulate_every_ms: u64,
    },
    /// Begin a strategy of your own: a project that stands alone, with its tests, sample candles and the SDK
    New(NewWanted),
    /// Build the component of a project, and say which tool is missing
    Build(BuildWanted),
    /// Run a project's native tests, build it, and run its cases in the sandbox
    ///
    /// The exit code is 1 if one of them fails.
    Test(TestWanted),
    /// Build a project again whenever one of its files is saved, and show which signals came, went and changed
    ///
    /// It goes on until Ctrl-C. With --json, each build is a document on a line of its own.
    Watch(WatchWanted),
    /// Upload a component to a service, wait until it is checked, and say what it would have changed; then let it
    /// decide, or look on
    ///
    /// The service asks for a token of the role operator in TA_BOT_TOKEN. Without one the key in DATA_DIR is taken,
    /// which a service on this machine knows if it has no tokens. The exit code is 1 if the component is not admitted.
    Push(PushWanted),
    /// Import, export, list and mend candles, and list those that changed
    #[command(subcommand)]
    Candles(CandlesCommand),
    /// Evaluate one candle of the local store with every enabled strategy; nothing is published
    Analyze {
        /// The symbol of the candle, such as BTCUSDT
        symbol: Symbol,
        /// The timeframe of the candle, such as 15m
        timeframe: Timeframe,
        /// Take the newest candle that had closed at this moment: a date, with or without a time of day (UTC, if it
        /// has no offset), or milliseconds since 1970 [default: now]
        #[arg(long)]
        at: Option<Timestamp>,
    },
    /// Make a stored signal again from the same module, parameters and candles, and compare the bytes; or run the
    /// bundle of a failure again, and compare how it fails
    ///
    /// Exit codes: 0 equal, 3 different, 4 impossible because an input no longer exists, 1 no such signal or failed.
    Replay {
        /// A signal_id of 64 hex digits, or the file of a failure's bundle (- for stdin)
        #[arg(value_name = "SIGNAL_ID | BUNDLE.json")]
        what: PathBuf,
        /// For a bundle: the component that failed [default: the one in STRATEGIES_DIR or DATA_DIR that has its digest]
        #[arg(long, value_name = "FILE.wasm")]
        module: Option<PathBuf>,
    },
    /// Evaluate strategies over the past as the service would have, and keep every signal
    ///
    /// Ctrl-C keeps what is done; the same command goes on from there.
    Backtest(BacktestWanted),
    /// List what evaluations of jobs cost, the most expensive first
    Costs(CostsWanted),
    /// Remove what is older than it is to be kept (RETENTION_*_DAYS), as the leader of a service does every hour
    ///
    /// A service that is running may go on meanwhile. Exit codes: 0 done, 1 something could not be removed or looked
    /// at.
    Prune {
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
    /// List evaluations that failed, and download the bundle of one
    #[command(subcommand)]
    Failures(FailuresCommand),
    /// List, show, follow and export the stored signals
    #[command(subcommand)]
    Signals(SignalsCommand),
    /// Compare the signals that count as published with the stream on NATS
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// List, show and document the strategies in STRATEGIES_DIR
    #[command(subcommand)]
    Strategies(StrategiesCommand),
    /// Inspect, check and sign modules, upload and compare them, and choose which of them decides
    #[command(subcommand)]
    Modules(ModulesCommand),
    /// Take over what the service before this one stored: say what would count, and write what makes strategies run
    Migrate {
        /// What to do; without it, plan
        #[command(subcommand)]
        command: Option<MigrateCommand>,
    },
    /// Look at everything that the service needs, before its first start or beside it: say what is wrong and what to do
    ///
    /// Exit codes: 0 nothing is wrong (there may be warnings), 1 something is wrong, 2 wrong usage. Nothing is changed.
    Doctor {
        /// Also ask the service that listens there, such as http://127.0.0.1:8080 [default: TA_BOT_URL]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// The same as `modules check`: load a module in the sandbox and say whether it is fit to run
    Check {
        /// The component
        file: PathBuf,
    },
    /// Print the key in DATA_DIR, which modules are changed with over the API of a service that has no API_TOKENS_FILE:
    /// curl -H "Authorization: Bearer $(ta-bot local-key)"
    LocalKey,
    /// Print the version
    Version,
}

#[derive(Debug, Subcommand)]
pub(super) enum FailuresCommand {
    /// List evaluations that failed in jobs, newest first: the newest 200 of each module
    List {
        /// Only of this strategy
        #[arg(long, value_name = "ID")]
        strategy: Option<StrategyId>,
        /// Only of this module: its digest, or at least the first 6 digits of it
        #[arg(long, value_name = "DIGEST")]
        module: Option<Digits>,
        /// Only of this symbol
        #[arg(long)]
        symbol: Option<Symbol>,
        #[command(flatten)]
        most: Most,
    },
    /// Write the bundle of a failure into a file: everything that the failure followed from, for `ta-bot replay`
    Download {
        /// The id of the failure, 64 hex digits
        #[arg(value_name = "FAILURE_ID")]
        id: FailureId,
        /// The file to write; an existing file is never overwritten
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum OutboxCommand {
    /// Say which signals count as published and are not in the stream; exit code 1 if some are missing
    Verify {
        /// Only signals that were stored within this many hours
        #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=168))]
        hours: u32,
        /// Send those that are missing again, unless they are too old; PLAIN SUBSCRIBERS MAY SEE THEM A SECOND TIME
        #[arg(long)]
        republish: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum StrategiesCommand {
    /// List the strategies
    List,
    /// Show one strategy: what it does, and its parameters
    Show {
        /// The id of the strategy, such as rsi
        id: StrategyId,
        /// Show the parameters that count for this symbol, and from which level each comes
        #[arg(long)]
        symbol: Option<Symbol>,
    },
    /// Write a page for each strategy, with a chart of a signal that it gives on these candles; needs no database
    Docs(DocsWanted),
    /// Compile the strategies into a new folder, for COMPILED_DIR on machines of this kind, as the image does it
    ///
    /// It is for modules that are trusted: they are compiled in this process. The folder has to be given to root or to
    /// the user of the service, and to nobody else for writing.
    Compile {
        /// The folder to make
        #[arg(long, value_name = "FOLDER")]
        output: PathBuf,
    },
}

/// How long a list may be.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Most {
    /// How many to list at most
    #[arg(long, value_name = "N", default_value_t = DEFAULT_LIST_LIMIT, value_parser = within(&LIST_LIMITS))]
    pub(super) limit: u32,
}

/// A whole number in a range.
fn within(range: &RangeInclusive<u32>) -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(*range.start())..=i64::from(*range.end()))
}

/// Which costs to list.
#[derive(Debug, Args)]
pub(super) struct CostsWanted {
    /// What to sum up by: strategy, module or symbol
    #[arg(long, value_name = "WHAT", default_value = "strategy")]
    pub(super) by: CostBy,
    /// Only of this strategy
    #[arg(long, value_name = "ID")]
    pub(super) strategy: Option<StrategyId>,
    /// Only of this module: its digest, or at least the first 6 digits of it
    #[arg(long, value_name = "DIGEST")]
    pub(super) module: Option<Digits>,
    /// Only of this symbol
    #[arg(long)]
    pub(super) symbol: Option<Symbol>,
    /// From the beginning of the hour of this moment on: a date, with or without a time of day (UTC, if it has no
    /// offset), or milliseconds since 1970 [default: 24 hours ago]
    #[arg(long, value_name = "MOMENT")]
    pub(super) since: Option<Timestamp>,
    #[command(flatten)]
    pub(super) most: Most,
}

/// The arguments of `strategies docs`.
#[derive(Debug, Args)]
pub(super) struct DocsWanted {
    /// The folder of the pages; its README.md is the index
    #[arg(long, value_name = "FOLDER")]
    pub(super) output: PathBuf,
    /// The folder of the strategies' sources: the `//!` lines at the top of FOLDER/ID/src/lib.rs go into the page
    #[arg(long, value_name = "FOLDER")]
    pub(super) sources: Option<PathBuf>,
    /// Write nothing, and fail if the folder does not hold what would be written
    #[arg(long)]
    pub(super) check: bool,
    /// Files of candles as `candles import` reads them, named SYMBOL_TIMEFRAME.csv or SYMBOL_TIMEFRAME_ANYTHING.csv
    #[arg(required = true)]
    pub(super) candles: Vec<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, error::ErrorKind};

    use super::*;

    #[test]
    fn the_definition_holds() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn options_may_stand_before_and_after_the_command() {
        for line in [["ta-bot", "--json", "candles", "list"], ["ta-bot", "candles", "list", "--json"]] {
            assert!(CommandLine::try_parse_from(line).unwrap().options.json, "{line:?}");
        }
    }

    #[test]
    fn a_command_has_to_be_given() {
        let refusal = |line: &[&str]| CommandLine::try_parse_from(line).unwrap_err();
        assert_eq!(refusal(&["ta-bot"]).kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
        assert_eq!(refusal(&["ta-bot", "--json"]).kind(), ErrorKind::MissingSubcommand);
    }
}
