//! Uploading a module.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{FromRequest, FromRequestParts as _, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use ta_bot_engine::modules::{
    arrival::Arrival, catalog::Uploaded, module_store::LARGEST_MODULE, signature::ModuleSignature,
};

use super::{Component, WASM};
use crate::{
    Services,
    access::Caller,
    answer::{Answer, Envelope},
    error::ApiError,
    request::{
        body,
        refusals::UploadRefusals,
        turns::{Turn, Uploads},
        write::Shared,
    },
    views::module::ModuleView,
};

/// The header that carries the signature.
const SIGNATURE: &str = "module-signature";

/// A module's bytes, with the caller and the signature.
pub(super) struct Sent {
    caller: Caller,
    signature: Option<ModuleSignature>,
    arrival: Arrival,
    /// Held until the bytes are stored or refused.
    turn: Turn,
}

impl FromRequest<Arc<Services>> for Sent {
    type Rejection = ApiError;

    async fn from_request(request: Request, services: &Arc<Services>) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = Extension::<Caller>::from_request_parts(&mut parts, services).await;
        let caller = caller.map(|Extension(caller)| caller).unwrap_or_default();
        let uploads = Extension::<Uploads>::from_request_parts(&mut parts, services).await;
        let Extension(uploads) = uploads.map_err(|missing| ApiError::Panic(missing.body_text()))?;
        check_type(&parts.headers)?;
        // Checked before the bytes are read, because a missing signature can be reported without them.
        let signature = parts.headers.get(SIGNATURE).map(|text| String::from_utf8_lossy(text.as_bytes()));
        let signature = services.catalog.read_signature(signature.as_deref())?;
        let turn = uploads.take()?;
        let arrival = body::kept(body, LARGEST_MODULE, services.catalog.arrival().await?).await?;
        Ok(Self { caller, signature, arrival, turn })
    }
}

/// Checks the Content-Type. A body without one is accepted.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(header::CONTENT_TYPE) {
        Some(given) if body::kind_of(given) != WASM => Err(body::wrong_type(WASM, given)),
        _ => Ok(()),
    }
}

/// Uploads a module: the bytes of a WebAssembly component.
///
/// The module is inspected at once and then checked in the background; until that is done its state is `checking`.
/// Uploading the same bytes again changes nothing and is answered with 200.
#[utoipa::path(
    post,
    path = "/api/v1/modules",
    operation_id = "upload_module",
    tag = "modules",
    params(("Module-Signature" = Option<String>, Header, description =
        "The Ed25519 signature over the module's digest, made by `ta-bot modules sign`, in base64; required if the \
         service has MODULE_TRUSTED_KEYS")),
    request_body(content = Component, content_type = "application/wasm"),
    responses(
        (status = 200, body = Envelope<ModuleView>, description = "The module was already stored"),
        (status = 202, body = Envelope<ModuleView>, description = "The module was stored and will be checked"),
        UploadRefusals
    )
)]
pub(super) async fn upload(State(services): Shared, sent: Sent) -> Result<Response, ApiError> {
    let Sent { caller, signature, arrival, turn } = sent;
    let taken = async move { Ok(services.catalog.upload(arrival, signature, caller.name().to_owned()).await?) };
    // Runs to its end even if the client disconnects, because nobody would complete a half-stored module.
    let Uploaded { module, is_new } = turn.run(taken).await?;
    let location = [(header::LOCATION, format!("{}/{}", super::MODULES, module.digest))];
    let status = if is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
    let mut response = (location, Answer::new(ModuleView::from(module))).into_response();
    *response.status_mut() = status;
    Ok(response)
}
