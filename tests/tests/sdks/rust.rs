//! The crate as `cargo package` makes it.

use std::{env, process::Command};

use ta_bot_tests::root;
use tempfile::TempDir;

use crate::{only_file, run};

#[test]
fn the_crate_has_all_that_a_build_reads() {
    let folder = TempDir::new().unwrap();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["package", "--quiet", "--offline", "--locked", "--no-verify", "--allow-dirty", "-p", "ta-bot-sdk"]);
    run(command.arg("--target-dir").arg(folder.path()).current_dir(root()));
    let archive = only_file(&folder.path().join("package"), ".crate");
    let listed = run(Command::new("tar").arg("-tvzf").arg(&archive));
    for file in ["wit/strategy.wit", "README.md", "src/lib.rs", "src/indicators/trend.rs"] {
        let entry = listed.lines().find(|line| line.ends_with(file));
        // A link would point out of the package.
        assert!(entry.is_some_and(|line| line.starts_with('-')), "{file} is not in the crate:\n{listed}");
    }
}
