//! What can go wrong with an author's project. The messages tell the author what to do next.

use std::{
    fmt::Display,
    io,
    path::{Path, PathBuf},
};

use ta_bot_core::StrategyId;
use thiserror::Error;

/// Why an author's project can't be made, built or tested.
#[derive(Debug, Error)]
pub(in crate::cli) enum ProjectError {
    #[error("{} is there already and is no empty folder: give another one by --into; nothing is overwritten", path.display())]
    Exists { path: PathBuf },
    #[error("the project can't be written to {} ({reason}): nothing was left there", path.display())]
    Unwritten { path: PathBuf, reason: io::Error },
    #[error("this binary does not carry the templates as it should: {0}")]
    Archive(String),
    #[error(
        "{} is no project: it has no ta-bot.toml. Give a project's folder, or make one: ta-bot new NAME --lang LANGUAGE",
        path.display()
    )]
    NoProject { path: PathBuf },
    #[error("{} can't be read: {problem}", path.display())]
    Unreadable { path: PathBuf, problem: String },
    #[error("{}", .0.join("\n"))]
    Tools(Vec<String>),
    #[error("`{command}` can't be run: {}", why_not_run(.reason))]
    NotRun { command: String, reason: io::Error },
    #[error("`{command}` failed ({status})\n{said}")]
    Failed { command: String, status: String, said: String },
    #[error("the build made no component: {} is not there; `made` or `component` in ta-bot.toml should name it", path.display())]
    NothingMade { path: PathBuf },
    #[error("{} is not there yet: build it first, by ta-bot build", path.display())]
    NotBuilt { path: PathBuf },
    #[error(
        "{problem}. Give a token of the role operator in TA_BOT_TOKEN, or set DATA_DIR to the folder of a service here"
    )]
    NoToken { problem: String },
    #[error("the service at {address} does not answer: {problem}")]
    NoAnswer { address: String, problem: String },
    #[error("the service at {address}: {problem}")]
    Service { address: String, problem: String },
    #[error("the component is {found}, and ta-bot.toml says name = \"{named}\": let both say the same")]
    OtherName { found: StrategyId, named: StrategyId },
    #[error("the case {case:?}: {problem}")]
    Case { case: String, problem: String },
}

impl ProjectError {
    /// A stable word for programs.
    pub(in crate::cli) const fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "file_exists",
            Self::Unwritten { .. } => "unwritable_file",
            Self::Archive(_) => "failed",
            Self::NoProject { .. } => "no_project",
            Self::Unreadable { .. } => "unreadable_project",
            Self::Tools(_) => "missing_tool",
            Self::NotRun { .. } | Self::Failed { .. } | Self::NothingMade { .. } => "build_failed",
            Self::NotBuilt { .. } => "not_built",
            Self::NoToken { .. } => "no_token",
            Self::NoAnswer { .. } => "no_answer",
            Self::Service { .. } => "service",
            Self::OtherName { .. } => "other_name",
            Self::Case { .. } => "wrong_case",
        }
    }

    /// The error for a file of the project that can't be read.
    pub(in crate::cli) fn unreadable(path: &Path, problem: impl Display) -> Self {
        Self::Unreadable { path: path.to_owned(), problem: problem.to_string() }
    }
}

/// Why a program was not started.
fn why_not_run(reason: &io::Error) -> String {
    match reason.kind() {
        io::ErrorKind::NotFound => {
            "there is no such program; `ta-bot build` says how to get what the project needs".to_owned()
        }
        _ => reason.to_string(),
    }
}
