//! `ta-bot failures`: evaluations that failed, and the bundle of one for `ta-bot replay`.

use std::{fmt, path::Path};

use serde::Serialize;
use ta_bot_api::views::failure::FailureView;
use ta_bot_core::FailureId;
use ta_bot_engine::supervision::failure::FailureFilter;

use super::{
    Session,
    args::FailuresCommand,
    error::{CliError, shown},
    modules::named,
    new_file,
    output::{one_line, short},
};

/// Runs one of these commands.
pub(super) async fn run(session: Session, command: FailuresCommand) -> Result<(), CliError> {
    match command {
        FailuresCommand::List { strategy, module, symbol, most } => {
            let app = session.open().await?;
            let module = named::listed(&app, module.as_ref()).await?;
            let filter = FailureFilter { strategy, module, symbol, limit: most.limit };
            let failures = app.failures.list(&filter).await?.into_iter().map(FailureView::from).collect();
            session.output.answer(&FailureList { failures })
        }
        FailuresCommand::Download { id, output } => download(&session, id, &output).await,
    }
}

/// Writes a bundle into a new file, exactly as it is stored.
async fn download(session: &Session, id: FailureId, output: &Path) -> Result<(), CliError> {
    let app = session.open().await?;
    let document = app.failures.get(id).await?.ok_or(CliError::UnknownFailure(id))?;
    // Only the owner can read the file, since it holds parameters and logs.
    new_file::write(output, 0o600, document.as_bytes())?;
    session.output.answer(&Downloaded { id: id.to_string(), size_bytes: document.len(), file: shown(output) })
}

#[derive(Serialize)]
struct FailureList {
    failures: Vec<FailureView>,
}

impl fmt::Display for FailureList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failures.is_empty() {
            return f.write_str("There is no failure, or none of the strategy, module or symbol that is given.");
        }
        for failure in &self.failures {
            // Not a table, so that the id can be copied.
            writeln!(f, "{}", failure.id)?;
            writeln!(f, "  strategy    {}, module {}", failure.strategy, short(&failure.module_digest))?;
            writeln!(f, "  candle      {} {}, closed {}", failure.symbol, failure.timeframe, failure.candle_close)?;
            writeln!(f, "  {:<11} {}", failure.code, one_line(&failure.message))?;
            writeln!(f, "  at          {}\n", failure.at)?;
        }
        f.write_str("To run one again: ta-bot failures download ID --output FILE, and ta-bot replay FILE")
    }
}

#[derive(Serialize)]
struct Downloaded {
    id: String,
    size_bytes: usize,
    file: String,
}

impl fmt::Display for Downloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  failure  {}", self.id)?;
        writeln!(f, "  file     {}, {} bytes", self.file, self.size_bytes)?;
        write!(f, "\nTo run it again: ta-bot replay {}", self.file)
    }
}
