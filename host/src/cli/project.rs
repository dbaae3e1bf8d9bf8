//! A project of an author: a folder with a strategy, the SDK, and `ta-bot.toml`, which says how it is built and tested.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use super::error::ProjectError;

mod archive;
pub(super) mod cases;
mod component;
mod recipe;
pub(super) mod signals;
mod tools;

pub(super) use archive::{recipe, write};
pub(super) use component::Component;
pub(super) use recipe::Recipe;
pub(super) use tools::{Purpose, need};

/// The file that makes a folder a project.
pub(super) const FILE: &str = "ta-bot.toml";

/// A project, as its file describes it.
pub(super) struct Project {
    folder: PathBuf,
    pub(super) recipe: Recipe,
}

impl Project {
    /// Reads the file of a project.
    pub(super) fn open(folder: &Path) -> Result<Self, ProjectError> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|reason| match reason.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                ProjectError::NoProject { path: folder.to_owned() }
            }
            _ => ProjectError::unreadable(&path, reason),
        })?;
        let recipe = Recipe::read(&text).map_err(|problem| ProjectError::unreadable(&path, problem))?;
        let folder = folder.canonicalize().map_err(|reason| ProjectError::unreadable(folder, reason))?;
        Ok(Self { folder, recipe })
    }

    /// A path of the project.
    pub(super) fn path(&self, within: impl AsRef<Path>) -> PathBuf {
        self.folder.join(within)
    }

    /// The path of the component.
    pub(super) fn component(&self) -> PathBuf {
        self.path(&self.recipe.build.component)
    }

    /// Builds the component.
    pub(super) fn build(&self) -> Result<(), ProjectError> {
        let component = self.component();
        self.make_room_for(&component)?;
        self.run_all(&self.recipe.build.commands)?;
        if let Some(made) = &self.recipe.build.made {
            let made = self.path(made);
            fs::copy(&made, &component).map_err(|_| ProjectError::NothingMade { path: made })?;
        }
        if component.is_file() { Ok(()) } else { Err(ProjectError::NothingMade { path: component }) }
    }

    /// Runs the native tests.
    pub(super) fn test(&self) -> Result<(), ProjectError> {
        self.make_room_for(&self.component())?;
        self.run_all(&self.recipe.test.commands)
    }

    /// Makes the folder that results go into.
    fn make_room_for(&self, result: &Path) -> Result<(), ProjectError> {
        let folder = result.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(|reason| ProjectError::Unwritten { path: folder.to_owned(), reason })
    }

    fn run_all(&self, commands: &[Vec<String>]) -> Result<(), ProjectError> {
        commands.iter().try_for_each(|command| self.run(command))
    }

    /// Runs a command in the folder of the project. What it says is shown if it fails.
    fn run(&self, command: &[String]) -> Result<(), ProjectError> {
        let shown = command.join(" ");
        let output = self.ask(command).map_err(|reason| ProjectError::NotRun { command: shown.clone(), reason })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Err(ProjectError::Failed {
            command: shown,
            status: output.status.to_string(),
            said: said.trim_end().to_owned(),
        })
    }

    /// Runs a command in the folder of the project, and returns what it said.
    fn ask(&self, command: &[String]) -> io::Result<Output> {
        let (program, arguments) = command.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
        // A program within the project is given by its path in it.
        let program = if program.contains('/') { self.path(program).into() } else { OsString::from(program) };
        Command::new(program)
            .args(arguments)
            .envs(&self.recipe.environment)
            .env("PATH", self.search_path()?)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
    }

    /// Where programs are looked for: in the project first.
    fn search_path(&self) -> io::Result<OsString> {
        let own = self.recipe.path.iter().map(|folder| self.path(folder));
        let others = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(own.chain(std::env::split_paths(&others))).map_err(io::Error::other)
    }
}
