//! `ta-bot strategies compile`: the modules of the folder as machine code, for an image.

use std::{fmt, fs, path::Path};

use serde::Serialize;
use ta_bot_wasm::Sandbox;

use crate::cli::{
    Session,
    error::{CliError, shown},
    module_file, nothing_in,
};

pub(in crate::cli) fn compile(session: &Session, output: &Path) -> Result<(), CliError> {
    let folder = &session.environment.strategies_dir;
    if let Some(problem) = nothing_in(folder) {
        return Err(CliError::NoStrategies { path: folder.clone(), problem });
    }
    let unread = |error: std::io::Error| CliError::NoStrategies { path: folder.clone(), problem: error.to_string() };
    let mut modules = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            modules.push(module_file::read(&path)?);
        }
    }
    Sandbox::precompile(&modules, env!("CARGO_PKG_VERSION"), output)?;
    session.output.answer(&Done { folder: shown(output), modules: modules.len() })
}

#[derive(Serialize)]
struct Done {
    folder: String,
    modules: usize,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} modules are compiled in {}", self.modules, self.folder)
    }
}
