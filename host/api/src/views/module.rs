//! The JSON view of a module, for the API and the commands.

use serde::Serialize;
use utoipa::ToSchema;

use ta_bot_engine::modules::{
    admission::Verdict,
    module_store::{Judgement, KeptModule, RemovedModule},
};

/// A stored module.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModuleView {
    /// The SHA-256 of the bytes, which identifies the module.
    pub digest: String,
    pub size_bytes: u64,
    /// `bundled`: it came with the service and was not uploaded. `checking`: it was uploaded and is being checked.
    /// `admitted`: it may be enabled. `refused`: it may not; `reason` or `verdict` says why.
    pub state: &'static str,
    /// Who uploaded it; null for a bundled one.
    pub uploaded_by: Option<String>,
    pub uploaded_at: Option<String>,
    /// The public key that signed it; null if no signature was required.
    pub signed_by: Option<String>,
    /// The strategy that it holds, once that is known.
    pub strategy: Option<String>,
    /// The version of the strategy, as declared by the module.
    pub version: Option<String>,
    /// The version of the interface that the module implements.
    pub wit_version: Option<String>,
    pub checked_at: Option<String>,
    /// Why it can't be run at all: a stable code here, and the words in `reason`. Null if it can be run.
    pub code: Option<String>,
    pub reason: Option<String>,
    /// Each check of its admission, with the result and the cost; null until it has been checked.
    pub verdict: Option<Verdict>,
}

impl From<KeptModule> for ModuleView {
    fn from(module: KeptModule) -> Self {
        let state = match (&module.upload, &module.judgement) {
            (None, _) => "bundled",
            (Some(_), None) => "checking",
            (Some(_), Some(judgement)) if judgement.admits() => "admitted",
            (Some(_), Some(_)) => "refused",
        };
        let upload = module.upload.as_ref();
        let mut view = Self {
            digest: module.digest.to_string(),
            size_bytes: module.size,
            state,
            uploaded_by: upload.map(|upload| upload.by.clone()),
            uploaded_at: upload.map(|upload| upload.at.to_string()),
            signed_by: upload.and_then(|upload| upload.signed_by.clone()),
            strategy: None,
            version: None,
            wit_version: None,
            checked_at: None,
            code: None,
            reason: None,
            verdict: None,
        };
        match module.judgement {
            None => {}
            Some(Judgement::Unusable { at, code, reason, .. }) => {
                (view.checked_at, view.code, view.reason) = (Some(at.to_string()), Some(code), Some(reason));
            }
            Some(Judgement::Checked { at, version, wit_version, verdict }) => {
                (view.checked_at, view.strategy) = (Some(at.to_string()), Some(verdict.strategy.clone()));
                (view.version, view.wit_version) = (Some(version), Some(wit_version));
                view.verdict = Some(verdict);
            }
        }
        view
    }
}

/// A module that was removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovedView {
    /// The SHA-256 of the bytes.
    pub digest: String,
    pub size_bytes: u64,
    /// Who had uploaded it; null if that could not be read.
    pub uploaded_by: Option<String>,
    pub uploaded_at: Option<String>,
    pub removed_by: String,
    pub removed_at: String,
    /// Why it was removed, as far as that was said.
    pub reason: Option<String>,
}

impl From<RemovedModule> for RemovedView {
    fn from(module: RemovedModule) -> Self {
        let upload = module.upload.as_ref();
        Self {
            digest: module.digest.to_string(),
            size_bytes: module.size,
            uploaded_by: upload.map(|upload| upload.by.clone()),
            uploaded_at: upload.map(|upload| upload.at.to_string()),
            removed_by: module.removal.by,
            removed_at: module.removal.at.to_string(),
            reason: module.removal.reason,
        }
    }
}
