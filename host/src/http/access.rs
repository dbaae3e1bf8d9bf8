//! Who may call: reading needs a viewer's token, everything else a trader's, and nothing needs any where there are none.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Services, error::ApiError};
use crate::auth::{Role, Tokens};

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
    let caller = match &services.tokens {
        Some(tokens) => allowed(tokens, request.method(), request.headers()),
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

fn allowed(tokens: &Tokens, method: &Method, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let role = bearer(headers).and_then(|token| tokens.role_of(token)).ok_or(ApiError::NoToken)?;
    let needed = if matches!(*method, Method::GET | Method::HEAD) { Role::Viewer } else { Role::Trader };
    if role >= needed { Ok(Caller(Some(role))) } else { Err(ApiError::Forbidden { needed, role }) }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
