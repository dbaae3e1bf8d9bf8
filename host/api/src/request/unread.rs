//! Bodies that a handler leaves unread.
//!
//! Where a request is refused before its body is read (too large, wrong type, no token), closing the connection at once
//! makes the client's system throw our answer away while it still sends. So the rest is read and dropped beside the answer,
//! within bounds. A client that asks first (`Expect: 100-continue`) sends nothing, and nothing has to be read.

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

/// How much is read and dropped.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// For how long.
const LONGEST: Duration = Duration::from_secs(20);

/// Wraps the body of each request.
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
