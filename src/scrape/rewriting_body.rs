//! One exposition on its way through the engine, piece by piece.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use super::buffer_pool::BufferPool;
use super::error::Error;
use super::histories::CompletedScrapes;
use super::limiter::{HeldBytes, ScrapePermit};
use super::negotiation::MediaType;
use super::status::{Outcome, RunningScrape};
use super::target::Target;
use super::upstream::ExpositionBody;
use super::work::Slice;
use crate::rewrite::exposition::{Progress, Report, Rewriter, UncopiedRange};

/// Pieces are collected up to this size before they are sent. Smaller ones are sent only while the
/// target pauses.
const PIECE_BYTES: usize = 32 * 1024;

/// Buffers of this size do not count as held bytes: the output of one step, usually.
const SMALL_BUFFERS: usize = 256 * 1024;

/// Maximum number of bytes before the first sample. Kong sends two lines before it.
const MAX_BYTES_BEFORE_SAMPLE: usize = 1 << 20;

/// A source that is being opened.
pub(super) type Opening = Pin<Box<dyn Future<Output = Result<ExpositionBody, Error>> + Send>>;

/// An exposition that is requested, read and rewritten at the speed at which it is polled.
///
/// Dropping it before its end closes the connection to the target and counts as a disconnected
/// client.
pub(super) struct RewritingBody {
    target: Arc<Target>,
    stage: Stage,
    /// The client needs the second `# TYPE` of a histogram that is reopened.
    repeated_types: bool,
    /// Known with the head of the response.
    media_type: MediaType,
    /// `None` once the scrape has ended.
    running: Option<Running>,
    /// A part of a chunk that is sent without a copy, before the content of `out`.
    uncopied: Option<Bytes>,
    out: Vec<u8>,
    pool: BufferPool,
    slice: Slice,
    idle_timer: IdleTimer,
}

/// The progress of the target's response.
#[allow(
    clippy::large_enum_variant,
    reason = "most scrapes are reading, and one is boxed as a whole"
)]
enum Stage {
    /// The head of the response has not arrived.
    Opening(Opening),
    Reading(ExpositionBody),
    /// Everything is read. Gathered families are still to be written.
    Read,
}

/// The result of one step of the rewriting.
enum Step {
    /// Something was read, or written at the end.
    Rewrote,
    /// The target has sent nothing more yet.
    Starved,
    /// An uncopied part of a chunk, or what was written before it.
    Piece(Bytes),
    /// Everything is rewritten.
    Done,
    Failed(Error),
}

#[derive(Debug)]
struct Running {
    scrape: RunningScrape,
    permit: ScrapePermit,
    /// `None` until there is something to rewrite.
    engine: Option<(Rewriter, CompletedScrapes)>,
    wrote_any: bool,
}

impl Running {
    fn end(self, outcome: Outcome) {
        match &self.engine {
            Some((rewriter, _)) => self.scrape.end(outcome, rewriter.report()),
            None => self.scrape.end(outcome, &Report::default()),
        }
    }
}

/// The lines so far that took time. A sample that was dropped counts twice.
fn lines(report: &Report) -> u64 {
    report.samples_in + report.malformed_passed + report.dropped.values().sum::<u64>()
}

impl RewritingBody {
    /// A scrape that starts now. `idle` is the longest pause within the response.
    pub(super) fn new(
        target: Arc<Target>,
        opening: Opening,
        repeated_types: bool,
        permit: ScrapePermit,
        idle: Duration,
    ) -> RewritingBody {
        let scrape = target.start();
        RewritingBody {
            target,
            stage: Stage::Opening(opening),
            repeated_types,
            media_type: MediaType::text(),
            running: Some(Running { scrape, permit, engine: None, wrote_any: false }),
            uncopied: None,
            out: Vec::new(),
            pool: BufferPool::default(),
            slice: Slice::new(),
            idle_timer: IdleTimer { limit: idle, since: Instant::now(), timer: None },
        }
    }

