//! The ways in which requests can be refused, for the API's description.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{Content, Ref, RefOr, Response, ResponseBuilder},
};

/// How a request that only reads can be refused.
pub(crate) struct ReadRefusals;

/// How a request that changes something can be refused.
pub(crate) struct WriteRefusals;

/// How a request that runs strategies can be refused.
pub(crate) struct GuestRefusals;

/// How the upload of a module can be refused.
pub(crate) struct UploadRefusals;

/// How a request for a stream can be refused.
pub(crate) struct StreamRefusals;

const READ: [(&str, &str); 8] = [
    ("400", "A query or a header is malformed"),
    ("401", "The token is not valid, or there is none and requests without one may not do this"),
    (
        "403",
        "The token's role does not allow this, or the request comes from another site's page, or lacks the key in DATA_DIR, \
         or is for a host that is not allowed",
    ),
    ("404", "The strategy, symbol, signal, failure or module is unknown, or nothing matches"),
    ("422", "Values of the query are invalid; details has an entry for each"),
    ("429", "The caller has made as many requests as it may in a minute"),
    ("500", "The service failed"),
    ("503", "A store or the bus is unavailable, strategies are still being compiled, or too many connections are open"),
];

const WRITE: [(&str, &str); 6] = [
    ("400", "The body is not a JSON object or has an unknown field, or a header is malformed"),
    ("408", "The body did not arrive in time"),
    ("409", "The stored version is not the one in If-Match; details has both"),
    ("413", "The body has more than 1 MiB"),
    ("415", "The Content-Type of the body is not JSON"),
    ("422", "Values are invalid; details has an entry for each. Nothing was stored"),
];

const GUEST: [(&str, &str); 1] = [(
    "429",
    "As many such requests are already running as the service has cores, or the caller has made as many requests as it may \
     in a minute",
)];

const STREAM: [(&str, &str); 1] = [(
    "429",
    "As many clients follow the signals as may at once, or the caller has made as many requests as it may in a minute",
)];

const UPLOAD: [(&str, &str); 6] = [
    ("408", "The body did not arrive in time"),
    ("413", "The body has more than 64 MiB"),
    ("415", "The Content-Type of the body is not application/wasm"),
    ("422", "The bytes are not a module that can run here, or their signature is invalid; nothing was stored"),
    (
        "429",
        "Too many uploads are running, too many modules are waiting to be checked, or the caller has made as many requests \
         as it may in a minute",
    ),
    ("507", "The disk of DATA_DIR has too little room left for uploads; nothing was stored"),
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

impl IntoResponses for StreamRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(READ.into_iter().chain(STREAM))
    }
}

fn refusals<'a>(of: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, RefOr<Response>> {
    let response = |description: &str| {
        let content = Content::new(Some(Ref::from_schema_name("Envelope_Value")));
        ResponseBuilder::new().description(description).content("application/json", content).build()
    };
    of.into_iter().map(|(status, description)| (status.to_owned(), RefOr::T(response(description)))).collect()
}
