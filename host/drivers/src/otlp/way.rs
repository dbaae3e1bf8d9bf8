//! Where one kind of telemetry goes, and how.

use std::time::Duration;

use http::{HeaderMap, Uri};

/// The way of one kind of telemetry.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) protocol: Protocol,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) is_compressed: bool,
}

/// How a collector is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    Http,
}

impl Way {
    /// Its address as it may be shown.
    pub(super) fn shown(&self) -> String {
        shown(&self.uri)
    }
}

/// An address without what could be a secret: its query.
pub(super) fn shown(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}{}", uri.scheme_str().unwrap_or("http"), uri.path().trim_end_matches('/'))
}
