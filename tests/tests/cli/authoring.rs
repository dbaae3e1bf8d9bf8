//! What an author of a strategy does: a new project, built, tested, watched, and brought to a service.

mod cases;
mod doubts;
mod journey;
mod mistakes;
mod projects;
mod push;
mod tools;
mod watch;

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use ta_bot_tests::root;

use crate::run::{Done, Home};

/// The languages of `--lang`.
const LANGUAGES: [&str; 6] = ["rust", "python", "ts", "js", "go", "c"];

/// A project, with the tools that `make test-setup` has installed.
pub(crate) struct Project {
    home: Home,
    name: String,
}

impl Project {
    /// A new project. Its tools are those of the tests: what `ta-bot build --install` would fetch is linked.
    pub(crate) fn new(language: &str) -> Self {
        let project = Self::bare(language);
        let (folder, tools) = (project.path(), root().join("sdk/go/tools/node_modules"));
        match language {
            "python" | "c" => symlink(venv(), folder.join(".venv")).unwrap(),
            "go" => {
                symlink(venv(), folder.join(".venv")).unwrap();
                symlink(tools, folder.join("sdk/tools/node_modules")).unwrap();
            }
            "js" | "ts" => link_packages(&folder.join("node_modules")),
            _ => {}
        }
        project
    }

    /// A new project without any tool but those of the machine.
    pub(crate) fn bare(language: &str) -> Self {
        let (home, name) = (Home::new(), format!("channel_{language}"));
        let made = home.run(["new", &name, "--lang", language]).succeeded();
        assert!(made.stdout.contains("ta-bot build --install"), "{made:?}");
        Self { home, name }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.home.path().join(&self.name)
    }

    pub(crate) fn component(&self) -> PathBuf {
        self.path().join(format!("build/{}.wasm", self.name))
    }

    /// A command in the folder of the project. Compilers keep what they share between projects in the user's folder.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.home.command();
        command.env("HOME", env::var_os("HOME").unwrap_or_default()).env("CARGO_NET_OFFLINE", "true");
        command.current_dir(self.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.command().args(arguments))
    }

    /// Runs with `--json`, and returns the document.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        Done::of(self.command().args(arguments).arg("--json")).json()
    }

    /// Replaces a text in a file of the project.
    pub(crate) fn edit(&self, file: &str, old: &str, new: &str) {
        let path = self.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{old:?} is not in {file}: {text}");
        fs::write(path, text.replace(old, new)).unwrap();
    }
}

/// The virtual environment of the tests.
fn venv() -> PathBuf {
    let venv = env::var_os("VENV").map_or_else(|| root().join("target/venv"), PathBuf::from);
    assert!(venv.exists(), "{} is not there: run make test-setup", venv.display());
    venv
}

/// The packages of the examples, and the project's own SDK, as `npm install` leaves them.
fn link_packages(into: &Path) {
    let installed = root().join("examples/js/node_modules");
    fs::create_dir(into).unwrap();
    for entry in fs::read_dir(&installed).unwrap().map(Result::unwrap) {
        if entry.file_name() != "ta-bot-sdk" {
            symlink(entry.path(), into.join(entry.file_name())).unwrap();
        }
    }
    symlink("../sdk", into.join("ta-bot-sdk")).unwrap();
}
