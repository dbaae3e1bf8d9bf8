//! What happens around every request: its line in the log, and an answer even where a handler panics.

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

use super::error::{ApiError, Cause};
use crate::analysis::millis;

/// One line per request: at debug, or at warn with the cause where the service is at fault. The query is left out.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let (status, duration_ms) = (response.status().as_u16(), millis(started.elapsed()));
    if response.status().is_server_error() {
        let cause = response.extensions().get::<Cause>().map(|cause| cause.0.as_str());
        tracing::warn!(%method, path, status, duration_ms, cause, "request failed");
    } else {
        tracing::debug!(%method, path, status, duration_ms, "request");
    }
    response
}

/// A panic becomes an answer; without this the connection would just end.
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
