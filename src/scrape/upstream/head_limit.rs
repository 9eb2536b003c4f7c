//! Limits for what is read from a target: before the head of its response is complete, and at once.
//!
//! hyper reads interim responses (`100 Continue`) for as long as they keep arriving, so without a
//! limit a target could keep a thread busy with them. And it doubles its buffer for as long as a
//! read fills it, so without a limit it would read half a megabyte at once, and an idle connection
//! would keep a buffer of that size.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};

/// Most bytes up to the end of the head, interim responses included.
pub(super) const MAX_HEAD_BYTES: usize = 256 * 1024;

/// Most bytes per read until then. What is read with the head is the beginning of the body.
const HEAD_READ_BYTES: usize = 16 * 1024;

/// Most bytes per read of a body. It is one byte less than 128 KiB because a read that fills hyper's
/// buffer of that size doubles it.
const BODY_READ_BYTES: usize = 128 * 1024 - 1;

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

/// A stream that fails when the limit is exceeded, and is read in small pieces.
#[derive(Debug)]
pub(super) struct HeadLimited<T> {
    /// Its limit is set before each read.
    io: Take<T>,
    limit: HeadLimit,
}

impl<T: AsyncRead> HeadLimited<T> {
    pub(super) fn new(io: T, limit: HeadLimit) -> HeadLimited<T> {
        HeadLimited { io: io.take(0), limit }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HeadLimited<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.limit.0.load(Ordering::Relaxed);
        if left == 0 {
            let text = format!("more than {MAX_HEAD_BYTES} bytes before the end of its head");
            return Poll::Ready(Err(io::Error::other(text)));
        }
        let is_body = left == usize::MAX;
        let most = if is_body { BODY_READ_BYTES } else { left.min(HEAD_READ_BYTES) };
        let before = buf.filled().len();
        self.io.set_limit(most as u64);
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if !is_body {
            let read = buf.filled().len() - before;
            self.limit.0.store(left - read, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HeadLimited<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.io.get_mut()).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.io.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.io.get_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_are_small_and_a_head_ends() {
        let limit = HeadLimit::new();
        let mut endless = HeadLimited::new(tokio::io::repeat(b'x'), limit.clone());
        let mut read = async || {
            let mut buffer = Vec::with_capacity(1 << 20);
            endless.read_buf(&mut buffer).await.map_err(|error| error.to_string())
        };
        limit.start();
        for _ in 0..MAX_HEAD_BYTES / HEAD_READ_BYTES {
            assert_eq!(read().await, Ok(HEAD_READ_BYTES));
        }
        let text = "more than 262144 bytes before the end of its head".to_owned();
        assert_eq!(read().await, Err(text));
        limit.end();
        assert_eq!(read().await, Ok(BODY_READ_BYTES));
    }
}
