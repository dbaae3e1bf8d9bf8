//! How requests can be refused, for the description of the API.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{Content, Ref, RefOr, Response, ResponseBuilder},
};

/// How a request that reads can be refused.
pub(crate) struct ReadRefusals;

/// How a request that changes something can be refused.
pub(crate) struct WriteRefusals;

/// How a request for which strategies run can be refused.
pub(crate) struct GuestRefusals;

/// How an upload of a module can be refused.
pub(crate) struct UploadRefusals;

const READ: [(&str, &str); 7] = [
    ("400", "A query or a header is malformed"),
    ("401", "No valid token, where tokens are needed"),
    (
        "403",
        "The token's role does not allow this, or the request comes from a page of another site or another machine",
    ),
    ("404", "Unknown strategy, symbol, signal, failure or module, or nothing that fits"),
    ("422", "A value of the query can't be taken; details has an entry for each"),
    ("500", "The service failed"),
    ("503", "A store or the bus is away, or strategies are still being compiled"),
];

const WRITE: [(&str, &str); 6] = [
    ("400", "The body is no JSON object, or has a field that means nothing here; or a header is malformed"),
    ("408", "The body did not arrive in time"),
    ("409", "Another version is stored than If-Match says; details has both"),
    ("413", "The body has more than 1 MiB"),
    ("415", "The body is not JSON by its Content-Type"),
    ("422", "Values can't be taken; details has an entry for each. Nothing was stored"),
];

const GUEST: [(&str, &str); 1] = [("429", "As many such requests as the service has cores are under way")];

const UPLOAD: [(&str, &str); 5] = [
    ("408", "The body did not arrive in time"),
    ("413", "The body has more than 64 MiB"),
    ("415", "The body is no application/wasm by its Content-Type"),
    ("422", "The bytes are no module that can be run here, or their signature is not good; nothing was kept"),
    ("429", "Uploads are under way, or as many modules as may wait to be checked"),
];

impl IntoResponses for UploadRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(READ.into_iter().chain(UPLOAD))
    }
}

impl IntoResponses for ReadRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(READ)
    }
}

impl IntoResponses for WriteRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(READ.into_iter().chain(WRITE))
    }
}

impl IntoResponses for GuestRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(READ.into_iter().chain(WRITE).chain(GUEST))
    }
}

fn refusals<'a>(of: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, RefOr<Response>> {
    let response = |description: &str| {
        let content = Content::new(Some(Ref::from_schema_name("Envelope_Value")));
        ResponseBuilder::new().description(description).content("application/json", content).build()
    };
    of.into_iter().map(|(status, description)| (status.to_owned(), RefOr::T(response(description)))).collect()
}
