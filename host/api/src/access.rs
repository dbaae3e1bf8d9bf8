//! Who may call: every API route is registered with the lowest role that may call it.
//!
//! Without configured tokens, no route requires one, but routes that need an operator accept requests from this machine
//! only.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::Request,
    http::{HeaderMap, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::{
    State,
    error::ApiError,
    server::Peer,
    tokens::{Role, Tokens},
};

/// The extension of an operation's description that holds the role it needs.
pub(crate) const ROLE: &str = "x-role";
/// Headers that a proxy adds to a request.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "via"];

/// The caller's role, if the request had a token.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Caller(Option<Role>);

impl Caller {
    /// The author recorded for a change that names none.
    pub(crate) const fn name(self) -> &'static str {
        match self.0 {
            Some(role) => role.as_str(),
            None => "api",
        }
    }
}

/// Checks whether a request is allowed. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Guard(Option<Arc<Tokens>>);

impl Guard {
    /// Creates a guard that checks these tokens. `None` leaves everything open, except that other machines can't call
    /// what needs an operator.
    pub(crate) fn new(tokens: Option<Tokens>) -> Self {
        Self(tokens.map(Arc::new))
    }

    /// Applies the guard to every method of a route.
    pub(crate) fn before(&self, route: MethodRouter<State>, needed: Role) -> MethodRouter<State> {
        route.layer(middleware::from_fn_with_state((self.clone(), needed), check))
    }
}

/// Routes of the API. A route can't be added without the role that it needs.
pub(crate) struct Routes {
    guard: Guard,
    router: OpenApiRouter<State>,
}

impl Routes {
    /// Creates an empty set of routes.
    pub(crate) fn new(guard: &Guard) -> Self {
        Self { guard: guard.clone(), router: OpenApiRouter::new() }
    }

    /// Adds a route that only reads.
    pub(crate) fn viewer(self, route: UtoipaMethodRouter<State>) -> Self {
        self.with(Role::Viewer, route)
    }

    /// Adds a route that changes configuration or runs strategies.
    pub(crate) fn trader(self, route: UtoipaMethodRouter<State>) -> Self {
        self.with(Role::Trader, route)
    }

    /// Adds a route that handles the code of modules or changes what is deployed.
    pub(crate) fn operator(self, route: UtoipaMethodRouter<State>) -> Self {
        self.with(Role::Operator, route)
    }

    /// All routes, each with its role in the API's description.
    pub(crate) fn into_router(self) -> OpenApiRouter<State> {
        self.router
    }

    fn with(self, needed: Role, (schemas, mut paths, route): UtoipaMethodRouter<State>) -> Self {
        for operation in paths.paths.values_mut().flat_map(operations) {
            operation.extensions.get_or_insert_default().insert(ROLE.to_owned(), needed.as_str().into());
        }
        let route = self.guard.before(route, needed);
        Self { router: self.router.routes((schemas, paths, route)), ..self }
    }
}

/// The operations of a path, with their methods.
pub(crate) fn by_method(path: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = path;
    let all = [
        ("GET", get),
        ("PUT", put),
        ("POST", post),
        ("DELETE", delete),
        ("OPTIONS", options),
        ("HEAD", head),
        ("PATCH", patch),
        ("TRACE", trace),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The operations of a path.
pub(crate) fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    by_method(path).map(|(_, operation)| operation)
}

/// Lets a request through if its token has the needed role, and records that role for the handler.
async fn check(
    axum::extract::State((Guard(tokens), needed)): axum::extract::State<(Guard, Role)>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match &tokens {
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

/// Whether a request comes from this machine: over a loopback connection, not forwarded by a proxy, and addressed to a
/// name that can only mean this machine. The last check stops DNS rebinding: a page whose domain was made to resolve to
/// this machine sends that domain in `Host`.
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
