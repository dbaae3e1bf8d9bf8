//! The npm tarball, in JavaScript and in TypeScript.

use std::{fs, path::Path, process::Command};

use ta_bot_tests::root;
use tempfile::TempDir;

use crate::{conformance, copy_files, only_file, readme, run, said};

/// A project with the package installed from its tarball.
fn project() -> TempDir {
    let folder = TempDir::new().unwrap();
    let quiet = ["--silent", "--no-audit", "--no-fund", "--offline"];
    run(Command::new("npm")
        .arg("pack")
        .args(quiet)
        .arg("--pack-destination")
        .arg(folder.path())
        .current_dir(root().join("sdk/js")));
    fs::write(folder.path().join("package.json"), r#"{"type": "module", "private": true}"#).unwrap();
    let tarball = only_file(folder.path(), ".tgz");
    run(Command::new("npm").arg("install").args(quiet).arg(&tarball).current_dir(folder.path()));
    folder
}

fn typescript(folder: &Path) -> Command {
    let mut command = Command::new(root().join("examples/js/node_modules/.bin/tsc"));
    command.current_dir(folder);
    command
}

#[test]
fn the_tarball_is_complete_and_passes_its_tests() {
    let folder = project();
    let installed = folder.path().join("node_modules/ta-bot-sdk");
    for file in ["wit/strategy.wit", "bin/ta-bot-sdk.js", "src/index.d.ts", "src/indicators/trend.js", "README.md"] {
        assert!(installed.join(file).is_file(), "{file} is not in the tarball");
    }
    assert!(!installed.is_symlink() && !installed.join("test").exists());
    copy_files(&root().join("sdk/js/test"), &folder.path().join("test"));
    copy_files(&root().join("examples/js"), &folder.path().join("examples"));
    let files = ["conformance", "mistakes", "strategies"].map(|name| format!("test/{name}.test.js"));
    let mut command = Command::new("node");
    command.arg("--test").args(files).arg("examples/examples.test.js");
    let said = run(command.env("TA_BOT_CONFORMANCE", conformance()).current_dir(folder.path()));
    assert!(said.contains("# fail 0") && !said.contains("# pass 0"), "{said}");
}

#[test]
fn types_follow_from_the_declaration() {
    let folder = project();
    copy_files(&root().join("examples/js"), folder.path());
    run(&mut typescript(folder.path()));
    let example = fs::read_to_string(folder.path().join("rsi.ts")).unwrap();
    for (right, wrong, message) in [
        ("const { period, oversold", "const { periods, oversold", "Property 'periods' does not exist"),
        ("direction !== 'short'", "direction !== 'shorts'", "have no overlap"),
        ("rationale:", "rational:", "'rational' does not exist in type 'Fields'"),
        ("columns: ['close']", "columns: ['closes']", "Type '\"closes\"' is not assignable to type 'Column'"),
        ("'oversold', 'overbought'", "'oversold', 'overbouhgt'", "'\"overbouhgt\"' is not assignable"),
        ("text('both'", "text('all'", "'\"all\"' is not assignable"),
    ] {
        assert!(example.contains(right), "{right}");
        fs::write(folder.path().join("rsi.ts"), example.replacen(right, wrong, 1)).unwrap();
        let (passed, told) = said(&mut typescript(folder.path()));
        assert!(!passed && told.contains(message), "{wrong}: {told}");
    }
}

#[test]
fn the_build_names_a_mistake_before_anything_is_built() {
    let build = |name: &str, text: &str| {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let mut command = Command::new("node");
        command.arg(root().join("sdk/js/bin/ta-bot-sdk.js")).arg("build").arg(&file).arg("--output");
        command.arg(folder.path().join("component.wasm")).current_dir(root().join("examples/js"));
        said(&mut command)
    };
    let define = "import { defineStrategy } from 'ta-bot-sdk';\n";
    for (name, text, message) in [
        ("a.js", "export const nothing = 1;\n", "the module must have `export default defineStrategy"),
        (
            "a.js",
            "\nundefined.close;\n",
            "TypeError: Cannot read properties of undefined (reading 'close') (a.js, line 2",
        ),
        ("a.ts", "type Long = {\n  a: number;\n};\n(undefined as unknown as Long).a;\n", "(a.js, line 4"),
        ("a.js", "import 'lodash';\n", "a.js imports lodash: a component has ta-bot-sdk and the files beside"),
        ("a.js", "import './b.js';\n", "a.js imports ./b.js, and there is no such file"),
        ("a.ts", "\nenum A { B }\n", "a.ts, line 2: this TypeScript can't be removed as a type"),
    ] {
        let (passed, told) = build(name, text);
        assert!(!passed && told.contains(message), "{text}: {told}");
    }
    let (passed, told) = build("a.js", &format!("{define}export default defineStrategy({{ lookBack: 1 }});\n"));
    assert!(!passed && told.contains("lookBack is no field of a strategy (did you mean lookback?)"), "{told}");
    assert!(told.contains("(a.js, line 2"), "{told}");
}

#[test]
fn the_readme_works_as_it_is() {
    let folder = project();
    let [rule] = &readme("js", "ts")[..] else { panic!("one block of TypeScript") };
    let [test] = &readme("js", "js")[..] else { panic!("one block of JavaScript") };
    fs::write(folder.path().join("breakout.ts"), rule).unwrap();
    // An older Node.js has not learned to remove types: the packages do it here.
    let strip = root().join("examples/js/node_modules/ts-blank-space/out/index.js");
    let blank = format!("import strip from '{}'; import fs from 'node:fs'; ", strip.display())
        + "fs.writeFileSync('breakout.js', strip(fs.readFileSync('breakout.ts', 'utf8')));";
    run(Command::new("node").args(["--input-type=module", "--eval", &blank]).current_dir(folder.path()));
    fs::write(folder.path().join("breakout.test.js"), test.replace("./breakout.ts", "./breakout.js")).unwrap();
    let said = run(Command::new("node").arg("--test").arg("breakout.test.js").current_dir(folder.path()));
    assert!(said.contains("# pass 1"), "{said}");
    let settings = fs::read_to_string(root().join("examples/js/tsconfig.json")).unwrap();
    let files = "[\"donchian.js\", \"rsi.ts\"]";
    assert!(settings.contains(files), "{settings}");
    fs::write(folder.path().join("tsconfig.json"), settings.replace(files, "[\"breakout.ts\"]")).unwrap();
    run(&mut typescript(folder.path()));
}
