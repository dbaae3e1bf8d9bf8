//! What is known of modules.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Named;
use crate::{
    admission::Verdict,
    http::{
        answer::{Answer, Envelope},
        error::ApiError,
        openapi::ReadRefusals,
        write::Shared,
    },
    modules::{Judgement, KeptModule},
};

/// A module that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModuleView {
    /// SHA-256 of the bytes, by which the module is named.
    digest: String,
    size_bytes: u64,
    /// `bundled`: it came with the service and was not uploaded. `checking`: it was uploaded and is being checked.
    /// `admitted`: it may be enabled. `refused`: it may not; `reason` or `verdict` says why.
    state: &'static str,
    /// Who uploaded it; null for a bundled one.
    uploaded_by: Option<String>,
    uploaded_at: Option<String>,
    /// The public key whose signature it came with; null where none is asked for.
    signed_by: Option<String>,
    /// The strategy that it holds, once that is known.
    strategy: Option<String>,
    /// The version of the strategy, as it says itself.
    version: Option<String>,
    /// The version of the interface that it speaks.
    wit_version: Option<String>,
    checked_at: Option<String>,
    /// Why it can't be run at all, as a stable word and for people; null where it can.
    code: Option<String>,
    reason: Option<String>,
    /// Each check of admission, what came of it and what it cost; null before it was checked.
    verdict: Option<Verdict>,
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

/// The modules that were uploaded.
#[utoipa::path(
    get,
    path = "/api/v1/modules",
    operation_id = "list_modules",
    tag = "modules",
    responses((status = 200, body = Envelope<Vec<ModuleView>>), ReadRefusals)
)]
pub(super) async fn list(State(services): Shared) -> Result<Answer<Vec<ModuleView>>, ApiError> {
    let modules = services.catalog.uploaded().await?;
    Ok(Answer::list(modules.into_iter().map(ModuleView::from).collect()))
}

/// A module with each of its checks.
#[utoipa::path(
    get,
    path = "/api/v1/modules/{digest}",
    operation_id = "get_module",
    tag = "modules",
    params(("digest" = String, Path, description = "SHA-256 of the module's bytes, 64 hex digits")),
    responses((status = 200, body = Envelope<ModuleView>), ReadRefusals)
)]
pub(super) async fn detail(State(services): Shared, Named(digest): Named) -> Result<Answer<ModuleView>, ApiError> {
    let module = services.catalog.find(digest).await?.ok_or(ApiError::UnknownModule(digest))?;
    Ok(Answer::new(module.into()))
}
