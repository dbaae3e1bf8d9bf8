//! The modules in the store: uploads and checks them, lists them, shows one, and downloads one.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::ProgressBar;
use serde::Serialize;
use ta_bot_api::views::module::ModuleView;
use ta_bot_core::ModuleDigest;
use ta_bot_engine::modules::{catalog::Uploaded, module_store::Judgement};

use super::{keys, name_or_user, named};
use crate::cli::{
    Session,
    args::Digits,
    check,
    error::{CliError, shown},
    module_file, new_file,
    output::{one_line, or_dash, short, table},
};

/// Uploads the module in a file and checks it in this process. Returns whether it is admitted.
pub(super) async fn upload(
    session: &Session,
    path: &Path,
    signature: Option<PathBuf>,
    by: Option<String>,
) -> Result<bool, CliError> {
    let bytes = module_file::read(path)?;
    let signature = keys::signature_for(session, path, signature)?;
    let app = session.open().await?;
    let mut arrival = app.catalog.arrival().await.map_err(|error| module_file::refused(path, error))?;
    arrival.add(&bytes)?;
    let taken = app.catalog.upload(arrival, signature, name_or_user(by)).await;
    let Uploaded { module, is_new } = taken.map_err(|error| module_file::refused(path, error))?;
    let digest = module.digest;
    // The bar hides itself if stderr is not a terminal.
    let bar = if session.output.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    bar.set_message("checking it, which takes seconds, or minutes where it is slow");
    bar.enable_steady_tick(Duration::from_millis(100));
    let checked = app.catalog.check_now(module).await;
    bar.finish_and_clear();
    let module = checked.map_err(|problem| CliError::Unchecked { module: digest, problem })?;
    let admitted = module.judgement.as_ref().is_some_and(Judgement::admits);
    session.output.answer(&Taken { file: shown(path), is_new, module: Shown(module.into()) })?;
    Ok(admitted)
}

/// Lists the uploaded modules.
pub(super) async fn list(session: &Session) -> Result<(), CliError> {
    let app = session.open().await?;
    let modules = app.catalog.uploaded().await?.into_iter().map(ModuleView::from).collect();
    session.output.answer(&ModuleList { modules })
}

/// Shows what is known about a module.
pub(super) async fn show(session: &Session, digits: &Digits) -> Result<(), CliError> {
    let app = session.open().await?;
    let module = named::find(&app, digits).await?;
    session.output.answer(&Shown(module.into()))
}

/// Writes the bytes of a module into a new file.
pub(super) async fn download(session: &Session, digits: &Digits, output: &Path) -> Result<(), CliError> {
    let app = session.open().await?;
    let digest = named::find(&app, digits).await?.digest;
    let bytes = app.catalog.bytes(digest).await?.ok_or_else(|| CliError::UnknownModule(digest.to_string()))?;
    new_file::write(output, 0o644, &bytes)?;
    session.output.answer(&Given { digest, size_bytes: bytes.len(), file: shown(output) })
}

#[derive(Serialize)]
struct Taken {
    file: String,
    /// Whether the store did not hold it before.
    is_new: bool,
    #[serde(flatten)]
    module: Shown,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = if self.is_new { "" } else { ", which was uploaded before" };
        writeln!(f, "  file        {}{known}", self.file)?;
        write!(f, "{}", self.module)
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(ModuleView);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = &self.0;
        let text = |text: &Option<String>| or_dash(text.as_deref(), one_line);
        writeln!(f, "  digest      {}", view.digest)?;
        writeln!(f, "  size        {} bytes", view.size_bytes)?;
        if let Some(strategy) = &view.strategy {
            writeln!(f, "  strategy    {} {}", one_line(strategy), text(&view.version))?;
            writeln!(f, "  speaks      ta-bot:strategy@{}", text(&view.wit_version))?;
        }
        if view.uploaded_at.is_some() {
            writeln!(f, "  uploaded    {} by {}", text(&view.uploaded_at), text(&view.uploaded_by))?;
        }
        if view.signed_by.is_some() {
            writeln!(f, "  signed by   {}", text(&view.signed_by))?;
        }
        if let Some(verdict) = &view.verdict {
            writeln!(f, "\nAdmission, {} on {}:\n", text(&view.checked_at), one_line(&verdict.candles))?;
            writeln!(f, "{}", check::check_table(verdict))?;
        }
        match (&view.reason, &view.verdict) {
            (Some(reason), _) => write!(f, "\nREFUSED: {}", one_line(reason)),
            (None, Some(verdict)) => match check::obstacle(verdict) {
                Some(obstacle) => write!(f, "\nREFUSED: {}", one_line(&obstacle)),
                None => {
                    write!(f, "\nADMITTED: ta-bot modules activate {} {}", one_line(&verdict.strategy), view.digest)
                }
            },
            (None, None) if view.uploaded_at.is_some() => {
                write!(f, "\nIt is being checked, or waits to be. To have it checked at once, upload it again.")
            }
            (None, None) => write!(f, "\nIt came with the service."),
        }
    }
}

#[derive(Serialize)]
struct ModuleList {
    modules: Vec<ModuleView>,
}

impl fmt::Display for ModuleList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modules.is_empty() {
            return write!(f, "No module was uploaded yet: ta-bot modules upload FILE");
        }
        let header = ["digest", "strategy", "version", "wit", "state", "bytes", "uploaded", "by"];
        let text = |text: &Option<String>| or_dash(text.as_deref(), one_line);
        let row = |view: &ModuleView| {
            [
                short(&view.digest),
                text(&view.strategy),
                text(&view.version),
                text(&view.wit_version),
                view.state.to_owned(),
                view.size_bytes.to_string(),
                text(&view.uploaded_at),
                text(&view.uploaded_by),
            ]
        };
        f.write_str(&table(&header, &[5], self.modules.iter().map(row)))
    }
}

#[derive(Serialize)]
struct Given {
    digest: ModuleDigest,
    size_bytes: usize,
    file: String,
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  digest  {}", self.digest)?;
        write!(f, "  file    {}, {} bytes", self.file, self.size_bytes)
    }
}
