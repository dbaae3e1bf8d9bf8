//! The Go module, as a proxy serves it.

use std::{fs, process::Command};

use ta_bot_tests::root;
use tempfile::TempDir;

use crate::{conformance, copy_files, in_venv, readme, run, said};

fn go(folder: &TempDir) -> Command {
    let mut command = Command::new(in_venv("go"));
    command.env("GOPROXY", format!("file://{}", folder.path().join("proxy").display()));
    command.env("GOMODCACHE", folder.path().join("modules")).env("GOFLAGS", "-mod=mod -modcacherw");
    command.env("GOSUMDB", "off").env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0").env_remove("GOROOT");
    command.env("TA_BOT_CONFORMANCE", conformance()).current_dir(folder.path().join("project"));
    command
}

/// A project that asks for the module, which is in the proxy.
fn project() -> TempDir {
    let folder = TempDir::new().unwrap();
    let pack = root().join("scripts/go-module.py");
    run(Command::new(in_venv("python"))
        .arg(pack)
        .arg(root().join("sdk/go"))
        .arg("v0.1.0")
        .arg(folder.path().join("proxy")));
    let manifest = fs::read_to_string(root().join("examples/go/go.mod")).unwrap();
    let own = manifest.lines().filter(|line| !line.starts_with("replace")).collect::<Vec<_>>().join("\n");
    for example in ["donchian", "rsi"] {
        let place = folder.path().join("project").join(example);
        copy_files(&root().join("examples/go").join(example), &place);
    }
    fs::write(folder.path().join("project/go.mod"), own + "\n").unwrap();
    folder
}

#[test]
fn the_module_is_complete_and_passes_its_tests() {
    let folder = project();
    let told = run(go(&folder).args(["test", "./...", "ta-bot.internal/tabot", "ta-bot.internal/tabot/indicators"]));
    assert_eq!(told.matches("ok  \t").count(), 4, "{told}");
    run(go(&folder).args(["vet", "./..."]));
    run(go(&folder).args(["build", "-o", "build", "ta-bot.internal/tabot/cmd/tabot-build"]));
}

#[test]
fn the_build_names_a_mistake_in_a_declaration() {
    let folder = project();
    let path = folder.path().join("project/rsi/main.go");
    let example = fs::read_to_string(&path).unwrap();
    fs::write(&path, example.replacen("default:\"14\"", "default:\"1\"", 1)).unwrap();
    let mut command = go(&folder);
    command.args(["run", "ta-bot.internal/tabot/cmd/tabot-build", "-o", "rsi.wasm", "./rsi"]);
    let (passed, told) = said(command.env("GO", in_venv("go")));
    assert!(!passed && told.contains("the default of Parameters.Period: period = 1 must be from 2 to 100"), "{told}");
}

#[test]
fn the_readme_works_as_it_is() {
    let folder = project();
    let copied = folder.path().join("project/breakout");
    fs::create_dir(&copied).unwrap();
    for (block, name) in readme("go", "go").iter().zip(["main.go", "main_test.go"]) {
        fs::write(copied.join(name), block).unwrap();
    }
    run(go(&folder).args(["test", "./breakout"]));
}
