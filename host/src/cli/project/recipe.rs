//! `ta-bot.toml`: how a project is built and tested.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;
use ta_bot_core::StrategyId;

use super::tools::Tool;

/// What the file says. A field that it does not know is a mistake, never left out in silence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Recipe {
    /// The id of the strategy.
    pub(in crate::cli) name: StrategyId,
    /// Folders of the project in which programs are looked for, before those of `PATH`.
    #[serde(default)]
    pub(super) path: Vec<PathBuf>,
    /// Environment variables of every command.
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    pub(super) build: Build,
    #[serde(default)]
    pub(in crate::cli) test: Test,
    #[serde(default)]
    pub(in crate::cli) watch: Watch,
    /// The programs that the commands need.
    #[serde(default)]
    pub(super) tools: Vec<Tool>,
}

/// How the component is built.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Build {
    /// The file of the component.
    pub(super) component: PathBuf,
    /// The commands, each as a program and its arguments.
    pub(super) commands: Vec<Vec<String>>,
    /// The file that the commands make, if it is not `component`.
    pub(super) made: Option<PathBuf>,
}

/// How the project is tested.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Test {
    /// The file of cases.
    pub(in crate::cli) cases: Option<PathBuf>,
    /// The commands of the native tests.
    #[serde(default)]
    pub(in crate::cli) commands: Vec<Vec<String>>,
}

/// What `watch` looks at.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Watch {
    /// Files and folders whose changes count.
    #[serde(default)]
    pub(in crate::cli) sources: Vec<PathBuf>,
    /// Files of candles on which signals are shown.
    #[serde(default)]
    pub(in crate::cli) candles: Vec<PathBuf>,
}

impl Recipe {
    /// Reads the text of a file. The error says where it is wrong.
    pub(super) fn read(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The tools, each with the version that it has to have.
    pub(in crate::cli) fn needs(&self) -> Vec<String> {
        self.tools.iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "name = \"breakout\"\n[build]\ncomponent = \"b.wasm\"\ncommands = []\n";

    #[test]
    fn little_is_needed() {
        let recipe = Recipe::read(LEAST).unwrap();
        assert_eq!((recipe.name.as_str(), recipe.tools.len()), ("breakout", 0));
        assert!(recipe.test.commands.is_empty() && recipe.test.cases.is_none());
    }

    #[test]
    fn a_misspelt_field_is_named_with_its_line() {
        let error = Recipe::read(&LEAST.replace("commands", "command")).unwrap_err().to_string();
        assert!(error.contains("line 4") && error.contains("unknown field `command`"), "{error}");
        let error = Recipe::read(&LEAST.replace("breakout", "Breakout")).unwrap_err().to_string();
        assert!(error.contains("no strategy id"), "{error}");
    }
}
