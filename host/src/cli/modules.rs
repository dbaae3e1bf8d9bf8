//! `ta-bot modules`: what a module is and who vouches for it, which modules are kept, and which of them decides.
//! [`check`](super::check) says whether a module is fit to run.

use std::{fmt, path::Path, process::ExitCode};

use serde::Serialize;
use ta_bot_core::{DeploymentRequest, StrategyId};
use ta_bot_engine::settings::config_store::MAX_NAME;
use ta_bot_wasm::{Children, Inspection, Part};

use super::{
    Session,
    args::ModulesCommand,
    check,
    error::{CliError, FAILED, shown},
    output::{one_line, table},
};
use crate::{app::App, cli::module_file};

mod compared;
mod cost;
mod deployed;
mod kept;
mod keys;
pub(super) mod named;
mod removed;

/// Runs one of these commands and returns its exit code.
pub(super) async fn run(session: Session, command: ModulesCommand) -> Result<ExitCode, CliError> {
    use ModulesCommand as M;
    let (strategy, wanted, change) = match command {
        M::Inspect { file } => return inspect(&session, &file).map(|()| ExitCode::SUCCESS),
        M::Check { file } => return check::check(&session, &file).map(verdict),
        M::Cost { file, candles } => return cost::cost(&session, &file, &candles).map(|()| ExitCode::SUCCESS),
        M::Keygen { file } => return keys::generate(&session, &file).map(|()| ExitCode::SUCCESS),
        M::Sign { file, key, output } => {
            return keys::sign(&session, &file, &key, output).map(|()| ExitCode::SUCCESS);
        }
        M::Verify { file, signature, keys } => {
            return keys::verify(&session, &file, signature, keys).map(|()| ExitCode::SUCCESS);
        }
        M::Upload { file, signature, by } => return kept::upload(&session, &file, signature, by).await.map(verdict),
        M::List => return kept::list(&session).await.map(|()| ExitCode::SUCCESS),
        M::Show { module } => return kept::show(&session, &module).await.map(|()| ExitCode::SUCCESS),
        M::Download { module, output } => {
            return kept::download(&session, &module, &output).await.map(|()| ExitCode::SUCCESS);
        }
        M::Remove { module, by, reason } => {
            return removed::remove(&session, &module, by, reason).await.map(|()| ExitCode::SUCCESS);
        }
        M::Removed { most } => return removed::list(&session, most.limit).await.map(|()| ExitCode::SUCCESS),
        M::Compare(wanted) => return compared::compare(&session, wanted).await.map(|()| ExitCode::SUCCESS),
        M::Differences { strategy, most } => {
            return compared::differences(&session, &strategy, most.limit).await.map(|()| ExitCode::SUCCESS);
        }
        M::History { strategy, most } => {
            return deployed::history(&session, &strategy, most.limit).await.map(|()| ExitCode::SUCCESS);
        }
        M::Activate { strategy, module, parameters, change } => {
            let activated = deployed::activate(&session, &strategy, &module, parameters.as_deref(), change).await;
            return activated.map(|()| ExitCode::SUCCESS);
        }
        M::Shadow { strategy, module, terms, change } => {
            return deployed::shadow(&session, &strategy, &module, &terms, change).await.map(|()| ExitCode::SUCCESS);
        }
        M::RollBack { strategy, to, change } => (strategy, DeploymentRequest::RollBack(to), change),
        M::Enable { strategy, change } => (strategy, DeploymentRequest::Enable, change),
        M::Disable { strategy, change } => (strategy, DeploymentRequest::Disable, change),
        M::Lift { strategy, change } => (strategy, DeploymentRequest::Lift, change),
        M::EndShadow { strategy, change } => (strategy, DeploymentRequest::EndShadow, change),
        M::Promote { strategy, change } => (strategy, DeploymentRequest::Promote, change),
    };
    deployed::change(&session, &strategy, wanted, change).await.map(|()| ExitCode::SUCCESS)
}

fn verdict(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// Opens the stores and loads the bundled modules, without which it is not known which module decides.
async fn open(session: &Session) -> Result<App, CliError> {
    let app = session.open().await?;
    let problems = session.load_bundled(&app).await?;
    session.note_problems(&problems);
    Ok(app)
}

/// Refuses a strategy that does not exist and never did.
fn require(app: &App, strategy: &StrategyId) -> Result<(), CliError> {
    if app.registry.log().of(strategy).is_empty() && app.registry.get(strategy).is_none() {
        let known = app.registry.strategies().keys().cloned().collect();
        return Err(CliError::UnknownStrategy { id: strategy.clone(), known });
    }
    Ok(())
}

/// The name under which something is changed: the given one, else the user's, else `cli`.
pub(in crate::cli) fn name_or_user(given: Option<String>) -> String {
    let user =
        || ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|name| is_name(name)));
    given.filter(|name| is_name(name)).or_else(user).unwrap_or_else(|| "cli".to_owned())
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= MAX_NAME
}

/// Shows what the bytes of a module tell about it.
fn inspect(session: &Session, path: &Path) -> Result<(), CliError> {
    let bytes = module_file::read(path)?;
    let inspection = Children::of_this_program()
        .inspect(&mut &*bytes, bytes.len() as u64)
        .map_err(|error| module_file::unfit_bytes(path, error))?;
    session.output.answer(&Inspected { file: shown(path), inspection })
}

#[derive(Serialize)]
struct Inspected {
    file: String,
    #[serde(flatten)]
    inspection: Inspection,
}

impl fmt::Display for Inspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inspection { digest, size_bytes, wit_version, imports, exports, parts } = &self.inspection;
        let names =
            |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { one_line(&names.join(", ")) };
        writeln!(f, "  file        {}, {size_bytes} bytes", self.file)?;
        writeln!(f, "  digest      {digest}")?;
        writeln!(f, "  speaks      ta-bot:strategy@{wit_version}")?;
        writeln!(f, "  imports     {}", names(imports))?;
        writeln!(f, "  exports     {}\n", names(exports))?;
        let row = |part: Part| [part.words().to_owned(), parts.get(part).to_string(), part.most().to_string()];
        writeln!(f, "{}\n", table(&["part", "here", "at most"], &[1, 2], Part::ALL.map(row)))?;
        write!(f, "The service would compile it. Whether it is fit to run: ta-bot modules check {}", self.file)
    }
}
