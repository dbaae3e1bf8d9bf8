//! What can go wrong with the pages. The messages tell the user what to do next.

use std::{io, path::PathBuf};

use serde::Serialize;
use serde_json::{Value as Json, json};
use ta_bot_core::{EvaluationError, Job, StrategyId, Symbol, Timeframe, WindowError};
use thiserror::Error;

use ta_bot_engine::market::import::ImportError;

/// Why the pages can't be made, or are not current.
#[derive(Debug, Error)]
pub(in crate::cli) enum DocsError {
    #[error(
        "{}: its name gives no series ({problem}): name a file of candles SYMBOL_TIMEFRAME.csv or \
         SYMBOL_TIMEFRAME_ANYTHING.csv, such as BTCUSDT_15m.csv",
        path.display()
    )]
    FileName { path: PathBuf, problem: String },
    #[error("{} holds candles of {symbol} {timeframe}, as {} does: give one file of each series", second.display(), first.display())]
    SeriesTwice { symbol: Symbol, timeframe: Timeframe, first: PathBuf, second: PathBuf },
    #[error("{problem} (the timeframe, {timeframe}, is the one in the file's name)")]
    Candles { timeframe: Timeframe, problem: ImportError },
    #[error("the candles of {} can't be used: {problem}", path.display())]
    Window { path: PathBuf, problem: WindowError },
    #[error("these modules can't be used, so their pages would be missing: mend them or remove them\n{}", .0.join("\n"))]
    Modules(Vec<String>),
    #[error(
        "{} can't be read ({reason}): give the folder by --sources in which {strategy}/src/lib.rs is, or leave out \
         --sources to have pages without the rules",
        path.display()
    )]
    Source { strategy: StrategyId, path: PathBuf, reason: io::Error },
    #[error("{} says nothing of its rule: begin the file with lines of //! that explain it, since they go into its page", path.display())]
    NoRule { path: PathBuf },
    #[error("{strategy} gave no answer on {job}: {error}. Mend it; ta-bot check FILE says what it is")]
    Evaluation { strategy: StrategyId, job: Job, error: EvaluationError },
    #[error("the chart of {strategy} can't be drawn: {reason}")]
    Chart { strategy: StrategyId, reason: String },
    #[error("{} can't be {action} ({reason}): give a folder by --output that this user may read and write", path.display())]
    Folder { path: PathBuf, action: &'static str, reason: io::Error },
    #[error(
        "{} does not hold what would be written:\n{}\nRun the same command without --check (in this project: make docs), \
         and look at what it changes",
        path.display(), lines(.differences)
    )]
    Outdated { path: PathBuf, differences: Vec<Difference> },
}

/// A file that differs from what would be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Difference {
    pub(in crate::cli) file: String,
    pub(in crate::cli) problem: &'static str,
}

impl DocsError {
    /// A stable word for programs.
    pub(in crate::cli) const fn code(&self) -> &'static str {
        match self {
            Self::FileName { .. } | Self::SeriesTwice { .. } => "candle_files",
            Self::Candles { .. } | Self::Window { .. } => "import",
            Self::Modules(_) => "unfit_module",
            Self::Source { .. } | Self::NoRule { .. } => "strategy_source",
            Self::Evaluation { .. } => "evaluation",
            Self::Chart { .. } => "failed",
            Self::Folder { .. } => "folder",
            Self::Outdated { .. } => "outdated",
        }
    }

    pub(in crate::cli) fn details(&self) -> Json {
        match self {
            Self::Modules(problems) => json!(problems),
            Self::Outdated { differences, .. } => json!(differences),
            _ => Json::Null,
        }
    }
}

fn lines(differences: &[Difference]) -> String {
    let line = |Difference { file, problem }: &Difference| format!("  {file}: {problem}");
    differences.iter().map(line).collect::<Vec<_>>().join("\n")
}
