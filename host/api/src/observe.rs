//! What happens around every request: its line in the log, and a response even if a handler panics.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Instant,
};

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use ta_bot_core::millis;

use super::error::{ApiError, Cause};

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
