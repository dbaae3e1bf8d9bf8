//! Refuses requests whose head can be read in two ways.
//!
//! A proxy before the service may have checked the one of two headers while the service looks at the other, so each
//! header on which access depends may be there once.

use axum::{
    extract::Request,
    http::{HeaderName, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::error::ApiError;

/// The headers that are asked for who calls, from where, and with what.
const SINGLE: [HeaderName; 6] = [
    header::HOST,
    header::AUTHORIZATION,
    header::ORIGIN,
    HeaderName::from_static("sec-fetch-site"),
    header::CONTENT_TYPE,
    header::IF_MATCH,
];

/// Refuses a request with two headers of which only one may be there, or with two names of the host.
pub(crate) async fn refuse(request: Request, next: Next) -> Response {
    match problem(&request) {
        Some(problem) => ApiError::Malformed(problem).into_response(),
        None => next.run(request).await,
    }
}

fn problem(request: &Request) -> Option<String> {
    let headers = request.headers();
    if let Some(name) = SINGLE.iter().find(|name| headers.get_all(*name).iter().nth(1).is_some()) {
        return Some(format!("there is more than one header {name}: give one"));
    }
    // The first line of a request may name the host as well. A browser does that only if it speaks to a proxy.
    let authority = request.uri().authority()?.as_str();
    let host = headers.get(header::HOST)?.as_bytes();
    let differs = !authority.as_bytes().eq_ignore_ascii_case(host);
    differs.then(|| "the first line names another host than the header host: give the same".to_owned())
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::HeaderValue};

    use super::*;

    fn request(uri: &str, headers: &[(HeaderName, &'static str)]) -> Request {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri.parse().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(name.clone(), HeaderValue::from_static(value));
        }
        request
    }

    #[test]
    fn a_header_that_decides_may_be_there_once() {
        assert_eq!(problem(&request("/", &SINGLE.map(|name| (name, "x")))), None);
        for name in SINGLE {
            for second in ["x", "y", ""] {
                let told = problem(&request("/", &[(name.clone(), "x"), (name.clone(), second)])).unwrap();
                assert!(told.contains(name.as_str()) && told.contains("give one"), "{told}");
            }
        }
        let harmless = [(header::ACCEPT, "a"), (header::ACCEPT, "b")];
        assert_eq!(problem(&request("/", &harmless)), None);
    }

    #[test]
    fn the_first_line_names_no_other_host() {
        let host = |host| [(header::HOST, host)];
        assert_eq!(problem(&request("http://Bot:8080/x", &host("bot:8080"))), None);
        assert!(problem(&request("http://evil.example/x", &host("localhost"))).is_some());
        assert!(problem(&request("http://localhost/x", &host("evil.example"))).is_some());
    }
}
