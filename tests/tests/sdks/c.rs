//! The C archive, with the machine's own compilers.

use std::{fs, path::Path, process::Command};

use ta_bot_tests::root;
use tempfile::TempDir;

use crate::{conformance, readme, run};

const PARTS: [&str; 6] = ["ta_bot", "text", "parameters", "indicators", "evaluation", "testing"];
const STRICT: [&str; 5] = ["-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"];

/// The archive, unpacked.
fn installed() -> TempDir {
    let folder = TempDir::new().unwrap();
    let archive = folder.path().join("ta-bot-sdk-c-0.1.0.tar.gz");
    run(Command::new("sh").arg(root().join("sdk/c/pack.sh")).arg(&archive));
    run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(folder.path()));
    folder
}

/// Compiles a test with the parts of the SDK that a native test needs, and runs it.
fn tested(sdk: &Path, sources: &[&Path], arguments: &[&Path]) -> String {
    let program = sdk.join("program");
    let mut command = Command::new("cc");
    command.args(STRICT).args(["-std=c11", "-Wpedantic", "-I"]).arg(sdk.join("include")).args(sources);
    command.args(PARTS.map(|part| sdk.join(format!("src/{part}.c")))).arg("-lm").arg("-o").arg(&program);
    run(&mut command);
    run(Command::new(program).args(arguments))
}

#[test]
fn the_archive_is_complete_and_passes_its_tests() {
    let folder = installed();
    let sdk = folder.path().join("ta-bot-sdk-c-0.1.0");
    let examples = root().join("examples/c");
    let told = tested(&sdk, &[&sdk.join("test/conformance.c")], &[&conformance()]);
    assert!(told.contains("answers and"), "{told}");
    tested(&sdk, &[&sdk.join("test/strategies.c")], &[]);
    tested(&sdk, &[&examples.join("donchian.c"), &examples.join("test_donchian.c")], &[]);
    for file in ["build.sh", "README.md", "bindings/strategy_module_component_type.o"] {
        assert!(sdk.join(file).is_file(), "{file} is not in the archive");
    }
}

#[test]
fn cpp_includes_the_header() {
    let folder = installed();
    let sdk = folder.path().join("ta-bot-sdk-c-0.1.0");
    let mut command = Command::new("c++");
    command.args(STRICT).args(["-std=c++20", "-c", "-I"]).arg(sdk.join("include"));
    run(command.arg(root().join("examples/c/rsi.cpp")).arg("-o").arg(folder.path().join("rsi.o")));
}

#[test]
fn the_readme_works_as_it_is() {
    let folder = installed();
    let sdk = folder.path().join("ta-bot-sdk-c-0.1.0");
    let paths = ["breakout.c", "test_breakout.c"].map(|name| folder.path().join(name));
    for (block, path) in readme("c", "c").iter().zip(&paths) {
        fs::write(path, block).unwrap();
    }
    tested(&sdk, &[&paths[0], &paths[1]], &[]);
}
