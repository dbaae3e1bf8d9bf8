//! The API's description, generated from the handlers themselves.

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
    access::{Guard, ROLE, Routes, by_method},
    answer::Envelope,
    problem::Problem,
    routes,
    tokens::Role,
};

/// The paths of the description: the API's own, and that of the older service.
const PATHS: [&str; 2] = ["/api/v1/openapi.json", "/openapi.json"];

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "TA Bot",
        description = "Runs trading strategies as sandboxed WebAssembly components. Every response has the same \
            envelope: `success`, `data`, `error`, `metadata`.",
        version = env!("CARGO_PKG_VERSION"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Envelope<Value>, Problem)),
    tags(
        (name = "strategies", description = "The strategies and the parameters that they take"),
        (name = "configuration", description = "The stored parameters of strategies"),
        (name = "application", description = "The application's own settings"),
        (name = "analysis", description = "Analyses on request"),
        (name = "modules", description = "Uploaded modules, and the results of their admission"),
        (name = "journal", description = "Signals, failed evaluations and their costs, dead jobs, and candles"),
    ),
    modifiers(&Token),
)]
struct Document;

/// The API's token. It is optional, because the service may run without tokens.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "Each operation names the role that it needs in x-role: operator for uploading a module, downloading its \
             bytes, comparing a candidate and changing a deployment; otherwise viewer for GET and trader for the rest. \
             A request without a token has the role that API_ANONYMOUS_ROLE gives it. Without API_TOKENS_FILE, what needs \
             operator needs the key in DATA_DIR as the token. Without a token, only requests whose Host is localhost, a \
             loopback address or one of HTTP_ALLOWED_HOSTS are answered.",
        ));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
        let none: [&str; 0] = [];
        document.security = Some(vec![SecurityRequirement::default(), SecurityRequirement::new("token", none)]);
    }
}

/// Every route of the API, with its description.
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

/// Adds the route that serves the description.
pub(super) fn serve(api: Router<State>, document: &OpenApi, guard: &Guard) -> Router<State> {
    let document = serde_json::to_value(document).unwrap_or_default();
    let route = guard.before(get(async move || Json(document.clone())), Role::Viewer);
    PATHS.into_iter().fold(api, |api, path| api.route(path, route.clone()))
}

/// The beginning of `docs/routes.md`.
const PAGE: &str = "# Routes, roles and statuses

`make routes` writes this page from the routes themselves; [http.md](http.md) describes each of them. `trader` may do all that
`viewer` may, and `operator` all that `trader` may; `none` needs no token. A request without a token has the role that
`API_ANONYMOUS_ROLE` gives it. Without `API_TOKENS_FILE` a route for `operator` needs the key in `DATA_DIR`.

| method | path | role | statuses |
|---|---|---|---|
";

/// The page of all routes: the open ones, those of the API, and that of the description itself.
pub(super) fn routes_page() -> String {
    let mut rows: Vec<[String; 4]> = Vec::new();
    let mut row = |method: &str, path: &str, role: &str, statuses: String| {
        rows.push([method.to_owned(), path.to_owned(), role.to_owned(), statuses]);
    };
    for (path, statuses) in routes::service::OPEN {
        row("GET", path, "none", statuses.to_owned());
    }
    for path in PATHS {
        row("GET", path, Role::Viewer.as_str(), "200, 400, 401, 403".to_owned());
    }
    let (_, mut document) = api(&Guard::of_nobody()).split_for_parts();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in by_method(item) {
            let role = operation.extensions.as_ref().and_then(|extensions| extensions.get(ROLE)?.as_str());
            let statuses: Vec<&str> = operation.responses.responses.keys().map(String::as_str).collect();
            row(method, path, role.unwrap_or("?"), statuses.join(", "));
        }
    }
    rows.sort_by(|one, other| (&one[1], &one[0]).cmp(&(&other[1], &other[0])));
    let lines =
        rows.iter().map(|[method, path, role, statuses]| format!("| {method} | `{path}` | {role} | {statuses} |\n"));
    PAGE.to_owned() + &lines.collect::<String>()
}
