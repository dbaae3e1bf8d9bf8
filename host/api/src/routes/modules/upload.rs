//! Uploading a module.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{FromRequest, FromRequestParts as _, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use ta_bot_engine::modules::{catalog::Uploaded, module_store::LARGEST_MODULE, signature::ModuleSignature};

use super::{Component, WASM};
use crate::{
    Services,
    access::Caller,
    answer::{Answer, Envelope},
    error::ApiError,
    refusals::UploadRefusals,
    request::{
        body,
        turns::{Turn, Uploads},
        write::Shared,
    },
    views::module::ModuleView,
};

/// The header with the signature.
const SIGNATURE: &str = "module-signature";

/// A module's bytes, with who sends them.
pub(super) struct Sent {
    caller: Caller,
    signature: Option<ModuleSignature>,
    bytes: Vec<u8>,
    /// Held until the bytes are kept or refused.
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
        // Before the bytes are here: what is missing can be told without them.
        let signature = parts.headers.get(SIGNATURE).map(|text| String::from_utf8_lossy(text.as_bytes()));
        let signature = services.catalog.read_signature(signature.as_deref())?;
        let turn = uploads.take()?;
        let bytes = body::arrived(body, LARGEST_MODULE).await?;
        Ok(Self { caller, signature, bytes, turn })
    }
}

/// A body without a type is taken for what belongs here.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(header::CONTENT_TYPE) {
        Some(given) if body::kind_of(given) != WASM => Err(body::wrong_type(WASM, given)),
        _ => Ok(()),
    }
}

/// Takes a module: a WebAssembly component, as it is. It is inspected at once and checked in the background; its state is
/// `checking` until then. The same bytes again change nothing and are answered with 200.
#[utoipa::path(
    post,
    path = "/api/v1/modules",
    operation_id = "upload_module",
    tag = "modules",
    params(("Module-Signature" = Option<String>, Header, description = "Ed25519 over the module's digest, of `ta-bot modules sign`, in base64; needed where the service has MODULE_TRUSTED_KEYS")),
    request_body(content = Component, content_type = "application/wasm"),
    responses(
        (status = 200, body = Envelope<ModuleView>, description = "It was here before"),
        (status = 202, body = Envelope<ModuleView>, description = "It was taken and will be checked"),
        UploadRefusals
    )
)]
pub(super) async fn upload(State(services): Shared, sent: Sent) -> Result<Response, ApiError> {
    let Sent { caller, signature, bytes, turn } = sent;
    let taken = async move { Ok(services.catalog.upload(bytes, signature, caller.name().to_owned()).await?) };
    // To its end, also where the client has gone: what is half taken would be nobody's.
    let Uploaded { module, is_new } = turn.run(taken).await?;
    let location = [(header::LOCATION, format!("{}/{}", super::MODULES, module.digest))];
    let status = if is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
    let mut response = (location, Answer::new(ModuleView::from(module))).into_response();
    *response.status_mut() = status;
    Ok(response)
}
