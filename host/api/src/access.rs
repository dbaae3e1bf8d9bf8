//! Who may call: every API route is registered with the lowest role that may call it.
//!
//! A request with a token has the token's role, and one without a token has the role of anonymous callers, if they have
//! one. Without configured tokens nobody could be an operator; then routes that need one accept anonymous traders from
//! this machine.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

pub use axum::http::HeaderName;
use axum::{
    extract::Request,
    http::{HeaderMap, Method, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use thiserror::Error;
use utoipa::openapi::{
    RefOr,
    path::{Operation, ParameterIn, PathItem},
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::{
    State,
    error::ApiError,
    request::fields::QueryFields,
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

/// What callers may do.
#[derive(Debug, Clone)]
pub struct Access {
    tokens: Option<Tokens>,
    token_header: Option<HeaderName>,
    anonymous: Option<Role>,
}

/// The error if nobody could call the service that listens on an address of the network.
#[derive(Debug, Error)]
#[error(
    "API_ANONYMOUS_ROLE is none, which is the default if HTTP_ADDR is not a loopback address, and there are no tokens: \
     nobody could call the API. Give API_TOKENS_FILE, or set API_ANONYMOUS_ROLE to viewer or trader if everybody who \
     reaches the address may have that role"
)]
pub struct NobodyMayCall;

impl Access {
    /// Callers have the role of their token, which may also be in the header `token_header`, or else the role
    /// `anonymous`; `None` means that they need a token. Fails if nobody could call and the service is not only for
    /// this machine.
    pub fn new(
        tokens: Option<Tokens>,
        token_header: Option<HeaderName>,
        anonymous: Option<Role>,
        address: IpAddr,
    ) -> Result<Self, NobodyMayCall> {
        if tokens.is_none() && anonymous.is_none() && !address.to_canonical().is_loopback() {
            return Err(NobodyMayCall);
        }
        Ok(Self { tokens, token_header, anonymous })
    }

    /// The caller, if it may do what needs the role `needed`.
    fn caller(&self, needed: Role, request: &Request) -> Result<Caller, ApiError> {
        if let Some(tokens) = &self.tokens
            && let Some(token) = self.token(request.headers())
        {
            let role = tokens.role_of(token).ok_or(ApiError::NoToken)?;
            return if role >= needed { Ok(Caller(Some(role))) } else { Err(ApiError::Forbidden { needed, role }) };
        }
        match self.anonymous {
            Some(role) if role >= needed => Ok(Caller::default()),
            // What is left needs an operator.
            Some(Role::Trader) if self.tokens.is_none() && is_local(request) => Ok(Caller::default()),
            Some(Role::Trader) if self.tokens.is_none() => Err(ApiError::LocalOnly),
            role => Err(ApiError::Anonymous { needed, role }),
        }
    }

    /// The token of a request: that of `Authorization`, or else that of the other header. An empty one is none, because
    /// a neighbour without a token sends its header empty.
    fn token<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let other = || headers.get(self.token_header.as_ref()?)?.to_str().ok();
        bearer(headers).or_else(other).map(str::trim).filter(|token| !token.is_empty())
    }
}

/// Checks whether a request is allowed. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Guard(Arc<Access>);

/// The names of the query parameters that each method of a route takes.
type Queries = HashMap<&'static str, Vec<String>>;

impl Guard {
    pub(crate) fn new(access: Access) -> Self {
        Self(Arc::new(access))
    }

    /// A guard for the description of the routes, which nobody calls.
    pub(crate) fn of_nobody() -> Self {
        Self::new(Access { tokens: None, token_header: None, anonymous: None })
    }

    /// Applies the guard to every method of a route that takes no query parameters of its own.
    pub(crate) fn before(&self, route: MethodRouter<State>, needed: Role) -> MethodRouter<State> {
        self.with_queries(route, needed, Queries::new())
    }

    fn with_queries(&self, route: MethodRouter<State>, needed: Role, queries: Queries) -> MethodRouter<State> {
        route.layer(middleware::from_fn_with_state((self.clone(), needed, Arc::new(queries)), check))
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
        let mut queries = Queries::new();
        for (method, operation) in paths.paths.values_mut().flat_map(by_method) {
            operation.extensions.get_or_insert_default().insert(ROLE.to_owned(), needed.as_str().into());
            queries.insert(method, query_of(operation));
        }
        let route = self.guard.with_queries(route, needed, queries);
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

/// The names of the query parameters that an operation describes.
fn query_of(operation: &Operation) -> Vec<String> {
    let described = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter.name.clone()),
        _ => None,
    });
    described.collect()
}

