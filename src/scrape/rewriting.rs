//! One exposition on its way through the engine, as the body of an answer.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::Failure;
use super::past::Seen;
use super::pool::Pool;
use super::source::Source;
use super::target::Target;
use crate::rewrite::{Progress, Rewriter};
use crate::telemetry::{Outcome, ScrapeInFlight};

/// A piece of this size is worth a system call. Less leaves only when the target makes us wait.
const PIECE_BYTES: usize = 32 * 1024;

/// Most bytes that one poll takes from the target. Others on this thread want to go on, too.
const BYTES_PER_POLL: usize = 256 * 1024;

/// More than most lines have.
const SLACK_BYTES: usize = 4 * 1024;

/// Most bytes that wait for the first sample. Real expositions have two lines before it.
const MAX_BYTES_BEFORE_SAMPLE: usize = 1 << 20;

/// An exposition that is read, rewritten and handed on at the pace of whoever reads this body.
///
/// Dropping it before its end closes the connection to the target, and counts as a client that went away.
#[derive(Debug)]
pub(super) struct Rewriting {
    target: Arc<Target>,
    source: Source,
    /// `None` once the scrape has ended, one way or the other.
    running: Option<Running>,
    reading: bool,
    out: Vec<u8>,
    pool: Pool,
    /// The first piece, found by [`start`](Self::start).
    first: Option<Bytes>,
    timeout: Duration,
    deadline: Pin<Box<Sleep>>,
}

#[derive(Debug)]
struct Running {
    rewriter: Rewriter,
    seen: Seen,
    scrape: ScrapeInFlight,
    wrote_any: bool,
}

impl Running {
    /// Lets the engine do something, and counts the time it takes.
    fn timed<T>(&mut self, work: impl FnOnce(&mut Rewriter) -> T) -> T {
        let started = std::time::Instant::now();
        let done = work(&mut self.rewriter);
        self.scrape.rewrote(started.elapsed());
        done
    }
}

impl Rewriting {
    pub(super) fn new(
        target: Arc<Target>,
        (rewriter, seen): (Rewriter, Seen),
        source: Source,
        scrape: ScrapeInFlight,
        timeout: Duration,
        deadline: Instant,
    ) -> Rewriting {
        Rewriting {
            target,
            source,
            running: Some(Running { rewriter, seen, scrape, wrote_any: false }),
            reading: true,
            out: Vec::new(),
            pool: Pool::default(),
            first: None,
            timeout,
            deadline: Box::pin(tokio::time::sleep_until(deadline)),
        }
    }

    /// Waits for the first piece. Until then a failure can still be told in words.
    pub(super) async fn start(&mut self) -> Result<(), Failure> {
        let first = poll_fn(|cx| self.poll_piece(cx)).await;
        self.first = first.transpose()?;
        Ok(())
    }

    /// Enough was seen: the connection closes when this is dropped, and nobody is to blame.
    pub(super) fn stop(mut self) {
        if let Some(Running { rewriter, scrape, .. }) = self.running.take() {
            scrape.end(Outcome::Success, rewriter.report());
        }
    }

    /// The next piece to hand on; `None` at the end. After an error there is nothing more.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        let Some(running) = &mut self.running else {
            return Poll::Ready(None);
        };
        if self.deadline.as_mut().poll(cx).is_ready() {
            return self.fail(Failure::Timeout(self.timeout));
        }
        if self.out.capacity() == 0 {
            // Not before now: by now the last piece is mostly sent, and its buffer still in the CPU's cache.
            self.out = self.pool.buffer();
        }
        let mut budget = BYTES_PER_POLL;
        loop {
            let mut starved = false;
            if self.reading {
                match self.source.poll_chunk(cx) {
                    Poll::Ready(Ok(Some(chunk))) => {
                        budget = budget.saturating_sub(chunk.len());
                        // What leaves is about as long, and begins with the rest of a line.
                        self.out.reserve(chunk.len() + SLACK_BYTES);
                        let pushed = running.timed(|rewriter| rewriter.push(&chunk, &mut self.out));
                        if let Err(error) = pushed {
                            return self.fail(error.into());
                        }
                    }
                    Poll::Ready(Ok(None)) => {
                        self.reading = false;
                        running.scrape.read();
                    }
                    Poll::Ready(Err(failure)) => return self.fail(failure),
                    Poll::Pending => starved = true,
                }
            } else {
                match running.timed(|rewriter| rewriter.finish(&mut self.out)) {
                    Ok(Progress::More) => budget = budget.saturating_sub(PIECE_BYTES),
                    Ok(Progress::Done) => return self.finish(),
                    Err(error) => return self.fail(error.into()),
                }
            }

            if running.rewriter.report().samples_in == 0 {
                if self.out.len() > MAX_BYTES_BEFORE_SAMPLE {
                    return self.fail(Failure::NoSample);
                }
            } else if self.out.len() >= PIECE_BYTES
                || (!self.out.is_empty() && (starved || budget == 0))
            {
                return Poll::Ready(Some(Ok(self.take_piece())));
            }
            if starved {
                return Poll::Pending;
            }
            if budget == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn take_piece(&mut self) -> Bytes {
        let piece = self.pool.lend(std::mem::take(&mut self.out));
        if let Some(running) = &mut self.running {
            running.wrote_any = true;
            running.scrape.wrote(piece.len());
        }
        piece
    }

    /// Everything is rewritten: what is left over is the last piece.
    fn finish(&mut self) -> Poll<Option<Result<Bytes, Failure>>> {
        let Some(running) = &self.running else {
            return Poll::Ready(None);
        };
        if running.rewriter.report().samples_in == 0 {
            return self.fail(Failure::NoSample);
        }
        if self.out.is_empty() && !running.wrote_any {
            return self.fail(Failure::NothingLeft);
        }
        let last = self.take_piece();
        if let Some(Running { rewriter, seen, scrape, .. }) = self.running.take() {
            scrape.end(Outcome::Success, rewriter.report());
            self.target.complete(rewriter, seen);
        }
        Poll::Ready((!last.is_empty()).then_some(Ok(last)))
    }

    fn fail(&mut self, failure: Failure) -> Poll<Option<Result<Bytes, Failure>>> {
        if let Some(Running { rewriter, scrape, wrote_any, .. }) = self.running.take() {
            scrape.end(failure.outcome(), rewriter.report());
            let target = &self.target.settings().name;
            if wrote_any {
                tracing::warn!(%target, error = %failure, "A scrape was broken off.");
            } else {
                tracing::warn!(%target, error = %failure, "A scrape failed.");
            }
        }
        Poll::Ready(Some(Err(failure)))
    }
}

impl Body for Rewriting {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = self.get_mut();
        let piece = match this.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => this.poll_piece(cx),
        };
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
