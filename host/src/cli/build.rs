//! `ta-bot build`: the component of a project, whatever its language.

use std::{fmt, fs, path::Path, time::Instant};

use serde::Serialize;
use ta_bot_core::{ModuleDigest, millis};

use super::{
    args::BuildWanted,
    error::{CliError, ProjectError, shown},
    output::{Output, note},
    project::{Project, Purpose, need},
};

/// Builds the component.
pub(super) fn build(output: Output, wanted: &BuildWanted) -> Result<(), CliError> {
    let project = Project::open(&wanted.folder)?;
    let tell = |text: &str| {
        if !output.json {
            note(text);
        }
    };
    need(&project, Purpose::Build, wanted.install, tell)?;
    // The native tests' own tools come along. Without them there can be a component all the same.
    if wanted.install {
        match need(&project, Purpose::Test, true, tell) {
            Err(ProjectError::Tools(lacking)) => {
                for lack in lacking {
                    tell(&format!("for the tests: {lack}"));
                }
            }
            other => other?,
        }
    }
    let begun = Instant::now();
    project.build()?;
    let built = Built::new(&project.component(), begun)?;
    output.answer(&built)
}

/// A component that was built.
#[derive(Debug, Serialize)]
pub(super) struct Built {
    pub(super) component: String,
    size_bytes: usize,
    pub(super) digest: String,
    /// How long the build took.
    build_ms: f64,
}

impl Built {
    /// Describes a component whose build began then.
    pub(super) fn new(path: &Path, begun: Instant) -> Result<Self, ProjectError> {
        let build_ms = millis(begun.elapsed());
        let bytes = fs::read(path).map_err(|reason| ProjectError::unreadable(path, reason))?;
        let digest = ModuleDigest::of(&bytes).to_string();
        Ok(Self { component: shown(path), size_bytes: bytes.len(), digest, build_ms })
    }
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { component, size_bytes, digest, build_ms } = self;
        write!(f, "{component}: {size_bytes} bytes, digest {digest}, built in {:.1} s", build_ms / 1000.0)
    }
}
