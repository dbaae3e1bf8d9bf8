//! How many modules a folder holds side by side.

use std::{fs, path::Path};

use crate::source;

/// With more modules than this in a folder a reader loses track.
const MOST: usize = 12;
/// Folders that may hold more: each entry is one word of the domain, one route or one command.
const LISTS: [&str; 3] = ["host/core/src", "host/api/src/routes", "host/src/cli"];

fn check(folder: &Path, problems: &mut Vec<String>) {
    let root = source::root();
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            check(&entry, problems);
        }
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        if !["lib", "main", "tests"].contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort();
    names.dedup();
    let shown = folder.strip_prefix(&root).unwrap();
    if names.len() > MOST && !LISTS.iter().any(|list| shown.starts_with(list)) {
        problems.push(format!("{} holds {}: {}", shown.display(), names.len(), names.join(", ")));
    }
}

#[test]
fn no_folder_holds_more_modules_than_a_reader_can_take_in() {
    let mut problems = Vec::new();
    for (_, folder) in source::CRATES {
        check(&source::root().join(folder).join("src"), &mut problems);
    }
    assert!(problems.is_empty(), "more than {MOST} side by side:\n{}", problems.join("\n"));
}
