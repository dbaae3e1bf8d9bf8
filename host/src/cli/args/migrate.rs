//! The arguments of `ta-bot migrate`.

#![allow(clippy::doc_markdown, reason = "these are help texts, read in a terminal")]

use clap::{Args, Subcommand};

use super::modules::{name, reason};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum MigrateCommand {
    /// Say what would count of what the older service stored, what would not, and what a start of the service changes
    /// (the default without a command); changes nothing
    ///
    /// Exit code 1 if something is left that stops a strategy.
    Plan(LeftOutWanted),
    /// Write the levels again that hold parameters which their strategy does not know or does not take, without these
    ///
    /// Exit code 1 if something is left that stops a strategy.
    Apply {
        #[command(flatten)]
        wanted: LeftOutWanted,
        #[command(flatten)]
        terms: MigrateTerms,
    },
    /// Say what has to be done to go back to the older service
    Back {
        #[command(flatten)]
        terms: MigrateTerms,
    },
}

/// What is taken over.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(in crate::cli) struct LeftOutWanted {
    /// Also the defaults that the older service stored by itself. ITS RULES NEVER READ THEM, strategies here obey them
    #[arg(long)]
    pub(in crate::cli) include_auto_persisted: bool,
}

/// How settings are changed.
#[derive(Debug, Args)]
pub(in crate::cli) struct MigrateTerms {
    /// Make the change; without it, only say what it would do
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// Who changes it [default: the user's name, or cli if that is unknown]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(in crate::cli) by: Option<String>,
    /// Why it is changed [default: migrate]
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(in crate::cli) reason: Option<String>,
}

impl Default for MigrateCommand {
    fn default() -> Self {
        Self::Plan(LeftOutWanted::default())
    }
}
