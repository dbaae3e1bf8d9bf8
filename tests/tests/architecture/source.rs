//! The modules of a crate, read from its source files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, File, Item, ItemMod, ItemUse, UseTree,
    visit::{self, Visit},
};

/// A path of names, such as `market::cache`; the root of a crate is empty.
pub(crate) type Name = Vec<String>;

/// The crates of the host: the name by which they import each other, and the folder.
pub(crate) const CRATES: [(&str, &str); 7] = [
    ("ta_bot", "host"),
    ("ta_bot_api", "host/api"),
    ("ta_bot_backtest", "host/backtest"),
    ("ta_bot_drivers", "host/drivers"),
    ("ta_bot_engine", "host/engine"),
    ("ta_bot_wasm", "host/wasm"),
    ("ta_bot_core", "host/core"),
];

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A module that has a file of its own.
pub(crate) struct Module {
    /// The modules and items of this crate that it names, without those that its tests name.
    pub(crate) imports: BTreeSet<Name>,
    /// Whether it holds nothing but modules and what it hands on from them.
    pub(crate) is_room: bool,
    /// What it hands on, by the name that each item has here.
    pub(crate) handed_on: BTreeMap<String, Name>,
}

/// The modules of a crate, by name. Modules that exist only for tests are left out.
pub(crate) fn modules(folder: &str) -> BTreeMap<Name, Module> {
    let source = root().join(folder).join("src");
    let mut found = BTreeMap::new();
    read(&source.join("lib.rs"), &source, &Name::new(), &mut found);
    found
}

fn read(file: &Path, children: &Path, name: &Name, found: &mut BTreeMap<Name, Module>) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let parsed: File = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut reader = Reader { module: name.clone(), inner: 0, imports: BTreeSet::new() };
    reader.visit_file(&parsed);
    let listed = |item: &Item| matches!(item, Item::Mod(_) | Item::Use(_)) || is_test(attributes(item));
    let mut handed_on = BTreeMap::new();
    for item in &parsed.items {
        if let Item::Use(ItemUse { tree, .. }) = item {
            let mut paths = Vec::new();
            flatten(tree, &Name::new(), &mut paths);
            handed_on.extend(paths.into_iter().map(|(path, shown)| {
                (shown, absolute(&path, name, 0).unwrap_or_else(|| [name.clone(), path].concat()))
            }));
        }
    }
    let is_room = !name.is_empty() && parsed.items.iter().all(listed);
    found.insert(name.clone(), Module { imports: reader.imports, is_room, handed_on });
    for item in &parsed.items {
        if let Item::Mod(ItemMod { ident, content: None, attrs, .. }) = item
            && !is_test(attrs)
        {
            let child = [name.clone(), vec![ident.to_string()]].concat();
            let file = children.join(format!("{ident}.rs"));
            read(&file, &children.join(ident.to_string()), &child, found);
        }
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether an item with these attributes is compiled for tests only, including the test suites of the ports.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        is_cfg && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains("test"))
    })
}

/// Collects the paths that a module names.
struct Reader {
    module: Name,
    /// How many inline modules surround the current place.
    inner: usize,
    imports: BTreeSet<Name>,
}

impl Reader {
    fn note(&mut self, path: &[String]) {
        self.imports.extend(absolute(path, &self.module, self.inner));
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            self.inner += usize::from(item.content.is_some());
            visit::visit_item_mod(self, item);
            self.inner -= usize::from(item.content.is_some());
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_test(&item.attrs) {
            let mut paths = Vec::new();
            flatten(&item.tree, &Name::new(), &mut paths);
            for (path, _) in &paths {
                self.note(path);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(&path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>());
        visit::visit_path(self, path);
    }
}

/// The path from the crate's root, if it is within the crate.
fn absolute(path: &[String], module: &Name, inner: usize) -> Option<Name> {
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "super" => {
            let up = path.iter().take_while(|name| *name == "super").count();
            let kept = module.len().checked_sub(up.saturating_sub(inner))?;
            (up > inner).then(|| [&module[..kept], &path[up..]].concat())
        }
        _ => None,
    }
}

/// Collects each path of an import, and the name under which it is known.
fn flatten(tree: &UseTree, before: &Name, paths: &mut Vec<(Name, String)>) {
    let with = |name: String| [before.clone(), vec![name]].concat();
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &with(path.ident.to_string()), paths),
        UseTree::Name(name) if name.ident == "self" => {
            paths.push((before.clone(), before.last().cloned().unwrap_or_default()));
        }
        UseTree::Name(name) => paths.push((with(name.ident.to_string()), name.ident.to_string())),
        UseTree::Rename(name) => paths.push((with(name.ident.to_string()), name.rename.to_string())),
        UseTree::Glob(_) => paths.push((before.clone(), "*".to_owned())),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before, paths);
            }
        }
    }
}
