//! Asks the scripts of `tests/oracle`.

use std::{fs, path::Path, process::Command};

use serde_json::Value as Json;

/// The answer of a script to `input`.
pub(crate) fn ask(script: &str, input: &Json) -> Json {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let venv = std::env::var_os("VENV").map_or_else(|| root.join("target/venv"), Into::into);
    let folder = tempfile::tempdir().unwrap();
    let [asked, answered] = ["input.json", "output.json"].map(|name| folder.path().join(name));
    fs::write(&asked, input.to_string()).unwrap();
    let mut command = Command::new(venv.join("bin/python"));
    command.arg(root.join("tests/oracle").join(script)).arg(&asked).arg(&answered);
    // Otherwise matplotlib keeps files in the home folder.
    command.env("MPLCONFIGDIR", folder.path());
    let run = command.output().expect("there is no python: make test-setup");
    assert!(run.status.success(), "{script} failed (make test-setup?):\n{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&fs::read(&answered).unwrap()).unwrap()
}

/// The number at this place of an answer.
pub(crate) fn number(answer: &Json) -> f64 {
    answer.as_f64().unwrap_or_else(|| panic!("{answer} is no number"))
}

/// Whether two numbers differ by rounding only.
pub(crate) fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1.0)
}
