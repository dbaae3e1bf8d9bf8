//! A connection whose other end has to read.
//!
//! A client that asks and never reads holds its connection and the answer. A deadline begins when its system takes no
//! more bytes, and ends when everything has been taken. Every byte that it takes puts the deadline off a little, so
//! that a large answer over a slow line goes through, and a client that reads a byte now and then gains nothing.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

/// The slowest line on which an answer of any size goes through.
const BYTES_A_SECOND: u32 = 16 * 1024;

/// A connection that fails if the other end does not read.
pub(super) struct Patient {
    stream: TokioIo<TcpStream>,
    patience: Duration,
    /// When patience ends; `None` if everything has been taken.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    pub(super) fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream: TokioIo::new(stream), patience, deadline: None }
    }

    /// What becomes of an attempt to write.
    fn tried(&mut self, context: &mut Context<'_>, tried: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match tried {
            Poll::Pending => {
                let end = Instant::now() + self.patience;
                let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep_until(end)));
                ready!(deadline.as_mut().poll(context));
                let told = "the client does not read what it asked for";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, told)))
            }
            Poll::Ready(Ok(written)) => {
                if let Some(deadline) = &mut self.deadline {
                    let gained = Duration::from_secs(written as u64) / BYTES_A_SECOND;
                    let put_off = deadline.deadline() + gained;
                    deadline.as_mut().reset(put_off);
                }
                Poll::Ready(Ok(written))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl Read for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.tried(context, tried)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.tried(context, tried)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Hyper flushes once it has written everything that it had to write.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.deadline = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