    /// The media type of the pieces. Known with the first one.
    pub(super) fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// A holder of bytes that counts with the scrape, and can outlive it.
    ///
    /// # Panics
    ///
    /// After the scrape has ended.
    pub(super) fn holder(&self) -> HeldBytes {
        self.running.as_ref().expect("the scrape has not ended").permit.holder()
    }

    /// Ends early without an error: the clients need no more of the body.
    pub(super) fn stop(mut self) {
        if let Some(running) = self.running.take() {
            running.end(Outcome::Success);
        }
    }

    /// Ends early with the error for which the last client was removed.
    pub(super) fn abandon(mut self, error: &Error) {
        self.end(error);
    }

    /// The next piece for the clients; `None` at the end and after an error.
    pub(super) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        if self.running.is_none() {
            return Poll::Ready(None);
        }
        if let Stage::Opening(opening) = &mut self.stage {
            match opening.as_mut().poll(cx) {
                Poll::Ready(Ok(source)) => self.opened(source),
                Poll::Ready(Err(error)) => return self.fail(error),
                Poll::Pending => return Poll::Pending,
            }
        }
        if let Some(uncopied) = self.uncopied.take() {
            return Poll::Ready(Some(Ok(self.count_sent(uncopied))));
        }
        if self.out.capacity() == 0 {
            // Only now: the last piece is probably sent, and its buffer still in the CPU's cache.
            self.out = self.pool.buffer();
        }
        loop {
            ready!(self.slice.poll_proceed(cx));
            let starved = match self.step(cx) {
                Step::Rewrote => false,
                Step::Starved => true,
                Step::Piece(piece) => return Poll::Ready(Some(Ok(piece))),
                Step::Done => return self.finish(),
                Step::Failed(error) => return self.fail(error),
            };
            if !self.has_sample() {
                if self.out.len() > MAX_BYTES_BEFORE_SAMPLE {
                    return self.fail(Error::NoSample);
                }
            } else if self.out.len() >= PIECE_BYTES
                || (!self.out.is_empty() && (starved || self.slice.is_over()))
            {
                return Poll::Ready(Some(Ok(self.take_piece())));
            }
            if starved {
                if self.idle_timer.is_too_long(cx) {
                    return self.fail(Error::Idle(self.idle_timer.limit));
                }
                return Poll::Pending;
            }
        }
    }

    /// Reads and rewrites one chunk, or one part of the gathered families once everything is read.
    fn step(&mut self, cx: &mut Context<'_>) -> Step {
        let Some(Running { engine: Some((rewriter, _)), permit, scrape, .. }) = &mut self.running
        else {
            return Step::Done;
        };
        let Stage::Reading(source) = &mut self.stage else {
            self.slice.charge(PIECE_BYTES);
            let progress = match scrape.timed(|| rewriter.finish(&mut self.out)) {
                Ok(progress) => progress,
                Err(error) => return Step::Failed(error.into()),
            };
            if let Err(error) = permit.holds(rewriter.report().held_bytes) {
                return Step::Failed(error);
            }
            return match progress {
                Progress::More => Step::Rewrote,
                Progress::Done => Step::Done,
            };
        };
        let chunk = match source.poll_chunk(self.slice.step_bytes(), cx) {
            Poll::Ready(Ok(Some(chunk))) => chunk,
            Poll::Ready(Ok(None)) => {
                scrape.read();
                self.stage = Stage::Read;
                return Step::Rewrote;
            }
            Poll::Ready(Err(error)) => return Step::Failed(error),
            Poll::Pending => return Step::Starved,
        };
        self.idle_timer.ends();
        // Before the first sample nothing is sent, so everything is copied.
        let has_sample = rewriter.report().samples_in > 0;
        let longer_than = if has_sample { PIECE_BYTES } else { usize::MAX };
        let lines_before = lines(rewriter.report());
        let pushed = scrape.timed(|| rewriter.push_uncopied(&chunk, longer_than, &mut self.out));
        let run = match pushed {
            Ok(run) => run,
            Err(error) => return Step::Failed(error.into()),
        };
        self.slice.charge_lines(chunk.len(), lines(rewriter.report()).saturating_sub(lines_before));
        let buffers = rewriter.unfinished_line_bytes() + self.out.capacity();
        let buffers = buffers.saturating_sub(SMALL_BUFFERS);
        if let Err(error) = permit.holds(rewriter.report().held_bytes + buffers) {
            return Step::Failed(error);
        }
        match run {
            Some(run) => Step::Piece(self.spare(&run, &chunk)),
            None => Step::Rewrote,
        }
    }

    fn has_sample(&self) -> bool {
        let engine = self.running.as_ref().and_then(|running| running.engine.as_ref());
        engine.is_some_and(|(rewriter, _)| rewriter.report().samples_in > 0)
    }

    /// The target has started its response.
    fn opened(&mut self, source: ExpositionBody) {
        self.media_type = source.media_type().clone();
        self.stage = Stage::Reading(source);
        self.idle_timer.ends();
        if let Some(running) = &mut self.running {
            running.engine =
                Some(self.target.rewriter(self.media_type.format(), self.repeated_types));
        }
    }

    /// Splits the output at an uncopied part of a chunk; returns the first piece.
    fn spare(&mut self, run: &UncopiedRange, chunk: &Bytes) -> Bytes {
        let uncopied = chunk.slice(run.range.clone());
        if run.at == 0 {
            return self.count_sent(uncopied);
        }
        let after = self.out.split_off(run.at);
        let before = self.take_piece();
        (self.uncopied, self.out) = (Some(uncopied), after);
        before
    }

    fn take_piece(&mut self) -> Bytes {
        let piece = self.pool.lend(std::mem::take(&mut self.out));
        self.count_sent(piece)
    }

    fn count_sent(&mut self, piece: Bytes) -> Bytes {
        if let Some(running) = &mut self.running {
            running.wrote_any = true;
            running.scrape.wrote(piece.len());
        }
        piece
    }

    /// Everything is rewritten: returns the last piece.
    fn finish(&mut self) -> Poll<Option<Result<Bytes, Error>>> {
        let Some(Running { engine: Some((rewriter, _)), wrote_any, .. }) = &self.running else {
            return Poll::Ready(None);
        };
        if rewriter.report().samples_in == 0 {
            return self.fail(Error::NoSample);
        }
        if self.out.is_empty() && !wrote_any {
            return self.fail(Error::NothingLeft);
        }
        let last = self.take_piece();
        if let Some(Running { engine: Some((rewriter, seen)), scrape, .. }) = self.running.take() {
            scrape.end(Outcome::Success, rewriter.report());
            self.target.complete(rewriter, seen);
        }
        Poll::Ready((!last.is_empty()).then_some(Ok(last)))
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Bytes, Error>>> {
        self.end(&error);
        Poll::Ready(Some(Err(error)))
    }

    fn end(&mut self, error: &Error) {
        let Some(running) = self.running.take() else { return };
        let target = self.target.settings();
        let (target, url) = (&target.name, target.shown_url());
        if running.wrote_any {
            tracing::warn!(%target, url, error = %error, "scrape aborted");
        } else {
            tracing::warn!(%target, url, error = %error, "scrape failed");
        }
        running.end(error.outcome());
    }
}

impl std::fmt::Debug for RewritingBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RewritingBody").field("running", &self.running).finish_non_exhaustive()
    }
}

/// How long a target has sent nothing.
///
/// The timer is reset at most once per limit, not with each piece, so it costs nothing while bytes
/// flow.
struct IdleTimer {
    limit: Duration,
    since: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    fn ends(&mut self) {
        self.since = Instant::now();
    }

    fn is_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        let due = self.since + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return true;
            }
            // It was set for an earlier pause, which has ended.
            timer.as_mut().reset(due);
        }
        false
    }
}
