//! `ta-bot failures`: evaluations that failed, and the bundle of one for `ta-bot replay`.

use std::{fmt, path::Path};

use serde::Serialize;
use ta_bot_core::FailureId;

use super::{
    Session,
    args::FailuresCommand,
    error::{CliError, shown},
    new_file,
    output::one_line,
};
use crate::failure::{FailureFilter, view::FailureView};

/// Does what one of these commands says.
pub(super) async fn run(session: Session, command: FailuresCommand) -> Result<(), CliError> {
    match command {
        FailuresCommand::List { strategy, module, symbol, most } => {
            list(&session, &FailureFilter { strategy, module, symbol, limit: most.limit }).await
        }
        FailuresCommand::Download { id, output } => download(&session, id, &output).await,
    }
}

async fn list(session: &Session, filter: &FailureFilter) -> Result<(), CliError> {
    let app = session.open().await?;
    let failures = app.failures.list(filter).await?.into_iter().map(FailureView::from).collect();
    session.output.answer(&Listed { failures })
}

/// Writes a bundle into a new file, as it was kept.
async fn download(session: &Session, id: FailureId, output: &Path) -> Result<(), CliError> {
    let app = session.open().await?;
    let document = app.failures.get(id).await?.ok_or(CliError::UnknownFailure(id))?;
    new_file::write(output, document.as_bytes())?;
    session.output.answer(&Given { id: id.to_string(), size_bytes: document.len(), file: shown(output) })
}

#[derive(Serialize)]
struct Listed {
    failures: Vec<FailureView>,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failures.is_empty() {
            return f.write_str("No evaluation of a job failed.");
        }
        for failure in &self.failures {
            // No table: the id is there to be copied.
            writeln!(f, "{}", failure.id)?;
            let module: String = failure.module_digest.chars().take(12).collect();
            writeln!(f, "  strategy    {}, module {module}", failure.strategy)?;
            writeln!(f, "  candle      {} {}, closed {}", failure.symbol, failure.timeframe, failure.candle_close)?;
            writeln!(f, "  {:<11} {}", failure.code, one_line(&failure.message))?;
            writeln!(f, "  at          {}\n", failure.at)?;
        }
        f.write_str("To run one again: ta-bot failures download ID --output FILE, and ta-bot replay FILE")
    }
}

#[derive(Serialize)]
struct Given {
    id: String,
    size_bytes: usize,
    file: String,
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  failure  {}", self.id)?;
        writeln!(f, "  file     {}, {} bytes", self.file, self.size_bytes)?;
        write!(f, "\nTo run it again: ta-bot replay {}", self.file)
    }
}
