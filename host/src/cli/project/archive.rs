//! What a new project consists of. The binary carries the folders `sdk/templates` and `sdk/<language>` of the
//! repository in an archive; a project is put together from them.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Cursor, Read as _},
    path::{Path, PathBuf},
};

use ta_bot_core::StrategyId;
use zip::ZipArchive;

use super::{FILE, ProjectError, Recipe};
use crate::cli::args::Language;

static ARCHIVE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/authoring.zip"));

/// The id and the name that stand for the strategy's in the templates.
const ID: &str = "my_strategy";
const NAME: &str = "My strategy";
/// Files of which a template has the first part, and all templates share the rest.
const IN_TWO_PARTS: [&str; 2] = ["README.md", ".gitignore"];

/// The files of a project, by their path in it.
type Files = BTreeMap<String, Vec<u8>>;

impl Language {
    /// The folder of its template.
    const fn template(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Ts => "ts",
            Self::Js => "js",
            Self::Go => "go",
            Self::C => "c",
        }
    }

    /// The folder of its SDK.
    const fn sdk(self) -> &'static str {
        match self {
            Self::Rust => "sdk/rust/",
            Self::Python => "sdk/python/src/",
            Self::Ts | Self::Js => "sdk/js/",
            Self::Go => "sdk/go/",
            Self::C => "sdk/c/",
        }
    }
}

/// Makes a project in a new folder, or in one that is empty. If it can't be made as a whole, nothing is left.
pub(in crate::cli) fn write(language: Language, name: &StrategyId, folder: &Path) -> Result<(), ProjectError> {
    let files = files(language, name)?;
    let unwritten = |reason| ProjectError::Unwritten { path: folder.to_owned(), reason };
    // Made beside the place where it goes, so that it comes there in one step. Whatever is not moved away is removed.
    let folder = if folder.is_absolute() { folder.to_owned() } else { Path::new(".").join(folder) };
    let parent = folder.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(unwritten)?;
    let place = tempfile::Builder::new().prefix(".ta-bot-new-").tempdir_in(parent).map_err(unwritten)?;
    let made = place.path().join(name.as_str());
    fill(&made, &files).map_err(unwritten)?;
    fs::rename(&made, &folder).map_err(|reason| match reason.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => {
            ProjectError::Exists { path: folder.clone() }
        }
        _ => ProjectError::Unwritten { path: folder.clone(), reason },
    })
}

/// What a project in this language says of how it is built.
pub(in crate::cli) fn recipe(language: Language) -> Result<Recipe, ProjectError> {
    let text = read(&format!("sdk/templates/{}/", language.template()))?.remove(FILE).unwrap_or_default();
    Recipe::read(&String::from_utf8_lossy(&text)).map_err(|error| ProjectError::Archive(error.to_string()))
}

/// All files of a project: what every project has, the SDK, and the template, whose files stand in for others of the
/// same name.
fn files(language: Language, name: &StrategyId) -> Result<Files, ProjectError> {
    let mut files = Files::new();
    for (path, bytes) in read("sdk/templates/common/")? {
        files.insert(path, named(&bytes, name));
    }
    for (path, bytes) in read(language.sdk())?.into_iter().chain(read("LICENSE")?) {
        let path = if path.is_empty() { "LICENSE" } else { &path };
        files.insert(format!("sdk/{path}"), bytes);
    }
    for (path, bytes) in read(&format!("sdk/templates/{}/", language.template()))? {
        let mut bytes = named(&bytes, name);
        if IN_TWO_PARTS.contains(&path.as_str()) {
            bytes.extend(files.remove(&path).unwrap_or_default());
        }
        files.insert(path, bytes);
    }
    Ok(files)
}

/// The files of the archive whose names begin so, without that beginning.
fn read(beginning: &str) -> Result<Files, ProjectError> {
    let broken = |error: &dyn std::error::Error| ProjectError::Archive(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(ARCHIVE)).map_err(|error| broken(&error))?;
    let mut files = Files::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(|error| broken(&error))?;
        let name = file.name().map_err(|error| broken(&error))?.into_owned();
        let Some(path) = name.strip_prefix(beginning).map(str::to_owned) else { continue };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| broken(&error))?;
        files.insert(path, bytes);
    }
    Ok(files)
}

/// A file of a template, with the strategy's own id and name. What is no text is left as it is.
fn named(bytes: &[u8], id: &StrategyId) -> Vec<u8> {
    let Ok(text) = str::from_utf8(bytes) else { return bytes.to_vec() };
    text.replace(ID, id.as_str()).replace(NAME, &title(id)).into_bytes()
}

/// The id as a name for people: `mean_reversion` is `Mean reversion`.
fn title(id: &StrategyId) -> String {
    let words = id.as_str().replace('_', " ");
    let (first, rest) = words.split_at(1);
    first.to_uppercase() + rest
}

/// Writes the files into a new folder.
fn fill(folder: &Path, files: &Files) -> io::Result<()> {
    for (path, bytes) in files {
        let path: PathBuf = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn a_project_has_what_it_needs_and_its_own_name() {
        let name: StrategyId = "mean_reversion".parse().unwrap();
        for language in Language::value_variants() {
            let files = files(*language, &name).unwrap();
            for path in [FILE, "README.md", ".gitignore", "cases.json", "candles/BTCUSDT_1h.csv", "sdk/README.md"] {
                assert!(files.contains_key(path), "{language:?} has no {path}");
            }
            let readme = String::from_utf8(files["README.md"].clone()).unwrap();
            assert!(readme.starts_with("# Mean reversion\n") && readme.contains("## Cases"), "{readme}");
            let own = files.iter().filter(|(path, _)| !path.starts_with("sdk/"));
            for (path, bytes) in own {
                assert!(!String::from_utf8_lossy(bytes).contains(ID), "{language:?}: {path} has the template's name");
            }
            assert_eq!(recipe(*language).unwrap().name.as_str(), ID);
        }
    }

    #[test]
    fn what_a_build_leaves_is_not_carried() {
        for path in read("").unwrap().keys() {
            assert!(!path.contains("node_modules") && !path.contains("__pycache__"), "{path}");
        }
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_half_stays() {
        let home = tempfile::tempdir().unwrap();
        let name: StrategyId = "breakout".parse().unwrap();
        let folder = home.path().join("one");
        write(Language::C, &name, &folder).unwrap();
        fs::write(folder.join("strategy.c"), "mine").unwrap();
        let again = write(Language::C, &name, &folder).unwrap_err();
        assert!(matches!(again, ProjectError::Exists { .. }), "{again}");
        assert_eq!(fs::read(folder.join("strategy.c")).unwrap(), b"mine");
        fs::write(home.path().join("file"), "mine").unwrap();
        assert!(matches!(write(Language::C, &name, &home.path().join("file")), Err(ProjectError::Exists { .. })));
        fs::create_dir(home.path().join("empty")).unwrap();
        write(Language::C, &name, &home.path().join("empty")).unwrap();
        let mut names: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["empty", "file", "one"], "nothing else is left");
    }
}
