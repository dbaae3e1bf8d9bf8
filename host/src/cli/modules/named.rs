//! Finding the module that somebody has named.

use ta_bot_core::ModuleDigest;
use ta_bot_engine::modules::module_store::KeptModule;

use crate::{
    app::App,
    cli::{args::Digits, error::CliError},
};

/// The module whose digest is, or begins with, these digits.
pub(in crate::cli) async fn find(app: &App, Digits(digits): &Digits) -> Result<KeptModule, CliError> {
    let unknown = || CliError::UnknownModule(digits.clone());
    if let Ok(digest) = digits.parse::<ModuleDigest>() {
        return app.catalog.find(digest).await?.ok_or_else(unknown);
    }
    let mut found = app.catalog.beginning_with(digits).await?;
    match found.pop() {
        Some(module) if found.is_empty() => Ok(module),
        Some(last) => {
            let there = found.into_iter().chain([last]).map(|module| module.digest).collect();
            Err(CliError::AmbiguousModule { given: digits.clone(), there })
        }
        None => Err(unknown()),
    }
}

/// The module to which a list is narrowed, if one is named. First digits have to match a module in the store; a whole
/// digest may be of any module.
pub(in crate::cli) async fn listed(app: &App, named: Option<&Digits>) -> Result<Option<ModuleDigest>, CliError> {
    let Some(digits) = named else { return Ok(None) };
    match digits.0.parse() {
        Ok(digest) => Ok(Some(digest)),
        Err(_) => Ok(Some(find(app, digits).await?.digest)),
    }
}