/// Lets a request through if its caller may do what needs the role and its query names nothing unknown. Records the
/// caller for the handler.
async fn check(
    axum::extract::State((Guard(access), needed, queries)): axum::extract::State<(Guard, Role, Arc<Queries>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = access.caller(needed, &request);
    match caller.and_then(|caller| check_query(&request, &queries).map(|()| caller)) {
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

/// Refuses a query parameter that means nothing to the route, because a misspelt one would silently have no effect.
fn check_query(request: &Request, queries: &Queries) -> Result<(), ApiError> {
    let method = if *request.method() == Method::HEAD { "GET" } else { request.method().as_str() };
    let known = queries.get(method).map_or(&[][..], Vec::as_slice);
    match QueryFields::of(request.uri())?.unknown(known) {
        Some(name) => Err(ApiError::unknown_field(name, known)),
        None => Ok(()),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const NETWORK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// Tokens `v`, `t` and `o` of the three roles.
    fn tokens() -> Tokens {
        use sha2::Digest as _;
        let line = |role: &str, token: &str| format!("{role}:{}\n", hex::encode(sha2::Sha256::digest(token)));
        [line("viewer", "v"), line("trader", "t"), line("operator", "o")].concat().parse().unwrap()
    }

    /// A request from this machine or from another one.
    fn request(is_local: bool, headers: &[(&'static str, &str)]) -> Request {
        let mut request = Request::new(Body::empty());
        request.headers_mut().insert("host", "localhost".parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let address = if is_local { "127.0.0.1" } else { "10.0.0.7" };
        request.extensions_mut().insert(Peer(address.parse().unwrap()));
        request
    }

    /// The highest role that a request may have; `None` if none.
    fn allowed(access: &Access, request: &Request) -> Option<Role> {
        let roles = [Role::Operator, Role::Trader, Role::Viewer];
        roles.into_iter().find(|role| access.caller(*role, request).is_ok())
    }

    #[test]
    fn a_token_may_come_in_either_header_and_an_empty_one_is_none() {
        let header = Some(HeaderName::from_static("x-internal-token"));
        let access = Access::new(Some(tokens()), header, Some(Role::Viewer), NETWORK).unwrap();
        let of = |headers: &[(&'static str, &str)]| allowed(&access, &request(false, headers));
        assert_eq!(of(&[]), Some(Role::Viewer), "the role of those without a token");
        assert_eq!(of(&[("x-internal-token", "")]), Some(Role::Viewer));
        assert_eq!(of(&[("x-internal-token", " t ")]), Some(Role::Trader));
        assert_eq!(of(&[("authorization", "Bearer o")]), Some(Role::Operator));
        assert_eq!(of(&[("authorization", "Bearer v"), ("x-internal-token", "o")]), Some(Role::Viewer));
        // A wrong token is not the same as none: whoever sends one believes that it counts.
        assert_eq!(of(&[("x-internal-token", "wrong")]), None);
        assert_eq!(of(&[("authorization", "Bearer wrong")]), None);
        let plain = Access::new(Some(tokens()), None, None, NETWORK).unwrap();
        assert_eq!(allowed(&plain, &request(false, &[("x-internal-token", "o")])), None, "nobody named this header");
    }

    #[test]
    fn without_tokens_the_anonymous_role_counts_and_operators_are_of_this_machine() {
        let of = |anonymous, is_local| {
            let access = Access::new(None, None, anonymous, LOOPBACK).unwrap();
            allowed(&access, &request(is_local, &[]))
        };
        assert_eq!(
            (of(Some(Role::Trader), true), of(Some(Role::Trader), false)),
            (Some(Role::Operator), Some(Role::Trader))
        );
        assert_eq!(
            (of(Some(Role::Viewer), true), of(Some(Role::Viewer), false)),
            (Some(Role::Viewer), Some(Role::Viewer))
        );
        assert_eq!((of(None, true), of(None, false)), (None, None));
    }

    #[test]
    fn with_tokens_an_anonymous_caller_is_never_an_operator() {
        let access = Access::new(Some(tokens()), None, Some(Role::Trader), LOOPBACK).unwrap();
        assert_eq!(allowed(&access, &request(true, &[])), Some(Role::Trader));
    }

    #[test]
    fn a_service_of_the_network_that_nobody_may_call_does_not_start() {
        let error = Access::new(None, None, None, NETWORK).unwrap_err().to_string();
        assert!(error.contains("API_TOKENS_FILE") && error.contains("API_ANONYMOUS_ROLE"), "{error}");
        assert!(Access::new(None, None, None, LOOPBACK).is_ok());
        assert!(Access::new(Some(tokens()), None, None, NETWORK).is_ok());
        assert!(Access::new(None, None, Some(Role::Viewer), NETWORK).is_ok());
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
