//! The key that operators need if the service has no tokens, as a user of its machine reads it.

#![allow(clippy::panic, reason = "a test may fail loudly")]

use std::path::Path;

use reqwest::{Method, RequestBuilder};
use ta_bot_api::tokens::LocalKey;

/// The key in a service's `DATA_DIR`.
///
/// # Panics
///
/// If there is none.
pub fn key(data_dir: &Path) -> String {
    LocalKey::text_in(data_dir).unwrap_or_else(|error| panic!("{error}"))
}

/// Whether a request does what only operators may: upload, compare and deploy modules, read their bytes, and change
/// stored candles. The table in `docs/routes.md`, which another test compares with the routes, says the same.
pub fn is_needed(method: &Method, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let of_modules = path == "/api/v1/modules" || path.starts_with("/api/v1/modules/");
    let is_repair = ["/api/v1/candles/replace", "/api/v1/candles/delete"].contains(&path);
    match *method {
        Method::GET => of_modules && path.ends_with("/wasm"),
        _ => of_modules || is_repair || path.ends_with("/deployment") || path.ends_with("/candidate"),
    }
}

/// Gives a request the key of a `DATA_DIR`, if it needs it.
pub fn with_key(request: RequestBuilder, data_dir: &Path, method: &Method, path: &str) -> RequestBuilder {
    if is_needed(method, path) { request.bearer_auth(key(data_dir)) } else { request }
}
