//! Where the servers' programs are. Nothing is installed from here: a test that installs would need the network and
//! root.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// A command of the system.
pub(crate) fn system(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // A user's PATH often lacks the folders of daemons.
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    in_folders(name, folders)
}

/// A command of the tests' Python packages.
pub(crate) fn in_venv(name: &str) -> Result<PathBuf> {
    in_folders(name, [venv().join("bin")])
}

fn venv() -> PathBuf {
    env::var_os("VENV").map_or_else(|| root().join("target/venv"), PathBuf::from)
}

/// A program inside one of the tests' Python packages.
pub(crate) fn in_packages(name: &str) -> Result<PathBuf> {
    let lib = venv().join("lib");
    let folders = fs::read_dir(&lib).into_iter().flatten().flatten();
    in_folders(name, folders.map(|python| python.path().join("site-packages")))
}

/// A program that `scripts/build-kube-apiserver.sh` built.
pub(crate) fn in_cache(name: &str) -> Result<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => env::home_dir().context("the home folder is unknown: set HOME")?.join(".cache"),
    };
    in_folders(name, [cache.join("ta-bot")])
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn in_folders(name: &str, folders: impl IntoIterator<Item = PathBuf>) -> Result<PathBuf> {
    let found = folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    let Some(path) = found else { bail!("{name} is not installed: run `make test-setup`") };
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_server_names_the_remedy() {
        let message = system("no-such-server").err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(message, "no-such-server is not installed: run `make test-setup`");
    }
}
