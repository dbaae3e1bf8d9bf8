//! Downloading the bytes of a module.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};

use super::{Component, Named, WASM};
use crate::{
    error::ApiError,
    request::{refusals::ReadRefusals, write::Shared},
};

/// The bytes of a module, as they were uploaded or bundled.
///
/// The bytes are guaranteed to have the digest in the path; otherwise the response is an error.
#[utoipa::path(
    get,
    path = "/api/v1/modules/{digest}/wasm",
    operation_id = "get_module_bytes",
    tag = "modules",
    params(("digest" = String, Path, description = "SHA-256 of the module's bytes, 64 hex digits")),
    responses((status = 200, body = Component, content_type = "application/wasm"), ReadRefusals)
)]
pub(super) async fn download(State(services): Shared, Named(digest): Named) -> Result<Response, ApiError> {
    let bytes = services.catalog.bytes(digest).await?.ok_or(ApiError::UnknownModule(digest))?;
    // The bytes of a digest never change.
    let headers = [
        (header::CONTENT_TYPE, WASM.to_owned()),
        (header::ETAG, format!("\"{digest}\"")),
        (header::CACHE_CONTROL, "private, immutable, max-age=31536000".to_owned()),
    ];
    Ok((headers, bytes).into_response())
}
