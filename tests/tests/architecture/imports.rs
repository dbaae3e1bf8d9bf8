//! Imports run in one direction: between crates, as their manifests say, and within each crate from module to module.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::source::{self, Module, Name};

/// The crates of the host in the order of their imports: each may import those after it.
const ORDER: [&str; 7] =
    ["ta-bot", "ta-bot-api", "ta-bot-backtest", "ta-bot-drivers", "ta-bot-engine", "ta-bot-wasm", "ta-bot-core"];
/// The crates that the engine must not depend on.
const SERVERS: [&str; 6] = ["sqlx", "mongodb", "async-nats", "kube", "axum", "clap"];

/// The dependencies of a crate, without those of its tests.
fn dependencies(folder: &str) -> Vec<String> {
    let manifest = fs::read_to_string(source::root().join(folder).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let named = section.lines().filter(|line| !line.starts_with('#'));
    named
        .filter_map(|line| Some(line.split(['.', ' ', '=']).next()?.to_owned()))
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn crates_import_one_way() {
    for (name, folder) in source::CRATES {
        let name = name.replace('_', "-");
        let place = ORDER.iter().position(|one| *one == name).unwrap();
        for dependency in dependencies(folder) {
            if let Some(other) = ORDER.iter().position(|one| *one == dependency) {
                assert!(place < other, "{name} must not depend on {dependency}");
            }
        }
    }
    for folder in ["host/api", "host/backtest"] {
        assert!(!dependencies(folder).contains(&"ta-bot-drivers".to_owned()), "{folder} must not know of drivers");
    }
    let engine = dependencies("host/engine");
    for server in SERVERS {
        assert!(!engine.contains(&server.to_owned()), "the engine must not know of {server}");
    }
}

/// The module that an item is in, found through the rooms that hand it on.
fn home(path: &[String], modules: &BTreeMap<Name, Module>) -> Name {
    let length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length])).unwrap();
    let module = &modules[&path[..length]];
    match path.get(length).and_then(|name| module.handed_on.get(name)) {
        Some(further) if module.is_room && further.as_slice() != path => home(further, modules),
        _ => path[..length].to_vec(),
    }
}

/// The unit that must not take part in a circle of imports: the first module on the way to `module`, below `parent`,
/// that is no room.
fn unit(module: &[String], parent: usize, modules: &BTreeMap<Name, Module>) -> Option<Name> {
    let on_the_way = (parent + 1..=module.len()).map(|length| &module[..length]);
    on_the_way.into_iter().find(|name| !modules[*name].is_room).map(<[String]>::to_vec)
}

/// The imports between units below `parent`.
fn edges(parent: &Name, modules: &BTreeMap<Name, Module>) -> BTreeMap<Name, BTreeSet<Name>> {
    let mut edges: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
    for (name, module) in modules.iter().filter(|(name, _)| name.starts_with(parent)) {
        let Some(from) = unit(name, parent.len(), modules) else { continue };
        for import in &module.imports {
            let home = home(import, modules);
            if home.starts_with(parent)
                && let Some(to) = unit(&home, parent.len(), modules)
                && to != from
            {
                edges.entry(from.clone()).or_default().insert(to);
            }
        }
    }
    edges
}

/// A path along the imports that ends with the module that it begins with.
fn circle(edges: &BTreeMap<Name, BTreeSet<Name>>) -> Option<Vec<Name>> {
    fn walk(at: &Name, edges: &BTreeMap<Name, BTreeSet<Name>>, way: &mut Vec<Name>, done: &mut BTreeSet<Name>) -> bool {
        if let Some(begin) = way.iter().position(|name| name == at) {
            way.drain(..begin);
            way.push(at.clone());
            return true;
        }
        if done.contains(at) {
            return false;
        }
        way.push(at.clone());
        if edges.get(at).into_iter().flatten().any(|next| walk(next, edges, way, done)) {
            return true;
        }
        way.pop();
        done.insert(at.clone());
        false
    }
    let (mut way, mut done) = (Vec::new(), BTreeSet::new());
    edges.keys().any(|name| walk(name, edges, &mut way, &mut done)).then_some(way)
}

#[test]
fn no_module_imports_in_a_circle() {
    let mut circles = Vec::new();
    for (_, folder) in source::CRATES {
        let modules = source::modules(folder);
        for parent in modules.keys().filter(|name| name.is_empty() || !modules[*name].is_room) {
            if let Some(way) = circle(&edges(parent, &modules)) {
                let way: Vec<String> = way.iter().map(|name| name.join("::")).collect();
                circles.push(format!("{folder}: {}", way.join(" → ")));
            }
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found() {
    let name = |text: &str| vec![text.to_owned()];
    let edges = |pairs: &[(&str, &str)]| {
        let mut edges: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
        for (from, to) in pairs {
            edges.entry(name(from)).or_default().insert(name(to));
        }
        edges
    };
    assert_eq!(circle(&edges(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let found = circle(&edges(&[("a", "b"), ("b", "c"), ("c", "b")]));
    assert_eq!(found, Some(vec![name("b"), name("c"), name("b")]));
    // The source is really read: the engine's rooms and their modules are found, with their imports.
    let engine = source::modules("host/engine");
    assert!(engine[&vec!["market".to_owned()]].is_room);
    let cache = vec!["market".to_owned(), "cache".to_owned()];
    assert!(!engine[&cache].is_room && !engine[&cache].imports.is_empty());
}
