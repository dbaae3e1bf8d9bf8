//! Who may call: reading needs a viewer's token, what concerns modules and their deployment an operator's, everything else a
//! trader's. Where
//! there are no tokens nothing needs any, but what needs an operator is done from this machine only.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Services,
    error::ApiError,
    modules::MODULES,
    server::Peer,
    strategies::{CANDIDATE, DEPLOYMENT},
};
use crate::auth::{Role, Tokens};

/// What a proxy adds to a request.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "via"];

/// Who calls, as far as that is known.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Caller(Option<Role>);

impl Caller {
    /// The author of a change that names none.
    pub(crate) const fn name(self) -> &'static str {
        match self.0 {
            Some(role) => role.as_str(),
            None => "api",
        }
    }
}

/// Lets a request through whose token allows its method, and notes its role.
pub(super) async fn check(State(services): State<Arc<Services>>, mut request: Request, next: Next) -> Response {
    let needed = needed(request.method(), request.uri().path());
    let caller = match &services.tokens {
        Some(tokens) => allowed(tokens, needed, request.headers()),
        None if needed == Role::Operator && !is_local(&request) => Err(ApiError::LocalOnly),
        None => Ok(Caller::default()),
    };
    match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// The least role that a request needs.
fn needed(method: &Method, path: &str) -> Role {
    match *method {
        // A module's bytes are somebody's work.
        _ if path.starts_with(MODULES) && path.ends_with("/wasm") => Role::Operator,
        Method::GET | Method::HEAD => Role::Viewer,
        _ if path.starts_with(MODULES) || path.ends_with(DEPLOYMENT) || path.ends_with(CANDIDATE) => Role::Operator,
        _ => Role::Trader,
    }
}

/// Whether a request comes from this machine: by its connection, not on behalf of another one, and to a name that only
/// means this machine. A page whose name was made to lead here has another one in `Host`.
fn is_local(request: &Request) -> bool {
    let peer = request.extensions().get::<Peer>().is_some_and(|Peer(address)| address.to_canonical().is_loopback());
    let forwarded = FORWARDED.iter().any(|name| request.headers().contains_key(*name));
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    peer && !forwarded && host.is_some_and(means_this_machine)
}

fn means_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn allowed(tokens: &Tokens, needed: Role, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let role = bearer(headers).and_then(|token| tokens.role_of(token)).ok_or(ApiError::NoToken)?;
    if role >= needed { Ok(Caller(Some(role))) } else { Err(ApiError::Forbidden { needed, role }) }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn reading_needs_a_viewer_modules_an_operator_and_the_rest_a_trader() {
        for path in ["/api/v1/modules", "/api/v1/strategies/rsi/config"] {
            assert_eq!(needed(&Method::GET, path), Role::Viewer);
            assert_eq!(needed(&Method::HEAD, path), Role::Viewer);
        }
        assert_eq!(needed(&Method::GET, "/api/v1/modules/0a/wasm"), Role::Operator);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(needed(&method, "/api/v1/modules"), Role::Operator);
            assert_eq!(needed(&method, "/api/v1/modules/0a/anything"), Role::Operator);
            assert_eq!(needed(&method, "/api/v1/strategies/rsi/deployment"), Role::Operator);
            assert_eq!(needed(&method, "/api/v1/strategies/rsi/candidate"), Role::Operator);
            assert_eq!(needed(&method, "/api/v1/strategies/rsi/config"), Role::Trader);
        }
    }

    #[test]
    fn only_what_comes_from_this_machine_is_local() {
        let request = |address: Option<&str>, headers: &[(&'static str, &str)]| {
            let mut request = Request::new(Body::empty());
            for (name, value) in headers {
                request.headers_mut().insert(*name, value.parse().unwrap());
            }
            if let Some(address) = address {
                request.extensions_mut().insert(Peer(address.parse().unwrap()));
            }
            is_local(&request)
        };
        let from = |address: Option<&str>| request(address, &[("host", "localhost:8080")]);
        for local in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"] {
            assert!(from(Some(local)), "{local}");
        }
        for foreign in ["192.168.1.7", "10.0.0.1", "0.0.0.0", "::", "::ffff:10.0.0.1", "fe80::1"] {
            assert!(!from(Some(foreign)), "{foreign}");
        }
        assert!(!from(None), "where it comes from is not known");
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:8080", "[::1]"] {
            assert!(request(Some("127.0.0.1"), &[("host", host)]), "{host}");
        }
        for host in ["evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[::"] {
            assert!(!request(Some("127.0.0.1"), &[("host", host)]), "{host}");
        }
        assert!(!request(Some("127.0.0.1"), &[]), "without a host");
        for name in FORWARDED {
            assert!(!request(Some("127.0.0.1"), &[("host", "localhost"), (name, "10.0.0.1")]), "{name}");
        }
    }
}
