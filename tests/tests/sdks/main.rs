//! The SDKs as an author gets them: each is packed, installed from the package, and its own
//! tests and the examples run on what was installed. What they make of candles as components is tested in `guests`.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod c;
mod go;
mod interface;
mod javascript;
mod python;
mod rust;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use ta_bot_tests::root;

/// A program of the tests' Python packages.
fn in_venv(program: &str) -> PathBuf {
    let venv = env::var_os("VENV").map_or_else(|| root().join("target/venv"), PathBuf::from);
    let path = venv.join("bin").join(program);
    assert!(path.exists(), "{} is not installed: run make test-setup", path.display());
    path
}

/// The answers that every SDK compares with.
fn conformance() -> PathBuf {
    fs::canonicalize(root().join("sdk/conformance/indicators.json")).unwrap()
}

/// Runs a command and returns what it said on both outputs.
fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

/// Runs a command that has to succeed, and returns what it said.
fn run(command: &mut Command) -> String {
    let (succeeded, said) = said(command);
    assert!(succeeded, "{command:?}\n{said}");
    said
}

/// The only file of a folder with this ending.
fn only_file(folder: &Path, ending: &str) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    assert_eq!(found.len(), 1, "{found:?} in {}", folder.display());
    found.remove(0)
}

/// Copies the files of a folder, and not its folders.
fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The blocks of code in this language in the README of an SDK: what an author copies has to work.
fn readme(sdk: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("sdk").join(sdk).join("README.md")).unwrap();
    let begin = format!("```{language}\n");
    let blocks = text.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned());
    blocks.collect()
}
