//! Drains bodies that a handler leaves unread.
//!
//! If a request is refused before its body is read (too large, wrong type, no token) and the connection is closed at
//! once, the client's system discards our response while it is still sending. So the rest of the body is read and
//! dropped in the background, within bounds. A client that asks first (`Expect: 100-continue`) has sent nothing, so
//! nothing has to be read.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Error,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::header,
    middleware::Next,
    response::Response,
};
use http_body::{Frame, SizeHint};

use crate::request::body::next_data;

/// The most bytes that are read and dropped.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// The longest time spent on it.
const LONGEST: Duration = Duration::from_secs(20);

/// Wraps the body of each request so that it is drained when it is dropped.
pub(crate) async fn drain(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    next.run(request.map(|body| Body::new(Drained(body)))).await
}

/// A body whose rest is read when it is dropped.
struct Drained(Body);

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        if self.0.is_end_stream() {
            return;
        }
        let rest = mem::take(&mut self.0);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(LONGEST, read_and_drop(rest)));
        }
    }
}

async fn read_and_drop(mut rest: Body) {
    let mut read = 0;
    while read < MOST_BYTES
        && let Some(Ok(data)) = next_data(&mut rest).await
    {
        read += data.len();
    }
}
