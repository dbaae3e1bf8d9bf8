//! What happens around every request: its line in the log, its time, its span, and a response even if a handler panics.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use opentelemetry::{KeyValue, trace::SpanKind};
use ta_bot_core::millis;
use ta_bot_engine::support::{
    metrics::Metrics,
    traces::{Begun, Span},
};

use super::error::{ApiError, Cause};

/// The route of a request that has none.
const NO_ROUTE: &str = "none";

/// Measures each request. One of the API is a span too, below the sender's if it says where it comes from; scrapes and
/// probes would hide the others.
pub(super) async fn measure(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let span = if route.starts_with("/api/") { traced(&request, method, &route) } else { Span::default() };
    let response = span.around(next.run(request)).await;
    let status = response.status();
    metrics.http.answered(method, &route, status.as_u16(), started.elapsed());
    span.add(|| vec![KeyValue::new("http.response.status_code", i64::from(status.as_u16()))]);
    if status.is_server_error() {
        span.fail(&status);
    }
    response
}

fn traced(request: &Request, method: &'static str, route: &str) -> Span {
    let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    Span::begin(traceparent, || Begun {
        name: format!("{method} {route}").into(),
        kind: SpanKind::Server,
        attributes: vec![KeyValue::new("http.request.method", method), KeyValue::new("http.route", route.to_owned())],
    })
}

/// The name of a method that some route has. Senders can make up others.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "_OTHER",
    }
}

/// Logs one line per request: at debug level, or at warn with the cause if the service failed. A probe whose response
/// reports an unavailable part does not count as a failure; the outage is logged where it is detected. The query string
/// is left out.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let duration_ms = millis(started.elapsed());
    if let Some(Cause(cause)) = response.extensions().get() {
        tracing::warn!(%method, path, status, duration_ms, cause, "request failed");
    } else {
        tracing::debug!(%method, path, status, duration_ms, "request");
    }
    response
}

/// Turns a panic into a response; without this the connection would just be closed.
pub(super) async fn catch_panic(request: Request, next: Next) -> Response {
    let mut answer = pin!(next.run(request));
    let caught = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(response)) => Poll::Ready(Ok(response)),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    caught.await.unwrap_or_else(|panic| ApiError::Panic(said(panic.as_ref())).into_response())
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpStream,
    };

    use axum::{Router, middleware::from_fn, routing::get};

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_without_its_text() {
        let failing = get(async || -> &'static str { panic!("the secret of {}", 7) });
        let router = Router::new().route("/", failing).layer(from_fn(catch_panic)).layer(from_fn(log));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let asked = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let answer = asked.await.unwrap();
        server.abort();
        assert!(answer.starts_with("HTTP/1.1 500") && answer.contains(r#""code":"internal""#), "{answer}");
        assert!(!answer.contains("secret"), "{answer}");
    }
}
