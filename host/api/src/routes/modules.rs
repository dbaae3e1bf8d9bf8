//! Modules: uploading and removing them, and what is known about them.

use axum::extract::{FromRequestParts, Path};
use ta_bot_core::ModuleDigest;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    access::{Guard, Routes},
    error::ApiError,
};

mod bytes;
mod removal;
mod upload;
mod view;

/// The common prefix of all paths in this part.
const MODULES: &str = "/api/v1/modules";
/// The media type of a module's bytes.
const WASM: &str = "application/wasm";

/// The bytes of a component.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "describes a body that is sent as raw bytes")]
struct Component(Vec<u8>);

pub(crate) fn routes(guard: &Guard) -> Routes {
    Routes::new(guard)
        .viewer(routes!(view::list))
        .operator(routes!(upload::upload))
        .viewer(routes!(removal::removed))
        .viewer(routes!(view::detail))
        .operator(routes!(removal::remove))
        .operator(routes!(bytes::download))
}

/// The digest of the module that a path names.
pub(super) struct Named(ModuleDigest);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, ApiError> {
        let Path(name): Path<String> =
            Path::from_request_parts(parts, state).await.map_err(|_| ApiError::UnknownRoute)?;
        let digest = name.parse().map_err(|_| ApiError::BadDigest(name.chars().take(100).collect()))?;
        Ok(Self(digest))
    }
}
