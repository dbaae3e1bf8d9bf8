//! The bytes of modules are read and compiled in children only.

use std::{fs, path::Path};

use crate::source;

/// The sources of a folder, without their tests.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() {
            if name != "tests" {
                sources(&entry, found);
            }
        } else if entry.extension().is_some_and(|extension| extension == "rs")
            && !["tests.rs", "testing.rs", "contract.rs"].contains(&name.as_str())
        {
            let text = fs::read_to_string(&entry).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            found.push((entry.display().to_string(), code));
        }
    }
}

/// A sandbox without children is for trusted modules, tests and the child itself, which `host/wasm` makes.
#[test]
fn every_sandbox_of_the_service_and_its_commands_has_children() {
    let mut found = Vec::new();
    for folder in ["host/src", "host/engine/src", "host/api/src", "host/drivers/src"] {
        sources(&source::root().join(folder), &mut found);
    }
    let mut sandboxes = 0;
    for (file, code) in &found {
        let made = code.matches("Sandbox::new(").count() + code.matches("Sandbox::counting_fuel(").count();
        let with_children = code.matches(".with_children(").count();
        assert!(with_children >= made, "{file} makes {made} sandboxes, and {with_children} of them have children");
        assert!(
            !code.contains("ta_bot_wasm::inspect("),
            "{file} inspects in this process: ask a sandbox or `Children`"
        );
        sandboxes += made;
    }
    assert!(sandboxes > 4, "{sandboxes} sandboxes: the search finds too little");
}
