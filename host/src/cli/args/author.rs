//! The arguments of the commands for authors of strategies: `new`, `build`, `test`, `watch` and `push`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ta_bot_core::StrategyId;
use ta_bot_engine::deployments::impact;

use super::{Setting, modules, within};

/// A language in which a project can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "each is a language")]
pub(in crate::cli) enum Language {
    Rust,
    Python,
    Ts,
    Js,
    Go,
    C,
}

/// Which project to make.
#[derive(Debug, Args)]
pub(in crate::cli) struct NewWanted {
    /// The id of the strategy, such as breakout: up to 64 lower-case letters, digits and underscores, a letter first
    #[arg(required_unless_present = "list")]
    pub(in crate::cli) name: Option<StrategyId>,
    /// The language
    #[arg(long, value_name = "LANGUAGE", required_unless_present = "list")]
    pub(in crate::cli) lang: Option<Language>,
    /// The folder to make, instead of one of the strategy's name here; it may be there if it is empty
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) into: Option<PathBuf>,
    /// List the languages instead, with what each needs
    #[arg(long, conflicts_with_all = ["name", "lang", "into"])]
    pub(in crate::cli) list: bool,
}

/// Which project to build.
#[derive(Debug, Args)]
pub(in crate::cli) struct BuildWanted {
    /// The folder of the project
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(in crate::cli) folder: PathBuf,
    /// Install tools that are missing, if they can be installed into the project; nothing is installed anywhere else
    #[arg(long)]
    pub(in crate::cli) install: bool,
}

/// Which project to test.
#[derive(Debug, Args)]
pub(in crate::cli) struct TestWanted {
    /// The folder of the project
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(in crate::cli) folder: PathBuf,
    /// Write the signals that came into the file of cases, as those that are expected
    #[arg(long)]
    pub(in crate::cli) bless: bool,
}

/// Which project to watch, and on which candles.
#[derive(Debug, Args)]
pub(in crate::cli) struct WatchWanted {
    /// The folder of the project
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(in crate::cli) folder: PathBuf,
    /// Files of candles, named SYMBOL_TIMEFRAME.csv, instead of those that ta-bot.toml names
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(in crate::cli) candles: Vec<PathBuf>,
    /// A parameter instead of its default; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub(in crate::cli) set: Vec<Setting>,
}

/// What to upload, to which service, and what is to become of it.
#[derive(Debug, Args)]
pub(in crate::cli) struct PushWanted {
    /// A component, or the folder of a project that was built
    #[arg(value_name = "FOLDER | FILE", default_value = ".")]
    pub(in crate::cli) what: PathBuf,
    /// The service, such as http://127.0.0.1:8080 [default: TA_BOT_URL, or the address in HTTP_ADDR]
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) url: Option<String>,
    /// Let it decide, starting with the next candle that nothing has been decided about
    #[arg(long)]
    pub(in crate::cli) activate: bool,
    /// Let it look at the same live candles as the module that decides; it publishes nothing
    #[arg(long, conflicts_with = "activate")]
    pub(in crate::cli) shadow: bool,
    /// On how many of the last closed candles of each symbol and timeframe it is compared
    #[arg(long, value_name = "N", default_value_t = impact::DEFAULT_CANDLES, value_parser = within(&impact::CANDLES))]
    pub(in crate::cli) candles: u32,
    /// The file of the signature, if the service asks for one [default: the component's name with .sig, if it is there]
    #[arg(long, value_name = "SIGNATURE")]
    pub(in crate::cli) signature: Option<PathBuf>,
    /// Who does it, for the history [default: the user's name, or cli if that is unknown]
    #[arg(long, value_name = "NAME", value_parser = modules::name)]
    pub(in crate::cli) by: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", value_parser = modules::reason)]
    pub(in crate::cli) reason: Option<String>,
}
