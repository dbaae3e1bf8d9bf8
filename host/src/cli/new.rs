//! `ta-bot new`: a project for a strategy, in a folder of its own.

use std::{fmt, path::PathBuf};

use clap::ValueEnum as _;
use serde::Serialize;
use ta_bot_core::StrategyId;

use super::{
    args::{Language, NewWanted},
    error::{CliError, shown},
    output::{Output, table},
    project,
};

/// Makes a project, or lists the languages.
pub(super) fn new(output: Output, wanted: NewWanted) -> Result<(), CliError> {
    // Only with --list may they be absent.
    let (Some(name), Some(language)) = (wanted.name, wanted.lang) else { return list(output) };
    let folder = wanted.into.unwrap_or_else(|| PathBuf::from(name.as_str()));
    project::write(language, &name, &folder)?;
    output.answer(&Made { folder: shown(&folder), name, language: word(language) })
}

fn list(output: Output) -> Result<(), CliError> {
    let entry = |language: &Language| {
        let needs = project::recipe(*language)?.needs();
        Ok(Entry { language: word(*language), needs })
    };
    let languages = Language::value_variants().iter().map(entry).collect::<Result<_, CliError>>()?;
    output.answer(&List { languages })
}

/// The word for a language on the command line.
fn word(language: Language) -> String {
    language.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[derive(Serialize)]
struct Made {
    folder: String,
    name: StrategyId,
    language: String,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, name, .. } = self;
        writeln!(f, "{name} is in {folder}; its README.md says what is where.\n\nNext:")?;
        writeln!(f, "  cd {folder}\n  ta-bot build --install\n  ta-bot test")
    }
}

#[derive(Serialize)]
struct List {
    languages: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    language: String,
    /// The tools that a build or the native tests need.
    needs: Vec<String>,
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |entry: &Entry| [entry.language.clone(), entry.needs.join(", ")];
        writeln!(f, "{}\n", table(&["language", "needs"], &[], self.languages.iter().map(row)))?;
        write!(
            f,
            "ta-bot new NAME --lang LANGUAGE makes a project; in it, ta-bot build --install installs what it can."
        )
    }
}
