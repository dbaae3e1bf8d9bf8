//! The page that shows the API's description. It is part of the binary and needs nothing from any network.
//!
//! The page may load its own files and ask this service, and nothing else: what the description says, such as the names
//! that modules give, must never run in a browser.

use axum::{
    Router,
    http::{HeaderName, header},
    response::IntoResponse,
    routing::get,
};

/// The paths of the page and its files, each with the type and the text.
const FILES: [(&str, &str, &str); 3] = [
    ("/docs", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/docs/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/docs/page.js", "text/javascript; charset=utf-8", include_str!("page/page.js")),
];

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The routes of the page.
pub(super) fn routes() -> Router<crate::State> {
    let add =
        |router: Router<crate::State>, (path, kind, text)| router.route(path, get(async move || file(kind, text)));
    FILES.into_iter().fold(Router::new(), add)
}

fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text)
}
