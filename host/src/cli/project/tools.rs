//! The programs that a project needs: which of them are there in the right version, and how to get the others.

use std::{cmp::Ordering, fmt, path::Path};

use serde::Deserialize;

use super::{Project, ProjectError};

/// A program, or something else that a build needs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tool {
    name: String,
    /// The command that prints the version.
    version: Option<Vec<String>>,
    /// The command that prints a folder, which is there if the tool is.
    folder: Option<Vec<String>>,
    /// The lowest version that will do.
    at_least: Option<String>,
    /// The only version that will do.
    exactly: Option<String>,
    /// `None` for both.
    needed_for: Option<Purpose>,
    /// What a person has to do, if it can't be installed into the project.
    get: Option<String>,
    /// The commands that install it into the project.
    #[serde(default)]
    install: Vec<Vec<String>>,
}

/// What a tool is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Purpose {
    /// Making the component.
    Build,
    /// The native tests.
    Test,
}

/// Checks that every tool for this purpose is there. With `install`, those that can be installed into the project are;
/// `tell` is called before each.
pub(in crate::cli) fn need(
    project: &Project,
    purpose: Purpose,
    install: bool,
    tell: impl Fn(&str),
) -> Result<(), ProjectError> {
    let mut lacking = Vec::new();
    let needed = |tool: &&Tool| tool.needed_for.is_none_or(|needed| needed == purpose);
    for tool in project.recipe.tools.iter().filter(needed) {
        let mut problem = tool.problem(project);
        if problem.is_some() && install && !tool.install.is_empty() {
            for command in &tool.install {
                tell(&format!("installing {} into the project: {}", tool.name, command.join(" ")));
                project.run(command)?;
            }
            problem = tool.problem(project);
        }
        lacking.extend(problem.map(|problem| format!("{problem}: {}", tool.remedy())));
    }
    if lacking.is_empty() { Ok(()) } else { Err(ProjectError::Tools(lacking)) }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.exactly, &self.at_least) {
            (Some(version), _) => write!(f, "{} {version}", self.name),
            (_, Some(version)) => write!(f, "{} from {version} on", self.name),
            _ => f.write_str(&self.name),
        }
    }
}

impl Tool {
    /// What is wrong with it, if something is.
    fn problem(&self, project: &Project) -> Option<String> {
        let name = &self.name;
        if let Some(command) = &self.folder {
            let there = said(project, command).is_some_and(|folder| Path::new(folder.trim()).is_dir());
            return (!there).then(|| format!("{name} is missing"));
        }
        let Some(said) = said(project, self.version.as_deref()?) else { return Some(format!("{name} is missing")) };
        let Some(found) = version_in(&said) else {
            return Some(format!("{name} does not say its version, but {:?}", said.trim()));
        };
        match (&self.exactly, &self.at_least) {
            (Some(wanted), _) if compare(found, wanted).is_ne() => {
                Some(format!("{name} is {found}, and {wanted} is needed"))
            }
            (_, Some(wanted)) if compare(found, wanted).is_lt() => {
                Some(format!("{name} is {found}, and at least {wanted} is needed"))
            }
            _ => None,
        }
    }

    /// What to do about it.
    fn remedy(&self) -> String {
        let commands: Vec<String> = self.install.iter().map(|command| command.join(" ")).collect();
        match &self.get {
            Some(get) => get.clone(),
            None if commands.is_empty() => "install it".to_owned(),
            None => format!("`ta-bot build --install` puts it into this project ({})", commands.join(" && ")),
        }
    }
}

/// What a command said, if it succeeded.
fn said(project: &Project, command: &[String]) -> Option<String> {
    let output = project.ask(command).ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

/// The first number in a text, with all that is behind its points: `1.27.3` of `go version go1.27.3 linux/amd64`.
fn version_in(text: &str) -> Option<&str> {
    let begin = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[begin..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches('.'))
}

/// Compares versions number by number; a number that is left out is 0.
fn compare(found: &str, wanted: &str) -> Ordering {
    let numbers = |version: &str| version.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u64>>();
    let (mut found, mut wanted) = (numbers(found), numbers(wanted));
    let most = found.len().max(wanted.len());
    found.resize(most, 0);
    wanted.resize(most, 0);
    found.cmp(&wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        let said =
            ["v20.20.2", "go version go1.27.3 linux/amd64", "wasm-merge version 132 (version_132)", "Python 3.11.7"];
        assert_eq!(said.map(version_in), [Some("20.20.2"), Some("1.27.3"), Some("132"), Some("3.11.7")]);
        assert_eq!(version_in("no version"), None);
        assert_eq!(version_in("1.95."), Some("1.95"));
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(compare("1.95.0", "1.95"), Ordering::Equal);
        assert_eq!(compare("1.100", "1.95"), Ordering::Greater);
        assert_eq!(compare("3.9.18", "3.11"), Ordering::Less);
    }
}
