//! `ta-bot new` and `ta-bot build`.

use std::fs;

use super::{LANGUAGES, Project};
use crate::run::Home;

#[test]
fn every_language_is_listed_with_what_it_needs() {
    let home = Home::new();
    let list = home.json(&["new", "--list"]);
    let languages: Vec<_> = list["languages"].as_array().unwrap().iter().map(|entry| &entry["language"]).collect();
    assert_eq!(languages, LANGUAGES);
    let text = home.run(["new", "--list"]).succeeded().stdout;
    for word in ["Rust from", "componentize-py 0.", "Go from", "a C compiler", "ta-bot new NAME --lang"] {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

#[test]
fn a_name_is_an_id_and_nothing_is_overwritten() {
    let home = Home::new();
    home.run(["new", "Breakout", "--lang", "c"]).failed(2, &["no strategy id", "lower case letters"]);
    home.run(["new", "breakout", "--lang", "cobol"]).failed(2, &["rust, python, ts, js, go, c"]);
    home.run(["new", "breakout"]).failed(2, &["--lang"]);
    home.run(["new", "breakout", "--lang", "c", "--into", "some/where"]).succeeded();
    assert!(home.path().join("some/where/strategy.c").is_file());
    let error = home.json(&["new", "other", "--lang", "js", "--into", "some/where"]);
    assert_eq!(error["error"]["code"], "file_exists", "{error}");
    let left: Vec<_> =
        fs::read_dir(home.path().join("some")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["where"], "nothing half-written stays");
    home.run(["new", "other", "--lang", "js", "--into", "/proc/other"])
        .failed(1, &["can't be written", "nothing was left"]);
}

#[test]
fn whatever_is_no_project_is_named() {
    let home = Home::new();
    home.run(["build"]).failed(1, &["no ta-bot.toml", "ta-bot new NAME"]);
    home.run(["test", "absent"]).failed(1, &["absent is no project"]);
    let project = Project::new("c");
    project.edit("ta-bot.toml", "[watch]", "[watsh]");
    project.run(&["build"]).failed(1, &["ta-bot.toml can't be read", "unknown field `watsh`"]);
    project.edit("ta-bot.toml", "[watsh]", "[watch]");
    project.edit("ta-bot.toml", "component = \"build/channel_c.wasm\"", "component = \"build/other.wasm\"");
    project.run(&["build"]).failed(1, &["made no component", "other.wasm"]);
}

/// What the compiler says reaches the author, with file and line.
#[test]
fn a_mistake_in_the_source_is_shown() {
    let project = Project::new("c");
    project.edit("strategy.c", "double close =", "duble close =");
    project.run(&["build"]).failed(1, &["sdk/build.sh", "strategy.c:18", "duble"]);
    let error = project.json(&["build"]);
    assert_eq!(error["error"]["code"], "build_failed");
    assert!(!project.component().exists());
}

#[test]
fn the_component_and_the_project_have_one_name() {
    let project = Project::new("c");
    project.edit("strategy.c", ".id = \"channel_c\"", ".id = \"another\"");
    project.run(&["test"]).failed(1, &["the component is another", "name = \"channel_c\""]);
}
