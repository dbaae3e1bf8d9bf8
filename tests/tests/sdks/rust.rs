//! The crate, as cargo packages it, and as a project of `ta-bot new` has it.

use std::{fs, process::Command};

use ta_bot_tests::root;
use tempfile::TempDir;
use toml::Table;

use crate::{only_file, run};

/// A project's SDK is not in this workspace, so its manifest is written out. It has to say what cargo makes of ours.
#[test]
fn the_crate_is_complete_and_its_manifest_is_that_of_the_template() {
    let folder = TempDir::new().unwrap();
    let mut package = Command::new(env!("CARGO"));
    package.args(["package", "--quiet", "--offline", "--allow-dirty", "--no-verify", "--package", "ta-bot-sdk"]);
    run(package.arg("--target-dir").arg(folder.path()).current_dir(root()));
    let packages = folder.path().join("package");
    run(Command::new("tar").arg("-xzf").arg(only_file(&packages, ".crate")).arg("-C").arg(folder.path()));
    let unpacked = folder.path().join("ta-bot-sdk-0.1.0");
    for file in ["README.md", "wit/strategy.wit", "src/indicators/trend.rs", "src/parameters/macros.rs"] {
        assert!(unpacked.join(file).is_file(), "{file} is not in the crate");
    }
    let read = |path| fs::read_to_string(path).unwrap().parse::<Table>().unwrap();
    let packaged = read(unpacked.join("Cargo.toml"));
    let template = read(root().join("sdk/templates/rust/sdk/Cargo.toml"));
    assert_eq!(packaged["dependencies"], template["dependencies"]);
    for field in ["name", "version", "edition", "rust-version", "license", "description"] {
        assert_eq!(packaged["package"][field], template["package"][field], "{field}");
    }
}
