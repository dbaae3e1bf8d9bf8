//! TLS to servers that the operator names by a URL.

use std::{io, sync::Arc};

use hyper_rustls::ConfigBuilderExt as _;
use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// What a connection over TLS trusts: the certificates of this machine, and no others.
pub fn trust() -> io::Result<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let trusting = config.clone().with_native_roots();
    let trusting = trusting.unwrap_or_else(|error| {
        tracing::warn!(
            %error,
            "this machine has no certificates of authorities, so nothing over https can be trusted: install \
             ca-certificates, or name a file of them in SSL_CERT_FILE"
        );
        config.with_root_certificates(RootCertStore::empty())
    });
    Ok(trusting.with_no_client_auth())
}
