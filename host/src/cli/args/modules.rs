//! The arguments of `ta-bot modules`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ta_bot_core::{Promotion, StrategyId, Symbol};
use ta_bot_engine::{
    deployments::{impact, rollout::PROMOTE_AFTER},
    modules::signature::PublicKey,
    settings::config_store::{MAX_NAME, MAX_REASON},
};

use super::{Chosen, Digits, Most, within};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ModulesCommand {
    /// Say what a module consists of and whether the service would compile it, without compiling it
    Inspect {
        /// The component
        file: PathBuf,
    },
    /// Load a module in the sandbox, make every check of its admission on made-up candles, and say whether it is fit to
    /// run
    Check {
        /// The component
        file: PathBuf,
    },
    /// Measure what evaluations cost: time, memory, bytes in and out, and fuel, which the service does not count
    Cost {
        /// The component
        file: PathBuf,
        /// Files of candles as `candles import` reads them, named SYMBOL_TIMEFRAME.csv; made-up candles if none is
        /// given
        candles: Vec<PathBuf>,
    },
    /// Make a pair of keys: the private one in FILE, readable by its owner only, and the public one in FILE.pub
    ///
    /// An existing file is never overwritten.
    Keygen {
        /// The file to write the private key to
        file: PathBuf,
    },
    /// Sign a module; the signature goes into FILE.sig
    Sign {
        /// The component
        file: PathBuf,
        /// The file of the private key
        #[arg(long, value_name = "KEYFILE")]
        key: PathBuf,
        /// The file to write the signature to, instead of FILE.sig
        #[arg(long, value_name = "SIGNATURE")]
        output: Option<PathBuf>,
    },
    /// Say whether a module's signature is good, and by which key
    Verify {
        /// The component
        file: PathBuf,
        /// The file of the signature, instead of FILE.sig
        #[arg(long, value_name = "SIGNATURE")]
        signature: Option<PathBuf>,
        /// A public key that is trusted, instead of those in MODULE_TRUSTED_KEYS; may be given several times
        #[arg(long = "key", value_name = "PUBLIC KEY")]
        keys: Vec<PublicKey>,
    },
    /// Upload a module into the store and make every check of its admission; once admitted it can be activated
    ///
    /// Uploading the same bytes again changes nothing. The exit code is 1 if the module is not admitted.
    Upload {
        /// The component
        file: PathBuf,
        /// The file of the signature, if MODULE_TRUSTED_KEYS asks for one [default: FILE.sig]
        #[arg(long, value_name = "SIGNATURE")]
        signature: Option<PathBuf>,
        /// Who uploads it [default: the user's name, or cli if that is unknown]
        #[arg(long, value_name = "NAME", value_parser = name)]
        by: Option<String>,
    },
    /// List the modules that were uploaded
    List,
    /// Show what is known about a module, with each check of its admission
    Show {
        /// Its digest, or at least the first 6 digits of it
        #[arg(value_name = "DIGEST")]
        module: Digits,
    },
    /// Remove an uploaded module from the store, whatever its state is and whatever its bytes are
    ///
    /// A module that one of the newest deployments names stays.
    Remove {
        /// Its digest, or at least the first 6 digits of it
        #[arg(value_name = "DIGEST")]
        module: Digits,
        /// Who removes it [default: the user's name, or cli if that is unknown]
        #[arg(long, value_name = "NAME", value_parser = name)]
        by: Option<String>,
        /// Why it is removed
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: Option<String>,
    },
    /// List the modules that were removed, newest first
    Removed {
        #[command(flatten)]
        most: Most,
    },
    /// Write the bytes of a module into a file
    Download {
        /// Its digest, or at least the first 6 digits of it
        #[arg(value_name = "DIGEST")]
        module: Digits,
        /// The file to write; an existing file is never overwritten
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Let a module decide for a strategy, starting with the next candle that nothing has been decided about
    Activate {
        /// The strategy, such as rsi; a new one exists from then on
        strategy: StrategyId,
        /// The digest of an admitted module, or at least the first 6 digits of it; or `bundled` for the one in
        /// STRATEGIES_DIR
        #[arg(value_name = "DIGEST | bundled")]
        module: Chosen,
        /// A JSON file of what the strategy's stored parameters are to be from the same candle on, such as
        /// {"global": {"period": 10}, "symbols": {"BTCUSDT": {"period": 20}}}; a rollback restores what it changed
        #[arg(long, value_name = "FILE")]
        parameters: Option<PathBuf>,
        #[command(flatten)]
        change: ChangeWanted,
    },
    /// Let the module that decided before the present one decide again
    RollBack {
        /// The strategy
        strategy: StrategyId,
        /// Let the module of this revision decide, 0 for the one in STRATEGIES_DIR
        #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(i64).range(0..))]
        to: Option<i64>,
        #[command(flatten)]
        change: ChangeWanted,
    },
    /// Let a strategy look at candles, whatever the application's settings say
    Enable {
        /// The strategy
        strategy: StrategyId,
        #[command(flatten)]
        change: ChangeWanted,
    },
    /// Let a strategy look at no candles, whatever the application's settings say
    Disable {
        /// The strategy
        strategy: StrategyId,
        #[command(flatten)]
        change: ChangeWanted,
    },
    /// Let a quarantined strategy look at candles again
    Lift {
        /// The strategy
        strategy: StrategyId,
        #[command(flatten)]
        change: ChangeWanted,
    },
    /// Show which module decides for a strategy, and the changes that led to it, newest first
    History {
        /// The strategy
        strategy: StrategyId,
        #[command(flatten)]
        most: Most,
    },
    /// Say what would have changed if another module had decided: both look at the last closed candles of what is
    /// scheduled
    ///
    /// Nothing is stored or sent. The module need not be admitted.
    Compare(CompareWanted),
    /// Let another module look at the same live candles as the one that decides; it publishes nothing
    Shadow {
        /// The strategy
        strategy: StrategyId,
        /// The digest of an uploaded module, or at least the first 6 digits of it
        #[arg(value_name = "DIGEST")]
        module: Digits,
        #[command(flatten)]
        terms: ShadowTerms,
        #[command(flatten)]
        change: ChangeWanted,
    },
    /// Show what the newest shadow of a strategy would have changed, newest candle first
    Differences {
        /// The strategy
        strategy: StrategyId,
        #[command(flatten)]
        most: Most,
    },
    /// End the shadow of a strategy
    EndShadow {
        /// The strategy
        strategy: StrategyId,
        #[command(flatten)]
        change: ChangeWanted,
    },
    /// Let the shadow of a strategy decide
    Promote {
        /// The strategy
        strategy: StrategyId,
        #[command(flatten)]
        change: ChangeWanted,
    },
}

/// Which module is compared with the one that decides, and on what.
#[derive(Debug, Args)]
pub(in crate::cli) struct CompareWanted {
    /// The strategy, such as rsi; it need not exist yet
    pub(in crate::cli) strategy: StrategyId,
    /// The digest of an uploaded module, or at least the first 6 digits of it
    #[arg(value_name = "DIGEST")]
    pub(in crate::cli) module: Digits,
    /// How many of the last closed candles of each symbol and timeframe to compare on
    #[arg(long, value_name = "N", default_value_t = impact::DEFAULT_CANDLES, value_parser = within(&impact::CANDLES))]
    pub(in crate::cli) candles: u32,
    /// How many of the newest examples of each kind of difference to show
    #[arg(long, value_name = "N", default_value_t = impact::DEFAULT_EXAMPLES, value_parser = within(&impact::EXAMPLES))]
    pub(in crate::cli) examples: u32,
    /// Compare only this symbol, which must be scheduled; may be given several times
    #[arg(long = "symbol", value_name = "SYMBOL")]
    pub(in crate::cli) symbols: Vec<Symbol>,
    /// How many seconds it may take; the answer is what was found in that time
    #[arg(long, value_name = "S", default_value_t = *impact::SECONDS.end(), value_parser = within(&impact::SECONDS))]
    pub(in crate::cli) seconds: u32,
}

/// The terms of a shadow.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShadowTerms {
    /// Let it decide by itself after this many compared candles
    #[arg(long, value_name = "CANDLES", requires = "promote_at_most", value_parser = within(&PROMOTE_AFTER))]
    promote_after: Option<u32>,
    /// Let it decide by itself only if no more than this share of them differ, from 0 to 1
    #[arg(long, value_name = "SHARE", requires = "promote_after", value_parser = share)]
    promote_at_most: Option<f64>,
    /// Take the module even if admission refused it; such a shadow is never promoted, so it takes no thresholds
    #[arg(long)]
    pub(in crate::cli) unadmitted: bool,
}

