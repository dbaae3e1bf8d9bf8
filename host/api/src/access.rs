//! Who may call: every API route is registered with the lowest role that may call it.
//!
//! A request with a token has the token's role, and one without a token has the role of anonymous callers, if they have
//! one. Without configured tokens nobody could be an operator; then the key in `DATA_DIR` makes one, because a user of
//! this machine who may read that file owns the service anyway. Where a request comes from proves nothing: a proxy on
//! this machine passes on what comes from anywhere, and with default settings adds no header that says so.

use std::{collections::HashMap, net::IpAddr, num::NonZeroU32, sync::Arc};

pub use axum::http::HeaderName;
use axum::{
    extract::Request,
    http::{HeaderMap, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use ta_bot_core::Timestamp;
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
    tokens::{Found, LocalKey, Role, TokenBook},
};

mod hosts;
mod quota;
#[cfg(test)]
mod tests;

use quota::Quotas;

pub use hosts::{AllowedHosts, HostError};

/// The extension of an operation's description that holds the role it needs.
pub(crate) const ROLE: &str = "x-role";

/// The caller, as far as its token says who it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    role: Option<Role>,
    name: Option<Arc<str>>,
}

impl Caller {
    /// The author recorded for a change that names none.
    pub(crate) fn name(&self) -> &str {
        self.token_name().or(self.role.map(Role::as_str)).unwrap_or("api")
    }

    /// The name of the caller's token, if the file of tokens gives it one. Whatever else a request claims, this is who
    /// sent it.
    pub(crate) fn token_name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// The secrets that callers prove themselves with.
#[derive(Debug, Clone)]
pub enum Secrets {
    /// The tokens of a file.
    Tokens(TokenBook),
    /// There are no tokens; the key in `DATA_DIR` makes an operator.
    LocalKey(LocalKey),
}

/// What callers may do.
#[derive(Debug, Clone)]
pub struct Access {
    secrets: Secrets,
    token_header: Option<HeaderName>,
    anonymous: Option<Role>,
    hosts: AllowedHosts,
    quotas: Arc<Quotas>,
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
    /// `anonymous`, which counts under the names of `hosts` only; `None` means that they need a token.
    pub fn new(
        secrets: Secrets,
        token_header: Option<HeaderName>,
        anonymous: Option<Role>,
        hosts: AllowedHosts,
    ) -> Self {
        Self { secrets, token_header, anonymous, hosts, quotas: Arc::default() }
    }

    /// Each token that sets no limit of its own may make so many requests in a minute, and all callers without a token
    /// together as many. `None` means without a bound.
    #[must_use]
    pub fn with_limit(self, per_minute: Option<NonZeroU32>) -> Self {
        Self { quotas: Arc::new(Quotas::new(per_minute)), ..self }
    }

    /// Fails if nobody could call a service that listens on `address` and is not only for this machine.
    pub fn check(has_tokens: bool, anonymous: Option<Role>, address: IpAddr) -> Result<(), NobodyMayCall> {
        let nobody = !has_tokens && anonymous.is_none() && !address.to_canonical().is_loopback();
        if nobody { Err(NobodyMayCall) } else { Ok(()) }
    }

    /// The caller, if it may do what needs the role `needed`.
    fn caller(&self, needed: Role, request: &Request) -> Result<Caller, ApiError> {
        match (&self.secrets, self.token(request.headers())) {
            (Secrets::Tokens(book), Some(token)) => return self.known(book, token, needed),
            (Secrets::LocalKey(key), Some(token)) if key.is(token) => return Ok(Caller::default()),
            // The token of a neighbour means nothing to a service without tokens.
            (Secrets::LocalKey(_) | Secrets::Tokens(_), _) => {}
        }
        self.hosts.check(request)?;
        match (&self.secrets, self.anonymous) {
            (_, Some(role)) if role >= needed => {
                self.quotas.count(None, None)?;
                Ok(Caller::default())
            }
            (Secrets::LocalKey(_), _) if needed == Role::Operator => Err(ApiError::LocalOnly),
            (_, role) => Err(ApiError::Anonymous { needed, role }),
        }
    }

    /// The caller with this token, if it may do what needs the role `needed`.
    fn known(&self, book: &TokenBook, token: &str, needed: Role) -> Result<Caller, ApiError> {
        match book.current().find(token, Timestamp::now()) {
            Found::Valid { role, name, per_minute } => {
                self.quotas.count(Some(token), per_minute)?;
                if role >= needed {
                    Ok(Caller { role: Some(role), name })
                } else {
                    Err(ApiError::Forbidden { needed, role })
                }
            }
            Found::Expired { last_day } => Err(ApiError::Expired { last_day }),
            Found::Unknown => Err(ApiError::NoToken),
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
        let secrets = Secrets::LocalKey(LocalKey::of_nobody());
        Self::new(Access::new(secrets, None, None, AllowedHosts::default()))
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
