//! Refuses requests that another site's page sends through the browser of a person who can reach the service.
//!
//! The API may be open to everyone on its network, so a browser on that network is a way in for outsiders. Browsers
//! state where a request comes from, in `Sec-Fetch-Site` or `Origin`, and pages can't change these headers; programs
//! such as curl send neither. Read-only requests are let through: a page can send them but can't see the response.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::error::ApiError;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses requests from another site's page, unless they only read.
pub(crate) async fn refuse(request: Request, next: Next) -> Response {
    let only_reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match foreign(request.headers()) {
        Some(header) if !only_reads => ApiError::CrossSite { header }.into_response(),
        _ => next.run(request).await,
    }
}

/// The name of the header that shows another site, if there is one.
fn foreign(headers: &HeaderMap) -> Option<&'static str> {
    let fetched = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    if fetched.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return Some("Sec-Fetch-Site");
    }
    let origin = headers.get(header::ORIGIN)?;
    let is_own = || {
        let (scheme, authority) = origin.to_str().ok()?.split_once("://")?;
        let host = headers.get(header::HOST)?.to_str().ok()?;
        let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
        let plain = |name: &str| name.strip_suffix(port).unwrap_or(name).to_ascii_lowercase();
        Some(plain(authority) == plain(host))
    };
    // An opaque ("null") or malformed origin is not ours either.
    (is_own() != Some(true)).then_some("Origin")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(HeaderName, &'static str)]) -> Option<&'static str> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        foreign(&headers.collect())
    }

    #[test]
    fn programs_and_the_service_s_own_pages_are_let_through() {
        let (host, origin) = (header::HOST, header::ORIGIN);
        assert_eq!(of(&[(host.clone(), "127.0.0.1:8080")]), None);
        for site in ["same-origin", "none"] {
            assert_eq!(of(&[(SEC_FETCH_SITE, site), (host.clone(), "bot:8080")]), None);
        }
        let own = [
            ("bot:8080", "http://bot:8080"),
            ("Bot.Example", "https://bot.example"),
            ("bot.example:443", "https://bot.example"),
            ("bot:80", "http://bot"),
            ("[::1]:8080", "http://[::1]:8080"),
        ];
        for (name, from) in own {
            assert_eq!(of(&[(host.clone(), name), (origin.clone(), from)]), None, "{from}");
        }
    }

    #[test]
    fn other_sites_are_refused_by_either_header() {
        let host = (header::HOST, "bot:8080");
        let origin = header::ORIGIN;
        for site in ["cross-site", "same-site", "", "Same-Origin, none"] {
            assert_eq!(of(&[host.clone(), (SEC_FETCH_SITE, site)]), Some("Sec-Fetch-Site"), "{site}");
        }
        for from in
            ["http://evil.example", "http://bot:8081", "http://bot", "null", "", "bot:8080", "http://bot:8080.x"]
        {
            assert_eq!(of(&[host.clone(), (origin.clone(), from)]), Some("Origin"), "{from}");
        }
        assert_eq!(of(&[(origin, "http://bot:8080")]), Some("Origin"));
    }
}
