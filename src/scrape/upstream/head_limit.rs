//! A limit for what a target sends before the head of its response is complete.
//!
//! hyper reads interim responses (`100 Continue`) for as long as they keep arriving, so without a
//! limit a target could keep a thread busy with them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes up to the end of the head, interim responses included.
pub(super) const MAX_HEAD_BYTES: usize = 256 * 1024;

/// Most bytes per read until then. What is read with the head is the beginning of the body.
const READ_BYTES: usize = 16 * 1024;

/// Says whether a head or a body is being read.
#[derive(Clone, Debug)]
pub(super) struct HeadLimit(Arc<AtomicUsize>);

impl HeadLimit {
    /// No limit, until a head is expected.
    pub(super) fn new() -> HeadLimit {
        HeadLimit(Arc::new(AtomicUsize::new(usize::MAX)))
    }

    /// A head is expected.
    pub(super) fn start(&self) {
        self.0.store(MAX_HEAD_BYTES, Ordering::Relaxed);
    }

    /// The head has arrived.
    pub(super) fn end(&self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }
}

/// A stream that fails when the limit is exceeded.
#[derive(Debug)]
pub(super) struct HeadLimited<T> {
    io: T,
    limit: HeadLimit,
}

impl<T> HeadLimited<T> {
    pub(super) fn new(io: T, limit: HeadLimit) -> HeadLimited<T> {
        HeadLimited { io, limit }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HeadLimited<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.limit.0.load(Ordering::Relaxed);
        if left == usize::MAX {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        if left == 0 {
            let text = format!("more than {MAX_HEAD_BYTES} bytes before the end of its head");
            return Poll::Ready(Err(io::Error::other(text)));
        }
        let most = left.min(READ_BYTES).min(buf.remaining());
        let mut some = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut some))?;
        let read = some.filled().len();
        buf.advance(read);
        self.limit.0.store(left - read, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for HeadLimited<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
