//! The modules of `STRATEGIES_DIR`: whether each is one that the service would compile.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use ta_bot_core::ModuleDigest;
use ta_bot_engine::{
    modules::bundled::{read_file, wasm_files},
    support::checkup::{Checkup, Finding, within},
};
use ta_bot_wasm::{Children, InspectError};

use super::LIMIT;
use crate::environment::Environment;

const FOLDER: &str = "folder";
const MODULES: &str = "modules";

/// The names of the checks, in order.
pub(super) const CHECKS: [&str; 2] = [FOLDER, MODULES];

/// How long looking at the modules may take.
const READING: Duration = Duration::from_secs(10);
/// How many digests are named.
const MOST: usize = 3;

pub(super) async fn look(environment: &Environment) -> Vec<Finding> {
    let folder = environment.strategies_dir.clone();
    within(LIMIT, &CHECKS, "let the disk of STRATEGIES_DIR answer", async |checkup| {
        let files = match files(&folder) {
            Ok(files) => files,
            Err(error) => {
                let found = format!("{} can't be read: {error}", folder.display());
                return checkup.wrong(FOLDER, found, "set STRATEGIES_DIR to the folder of the strategies' modules");
            }
        };
        if files.is_empty() {
            let found = format!("{} holds no *.wasm", folder.display());
            checkup.warning(FOLDER, found, "set STRATEGIES_DIR to the folder of the modules, or run `make strategies`");
            return checkup.ok(MODULES, "there are none to look at");
        }
        checkup.ok(FOLDER, format!("{} holds {} modules", folder.display(), files.len()));
        inspect(files, checkup).await;
    })
    .await
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = wasm_files(folder)?;
    files.sort();
    Ok(files)
}

/// What is known of a file.
enum Known {
    Module(ModuleDigest),
    /// What is wrong with it, and what to do.
    Unfit(String, &'static str),
    NotChecked(String),
}

/// Looks at each file in a process of its own, as many at once as there may be.
async fn inspect(files: Vec<PathBuf>, checkup: &mut Checkup) {
    let children = Children::of_this_program();
    let looks: Vec<_> = files
        .into_iter()
        .map(|path| {
            let children = children.clone();
            (path.clone(), tokio::task::spawn_blocking(move || known(&children, &path)))
        })
        .collect();
    let deadline = tokio::time::Instant::now() + READING;
    let mut digests = Vec::new();
    for (path, look) in looks {
        let name = path.file_name().unwrap_or_default().display();
        let Ok(looked) = tokio::time::timeout_at(deadline, look).await else {
            checkup.not_checked(MODULES, format!("{name}: there was no time for it, `ta-bot modules inspect` has"));
            continue;
        };
        match looked {
            Ok(Known::Module(digest)) => digests.push(format!("{name} {}", digest.short())),
            Ok(Known::Unfit(problem, fix)) => checkup.wrong(MODULES, format!("{name} {problem}"), fix),
            Ok(Known::NotChecked(why)) => checkup.not_checked(MODULES, format!("{name}: {why}")),
            Err(_) => checkup.not_checked(MODULES, format!("{name}: looking at it was given up")),
        }
    }
    if !checkup.has(MODULES) {
        let more = digests.len().saturating_sub(MOST);
        let named = digests.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        checkup.ok(MODULES, format!("all would be compiled: {named}{more}"));
    }
}

fn known(children: &Children, path: &Path) -> Known {
    const BUILD: &str = "put a component there that `ta-bot modules check FILE` passes, or remove the file";
    const READABLE: &str = "make the file readable for the user that runs TA Bot";
    let bytes = match read_file(path) {
        Ok(bytes) => bytes,
        Err(error) => return Known::Unfit(format!("can't be read: {error}"), READABLE),
    };
    match children.inspect(&mut &*bytes, bytes.len() as u64) {
        Ok(_) => Known::Module(ModuleDigest::of(&bytes)),
        Err(error @ InspectError::Unanswered(_)) => Known::NotChecked(error.to_string()),
        Err(error) => Known::Unfit(format!("is no strategy: {error}"), BUILD),
    }
}
