//! The envelope of every JSON response of the API, in one place.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use ta_bot_core::Timestamp;
use utoipa::ToSchema;

/// The envelope of every API response.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Envelope<T> {
    /// Whether the request succeeded.
    success: bool,
    /// The result; null if there is an error.
    data: Option<T>,
    /// What went wrong; null on success.
    error: Option<ErrorBody>,
    /// `timestamp`, and further entries that depend on the kind of response, such as `count`.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// After how many seconds to try again, as the header `Retry-After` says; only with 429 and 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

/// A response without data.
pub(crate) type Failure = Envelope<Value>;

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// A stable code for programs.
    pub(crate) code: &'static str,
    /// A message for people that says what to do.
    pub(crate) message: String,
    /// Depends on the code: a list of `{parameter, given, allowed}` for invalid values, the expected and the stored
    /// version for a conflict, or null.
    pub(crate) details: Value,
}

/// A successful response.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    data: T,
    metadata: Map<String, Value>,
    etag: Option<i64>,
}

impl<T> Answer<T> {
    pub(crate) fn new(data: T) -> Self {
        Self { data, metadata: Map::new(), etag: None }
    }

    /// Adds an entry to the metadata.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.to_owned(), value.into());
        self
    }

    /// Adds the version, as the `ETag` with which a later write can be made conditional.
    pub(crate) fn version(mut self, version: i64) -> Self {
        self.etag = Some(version);
        self
    }
}

impl<T> Answer<Vec<T>> {
    /// A list, with its length in the metadata.
    pub(crate) fn list(data: Vec<T>) -> Self {
        let count = data.len();
        Self::new(data).with("count", count)
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let etag = self.etag.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok());
        let metadata = stamped(self.metadata);
        let envelope = Envelope { success: true, data: Some(self.data), error: None, metadata, retry_after: None };
        let mut response = (StatusCode::OK, NO_STORE, Json(envelope)).into_response();
        if let Some(etag) = etag {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}

/// The response for a refused or failed request, which may be tried again after `retry_after` seconds.
pub(crate) fn failure(status: StatusCode, error: ErrorBody, retry_after: Option<u32>) -> Response {
    let metadata = stamped(Map::new());
    let envelope = Failure { success: false, data: None, error: Some(error), metadata, retry_after };
    let mut response = (status, NO_STORE, Json(envelope)).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Responses must not be cached, because configuration may change at any moment.
const NO_STORE: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

fn stamped(mut metadata: Map<String, Value>) -> Map<String, Value> {
    metadata.insert("timestamp".to_owned(), Timestamp::now().to_string().into());
    metadata
}