impl ShadowTerms {
    /// When the shadow decides by itself.
    pub(in crate::cli) fn promotion(&self) -> Option<Promotion> {
        let (after, most_differing) = (self.promote_after?.into(), self.promote_at_most?);
        Some(Promotion { after, most_differing })
    }
}

fn share(text: &str) -> Result<f64, String> {
    let read = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    read.ok_or_else(|| "give a share of candles, from 0 to 1".to_owned())
}

/// The options of every change of a deployment.
#[derive(Debug, Args)]
pub(in crate::cli) struct ChangeWanted {
    /// Who changes it [default: the user's name, or cli if that is unknown]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(in crate::cli) by: Option<String>,
    /// Why it is changed
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(in crate::cli) reason: Option<String>,
    /// Change it only if this is the newest revision of the strategy, 0 if it has none
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(i64).range(0..))]
    pub(in crate::cli) revision: Option<i64>,
    /// Check only; change nothing
    #[arg(long)]
    pub(in crate::cli) validate_only: bool,
}

pub(super) fn name(text: &str) -> Result<String, String> {
    at_most(MAX_NAME, text)
}

pub(super) fn reason(text: &str) -> Result<String, String> {
    at_most(MAX_REASON, text)
}

fn at_most(most: usize, text: &str) -> Result<String, String> {
    match text.chars().count() {
        count if count > most => Err(format!("it has {count} characters: give at most {most}")),
        _ => Ok(text.to_owned()),
    }
}
