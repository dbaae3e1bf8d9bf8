//! The page names every module that exists, and none that does not.

use std::{collections::BTreeSet, fs};

use crate::source;

/// The modules that the page must name: those of each crate's root, and those of its rooms.
fn expected() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, folder) in source::CRATES {
        let modules = source::modules(folder);
        let is_named = |name: &source::Name| (1..name.len()).all(|length| modules[&name[..length]].is_room);
        let short = folder.strip_prefix("host/").unwrap_or(folder);
        let named = modules.keys().filter(|name| !name.is_empty() && is_named(name));
        names.extend(named.map(|name| format!("{short}::{}", name.join("::"))));
    }
    names
}

/// The modules that the page's tables name: the first column of the tables under "Modules", below the heading of a
/// crate.
fn named(page: &str) -> BTreeSet<String> {
    let section = page.split("\n## Modules\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut names = BTreeSet::new();
    for part in section.split("\n### `").skip(1) {
        let crate_name = part.split('`').next().unwrap();
        for row in part.lines().filter(|line| line.starts_with("| `")) {
            names.insert(format!("{crate_name}::{}", row.split('`').nth(1).unwrap()));
        }
    }
    names
}

#[test]
fn the_page_names_every_module_and_no_other() {
    let page = fs::read_to_string(source::root().join("docs/architecture.md")).unwrap();
    let (expected, named) = (expected(), named(&page));
    let missing: Vec<_> = expected.difference(&named).collect();
    let gone: Vec<_> = named.difference(&expected).collect();
    assert!(missing.is_empty() && gone.is_empty(), "docs/architecture.md lacks {missing:#?} and names {gone:#?}");
}
