//! The folder of the pages: what is in it, and what should be.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::MARK;
use crate::cli::error::{Difference, DocsError};

/// The files of the folder, by name.
pub(super) type Pages = BTreeMap<String, String>;

/// The folder and what should be in it.
pub(super) struct Folder<'a> {
    path: &'a Path,
    pages: Pages,
}

/// What was written, or checked.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    /// How many files there are.
    pub(super) files: usize,
    /// The files that were missing or differed.
    pub(super) changed: Vec<String>,
    /// The files of a strategy or chart that no longer exists.
    pub(super) removed: Vec<String>,
    /// Pages and charts that this command did not write.
    pub(super) foreign: Vec<String>,
}

impl<'a> Folder<'a> {
    pub(super) const fn new(path: &'a Path, pages: Pages) -> Self {
        Self { path, pages }
    }

    /// Fails with what differs, if anything does.
    pub(super) fn check(&self) -> Result<Written, DocsError> {
        let mut differences = Vec::new();
        for (name, text) in &self.pages {
            let problem = match self.read(name)? {
                None => "is missing",
                Some(there) if &there != text => "differs",
                Some(_) => continue,
            };
            differences.push(Difference { file: name.clone(), problem });
        }
        let others = self.others()?.into_iter();
        differences.extend(others.map(|file| Difference { file, problem: "belongs to no strategy and no signal" }));
        if differences.is_empty() {
            return Ok(Written { files: self.pages.len(), changed: vec![], removed: vec![], foreign: vec![] });
        }
        Err(DocsError::Outdated { path: self.path.to_owned(), differences })
    }

    /// Writes the files that differ, and removes files that it wrote earlier and that are no longer needed.
    pub(super) fn write(&self) -> Result<Written, DocsError> {
        let mut written = Written { files: self.pages.len(), changed: vec![], removed: vec![], foreign: vec![] };
        fs::create_dir_all(self.path).map_err(|reason| failed(self.path.to_owned(), "made", reason))?;
        for (name, text) in &self.pages {
            if self.read(name)?.as_ref() != Some(text) {
                let path = self.path.join(name);
                fs::write(&path, text).map_err(|reason| failed(path, "written", reason))?;
                written.changed.push(name.clone());
            }
        }
        for name in self.others()? {
            if self.read(&name)?.is_some_and(|text| text.contains(MARK)) {
                let path = self.path.join(&name);
                fs::remove_file(&path).map_err(|reason| failed(path, "removed", reason))?;
                written.removed.push(name);
            } else {
                written.foreign.push(name);
            }
        }
        Ok(written)
    }

    /// The text of a file, or `None` if there is no file. Bytes that are not text differ from every page.
    fn read(&self, name: &str) -> Result<Option<String>, DocsError> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(reason) => Err(failed(path, "read", reason)),
        }
    }

    /// The pages and charts in the folder that should not be there, by name.
    fn others(&self) -> Result<Vec<String>, DocsError> {
        let unreadable = |reason| failed(self.path.to_owned(), "read", reason);
        let entries = match fs::read_dir(self.path) {
            Ok(entries) => entries.collect::<io::Result<Vec<_>>>().map_err(unreadable)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(reason) => return Err(unreadable(reason)),
        };
        let names = entries.into_iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let is_page = |name: &String| Path::new(name).extension().is_some_and(|end| end == "md" || end == "svg");
        let mut others: Vec<String> = names.filter(|name| is_page(name) && !self.pages.contains_key(name)).collect();
        others.sort();
        Ok(others)
    }
}

const fn failed(path: PathBuf, action: &'static str, reason: io::Error) -> DocsError {
    DocsError::Folder { path, action, reason }
}
