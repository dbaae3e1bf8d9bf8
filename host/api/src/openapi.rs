//! The description of the API, made from the handlers themselves.

use axum::{Json, Router, routing::get};
use serde_json::Value;
use utoipa::{
    Modify, OpenApi as _,
    openapi::{
        OpenApi,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    State,
    access::{Guard, Routes, tokens::Role},
    answer::Envelope,
    problem::Problem,
    routes,
};

/// Where the description is.
const PATH: &str = "/api/v1/openapi.json";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "TA Bot",
        description = "Runs trading strategies as sandboxed WebAssembly components. Every answer is in one envelope: \
            `success`, `data`, `error`, `metadata`.",
        version = env!("CARGO_PKG_VERSION"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Envelope<Value>, Problem)),
    tags(
        (name = "strategies", description = "The strategies and what they take"),
        (name = "configuration", description = "The parameters of strategies"),
        (name = "application", description = "The application's own settings"),
        (name = "analysis", description = "Analyses on request"),
        (name = "modules", description = "Modules that are uploaded, and what admission says of them"),
        (name = "journal", description = "Signals, evaluations that failed, jobs that were given up, and candles"),
    ),
    modifiers(&Token),
)]
struct Document;

/// The API's token. It may be absent, since the service may have no tokens.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "GET needs the role viewer, a module's upload and bytes, a candidate and a deployment operator, everything \
             else trader. Without API_TOKENS_FILE no token is needed, and modules are taken and given on this machine only.",
        ));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
        let none: [&str; 0] = [];
        document.security = Some(vec![SecurityRequirement::default(), SecurityRequirement::new("token", none)]);
    }
}

/// Every route of the API with its description.
pub(super) fn api(guard: &Guard) -> OpenApiRouter<State> {
    let groups = [
        routes::strategies::routes,
        routes::config::routes,
        routes::application::routes,
        routes::analysis::routes,
        routes::journal::routes,
        routes::modules::routes,
    ];
    let merged = |api: OpenApiRouter<State>, group: fn(&Guard) -> Routes| api.merge(group(guard).into_router());
    groups.into_iter().fold(OpenApiRouter::with_openapi(Document::openapi()), merged)
}

/// Adds the description itself.
pub(super) fn serve(api: Router<State>, document: &OpenApi, guard: &Guard) -> Router<State> {
    let document = serde_json::to_value(document).unwrap_or_default();
    api.route(PATH, guard.before(get(async move || Json(document.clone())), Role::Viewer))
}
