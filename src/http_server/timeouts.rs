//! Time limits for the peer of a connection.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::context::Limits;
use crate::http_server::connection_state::{ConnectionState, Phase};

/// Fails reads and writes when the peer takes too long: to send a request head, to accept more of a
/// response, to accept all of it, or to send the next request.
///
/// hyper has no limit on writes, and does not ask for the next piece of a body while it cannot
/// write the last. Without this a client that stops reading would keep its scrape, and the
/// upstream's connection, forever.
///
/// The timer is reset at most once per limit, not once per read or write, so it costs nothing while
/// bytes flow.
#[derive(Debug)]
pub(super) struct TimeoutIo<T> {
    io: T,
    limits: Limits,
    activity: Arc<ConnectionState>,
    /// Since when the peer has accepted no data.
    stalled: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    broken: Option<Broken>,
}

/// The limit that was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The next request.
    Idle,
    /// The head of a request.
    Head,
    /// Accepting more of a response.
    Write,
    /// Accepting a whole response.
    Answer,
}

impl<T> TimeoutIo<T> {
    pub(super) fn new(io: T, limits: Limits, activity: Arc<ConnectionState>) -> TimeoutIo<T> {
        TimeoutIo { io, limits, activity, stalled: None, timer: None, broken: None }
    }

    /// The connection, and the limit that was exceeded, if any.
    pub(super) fn into_parts(self) -> (T, Option<Broken>) {
        (self.io, self.broken)
    }

    /// Ready when `due` has passed: then the connection is aborted.
    fn give_up_at(
        &mut self,
        cx: &mut Context<'_>,
        due: Instant,
        broken: Broken,
    ) -> Poll<io::Error> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                self.broken = Some(broken);
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            // The timer was set for an earlier phase, which has ended in time.
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    /// Returns the result of a write, or an error if the write has waited too long.
    fn watch<R>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = *self.stalled.get_or_insert_with(Instant::now);
        let stall = (stalled + self.limits.write_timeout, Broken::Write);
        let (due, broken) = match self.activity.phase() {
            Phase::Answer | Phase::Rest => {
                let whole = self.activity.since() + self.limits.answer_timeout;
                if whole < stall.0 { (whole, Broken::Answer) } else { stall }
            }
            Phase::Quiet | Phase::Head => stall,
        };
        self.give_up_at(cx, due, broken).map(Err)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TimeoutIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        let phase = self.activity.phase();
        if read.is_ready() {
            if phase == Phase::Quiet && buf.filled().len() > before {
                self.activity.enter(Phase::Head);
            }
            return read;
        }
        let (limit, broken) = match phase {
            Phase::Quiet => (self.limits.idle_timeout, Broken::Idle),
            Phase::Head => (self.limits.header_timeout, Broken::Head),
            // The client has to read now.
            Phase::Answer | Phase::Rest => return Poll::Pending,
        };
        let due = self.activity.since() + limit;
        self.give_up_at(cx, due, broken).map(Err)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TimeoutIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) && self.activity.phase() == Phase::Rest {
            self.activity.enter(Phase::Quiet);
        }
        self.watch(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A peer that accepts no data until it is released, and sends the bytes that it is given.
    #[derive(Default)]
    struct Peer {
        takes: bool,
        bytes_to_send: usize,
    }

    impl AsyncRead for Peer {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if self.bytes_to_send == 0 {
                return Poll::Pending;
            }
            self.bytes_to_send -= 1;
            buf.put_slice(b"x");
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Peer {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            if self.takes { Poll::Ready(Ok(buf.len())) } else { Poll::Pending }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.takes { Poll::Ready(Ok(())) } else { Poll::Pending }
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn guard() -> TimeoutIo<Peer> {
        let limits = Limits {
            max_connections: 1,
            header_bytes: 1,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(300),
            write_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(100),
        };
        TimeoutIo::new(Peer::default(), limits, Arc::new(ConnectionState::new(Instant::now())))
    }

    async fn write(guard: &mut TimeoutIo<Peer>) -> io::Result<usize> {
        poll_fn(|cx| Pin::new(&mut *guard).poll_write(cx, b"x")).await
    }

    async fn flush(guard: &mut TimeoutIo<Peer>) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *guard).poll_flush(cx)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let mut guard = guard();
        let begun = Instant::now();
        let error = write(&mut guard).await.expect_err("no data is accepted");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 30);
        assert_eq!(guard.broken, Some(Broken::Write));
    }

    #[tokio::test(start_paused = true)]
    async fn each_stall_has_its_own_time() {
        let mut guard = guard();
        let first = tokio::time::timeout(Duration::from_secs(20), write(&mut guard)).await;
        assert!(first.is_err(), "still waiting");
        guard.io.takes = true;
        write(&mut guard).await.expect("taken");
        guard.io.takes = false;
        let begun = Instant::now();
        write(&mut guard).await.expect_err("no data is accepted again");
        assert_eq!(begun.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_taken_bit_by_bit_has_an_end() {
        let mut guard = guard();
        guard.activity.enter(Phase::Answer);
        let begun = Instant::now();
        let broken = loop {
            guard.io.takes = false;
            match tokio::time::timeout(Duration::from_secs(20), write(&mut guard)).await {
                Err(_) => guard.io.takes = true,
                Ok(broken) => break broken,
            }
            write(&mut guard).await.expect("taken");
        };
        broken.expect_err("the limit has passed");
        assert_eq!(begun.elapsed().as_secs(), 100);
        assert_eq!(guard.broken, Some(Broken::Answer));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_less_time_than_the_wait_for_it() {
        let mut guard = guard();
        let begun = Instant::now();
        guard.read_u8().await.expect_err("no request arrives");
        assert_eq!((begun.elapsed().as_secs(), guard.broken), (300, Some(Broken::Idle)));

        let mut guard = self::guard();
        let begun = Instant::now();
        let early = tokio::time::timeout(Duration::from_secs(200), guard.read_u8()).await;
        assert!(early.is_err(), "the limit has not passed");
        guard.io.bytes_to_send = 1;
        guard.read_u8().await.expect("a byte");
        let mut late = Duration::ZERO;
        while guard.broken.is_none() {
            // Single bytes do not extend the limit.
            guard.io.bytes_to_send = usize::from(
                tokio::time::timeout(Duration::from_secs(3), guard.read_u8()).await.is_err(),
            );
            late = begun.elapsed();
        }
        assert_eq!((late.as_secs(), guard.broken), (210, Some(Broken::Head)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_when_its_last_byte_is_written() {
        let mut guard = guard();
        guard.activity.enter(Phase::Answer);
        guard.activity.rest();
        assert_eq!(guard.activity.waits_since(), None);
        let early = tokio::time::timeout(Duration::from_secs(1), flush(&mut guard)).await;
        assert!(early.is_err());
        assert_eq!(guard.activity.phase(), Phase::Rest);
        guard.io.takes = true;
        flush(&mut guard).await.expect("flushed");
        assert_eq!(guard.activity.phase(), Phase::Quiet);
        assert_eq!(guard.activity.waits_since(), Some(1000));
    }
}
