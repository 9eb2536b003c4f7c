//! Clients that send the same request to a target at the same time share one scrape.
//!
//! Kong walks its whole dictionary for each scrape, so two Prometheus replicas should not cost it
//! two. A client joins a scrape until the first byte of the response is sent; after that, a new
//! client starts a new scrape. So no client gets data from before its request, except from the
//! short time between Kong's snapshot and that first byte.
//!
//! No separate task drives a scrape: any client that is ready for the next piece polls it, and the
//! piece is buffered for the others. Events of the socket wake all clients, so a client that has
//! disconnected or is blocked in a write does not stall the others. A single client pays for one
//! uncontended lock.
//!
//! The bytes buffered for the slowest client are limited, and count towards the limit of all held
//! bytes. At the limit the other clients wait, up to a total time; then the slowest client is
//! disconnected. Each client has its own deadline, and
//! the scrape continues as long as one client is left.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::error::Error;
use super::limiter::HeldBytes;
use super::negotiation::MediaType;
use super::proxy_headers;
use super::rewriting_body::RewritingBody;
use super::target::Target;
use super::upstream::UpstreamRequest;

/// Most bytes buffered for the slowest of several clients. Nearly all expositions are smaller, so a
/// slow client of a shared scrape has as much time as if it were alone.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// Most bytes buffered for the slowest client if all scrapes together hold very much. Most
/// expositions of Kong are smaller.
const FEW_WAITING_BYTES: usize = 4 << 20;

/// How long, in total, one client may delay the others of its scrape: longer than a short stall,
/// and a small part of the scrape timeout of Prometheus.
const PATIENCE: Duration = Duration::from_secs(1);

/// Scrapes of one target that can still be joined.
#[derive(Debug, Default)]
pub(super) struct InFlightScrapes(Mutex<Vec<Weak<SharedScrape>>>);

/// A scrape and its clients.
#[derive(Debug)]
struct SharedScrape {
    ask: UpstreamRequest,
    repeated_types: bool,
    /// No piece exists yet, so clients can join.
    is_open: AtomicBool,
    clients: Arc<Wakers>,
    /// Wakes all clients.
    waker: Waker,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once it has ended.
    body: Option<Box<RewritingBody>>,
    end: Option<Result<(), Error>>,
    /// Known with the first piece.
    media_type: MediaType,
    /// Pieces that at least one client has not received yet.
    pieces: VecDeque<Bytes>,
    /// Number of pieces before those.
    taken: u64,
    /// The bytes of the pieces.
    held: HeldBytes,
    places: Vec<Place>,
    last_id: u64,
    /// Since when all clients wait for the slowest, and the total of earlier waits.
    waiting_since: Option<Instant>,
    waited: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// The position of one client.
#[derive(Debug)]
struct Place {
    id: u64,
    /// The number of the next piece that it receives.
    next: u64,
    is_cut_off: bool,
}

/// The clients to wake, by number.
#[derive(Debug, Default)]
struct Wakers(Mutex<Vec<(u64, Waker)>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No statement that can panic leaves the locked data inconsistent, so poisoning is ignored.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wakers {
    fn register(&self, id: u64, waker: &Waker) {
        let mut all = lock(&self.0);
        match all.iter_mut().find(|(its, _)| *its == id) {
            Some((_, known)) if known.will_wake(waker) => {}
            Some((_, known)) => known.clone_from(waker),
            None => all.push((id, waker.clone())),
        }
    }

    fn forget(&self, id: u64) {
        lock(&self.0).retain(|(its, _)| *its != id);
    }

    fn wake_others(&self, id: u64) {
        for (_, waker) in lock(&self.0).iter().filter(|(its, _)| *its != id) {
            waker.wake_by_ref();
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for (_, waker) in &*lock(&self.0) {
            waker.wake_by_ref();
        }
    }
}

impl InFlightScrapes {
    /// Joins a running scrape that still accepts clients, or a new one from `start`.
    ///
    /// # Errors
    ///
    /// Those of `start`.
    pub(super) fn join<E>(
        &self,
        target: &Arc<Target>,
        ask: UpstreamRequest,
        repeated_types: bool,
        start: impl FnOnce(&UpstreamRequest) -> Result<RewritingBody, E>,
    ) -> Result<SharedScrapeBody, E> {
        let (timeout, deadline) = (ask.timeout, ask.deadline);
        let client = |scrape: Arc<SharedScrape>, id| SharedScrapeBody {
            target: Arc::clone(target),
            scrape,
            id,
            first: None,
            ended: false,
            timeout,
            deadline: Box::pin(tokio::time::sleep_until(deadline)),
        };
        let mut all = lock(&self.0);
        all.retain(|scrape| scrape.upgrade().is_some_and(|scrape| scrape.is_open()));
        for scrape in all.iter().filter_map(Weak::upgrade) {
            if scrape.gives(&ask, repeated_types)
                && let Some(id) = scrape.join()
            {
                target.metrics().joined();
                return Ok(client(scrape, id));
            }
        }
        let scrape = Arc::new(SharedScrape::new(start(&ask)?, ask, repeated_types));
        all.push(Arc::downgrade(&scrape));
        drop(all);
        Ok(client(scrape, 0))
    }
}

impl SharedScrape {
    /// A scrape with one client, whose number is 0.
    fn new(body: RewritingBody, ask: UpstreamRequest, repeated_types: bool) -> SharedScrape {
        let clients = Arc::new(Wakers::default());
        let held = body.holder();
        let state = State {
            body: Some(Box::new(body)),
            end: None,
            media_type: MediaType::text(),
            pieces: VecDeque::new(),
            taken: 0,
            held,
            places: vec![Place { id: 0, next: 0, is_cut_off: false }],
            last_id: 0,
            waiting_since: None,
            waited: Duration::ZERO,
            timer: None,
        };
        SharedScrape {
            ask,
            repeated_types,
            is_open: AtomicBool::new(true),
            waker: Waker::from(Arc::clone(&clients)),
            clients,
            state: Mutex::new(state),
        }
    }

    fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Whether the response of this scrape is a response to that request.
    fn gives(&self, ask: &UpstreamRequest, repeated_types: bool) -> bool {
        self.ask.path == ask.path
            && self.repeated_types == repeated_types
            && proxy_headers::same_request(&self.ask.headers, &ask.headers)
    }

    /// Adds a client, unless the first piece exists meanwhile.
    fn join(&self) -> Option<u64> {
        let mut state = lock(&self.state);
        if !self.is_open() || state.places.is_empty() {
            return None;
        }
        state.last_id += 1;
        let id = state.last_id;
        state.places.push(Place { id, next: 0, is_cut_off: false });
        Some(id)
    }

    /// The next piece for one client.
    fn poll(&self, id: u64, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        self.clients.register(id, cx.waker());
        let mut state = lock(&self.state);
        let State { places, pieces, taken, .. } = &mut *state;
        let place = places.iter_mut().find(|place| place.id == id);
        let place = place.expect("a client has a place until it is dropped");
        if place.is_cut_off {
            return Poll::Ready(Some(Err(Error::TooSlow)));
        }
        let waiting = usize::try_from(place.next - *taken).expect("as many as wait");
        if let Some(piece) = pieces.get(waiting).cloned() {
            place.next += 1;
            let made_room = state.drop_taken();
            drop(state);
            if made_room {
                self.clients.wake_others(id);
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        if let Some(end) = &state.end {
            return Poll::Ready(end.clone().err().map(Err));
        }
        let mut all = Context::from_waker(&self.waker);
        if !state.has_room(&mut all) {
            return Poll::Pending;
        }
        let Some(body) = &mut state.body else {
            return Poll::Ready(None);
        };
        let Poll::Ready(piece) = body.poll_piece(&mut all) else {
            return Poll::Pending;
        };
        // Before any client can receive the piece: from here on, no client may join.
        if self.is_open.swap(false, Ordering::AcqRel) {
            let media_type = body.media_type().clone();
            state.media_type = media_type;
        }
        match &piece {
            Some(Ok(piece)) => state.add(id, piece),
            Some(Err(error)) => state.end(Err(error.clone())),
            None => state.end(Ok(())),
        }
        let has_others = state.places.len() > 1;
        drop(state);
        if has_others {
            self.clients.wake_others(id);
        }
        Poll::Ready(piece)
    }

    /// Removes a client. If it was the last, the scrape ends: with its error, or as a success if it
    /// needs no more.
    ///
    /// Returns true if the client misses the rest only because it was removed, not because the
    /// scrape has ended.
    fn leave(&self, id: u64, why: &LeaveReason) -> bool {
        self.clients.forget(id);
        let mut state = lock(&self.state);
        state.places.retain(|place| place.id != id);
        if state.places.iter().any(|place| !place.is_cut_off) {
            state.drop_taken();
            let has_failed = matches!(state.end, Some(Err(_)));
            drop(state);
            // The others may have waited for this client, or relied on it to poll the scrape.
            self.clients.wake_others(id);
            return !has_failed;
        }
        let is_read = state.last_id > 0 && matches!(state.end, Some(Ok(())));
        self.is_open.store(false, Ordering::Release);
        let body = state.body.take();
        drop(state);
        match (body, why) {
            (Some(body), LeaveReason::Failed(error)) => body.abandon(error),
            (Some(body), LeaveReason::SeenEnough) => body.stop(),
            // Dropping it counts a scrape whose client has disconnected.
            (_, LeaveReason::Gone | LeaveReason::Done) | (None, _) => {}
        }
        is_read
    }
}

impl State {
    /// Records that client `id` has received a piece.
    fn add(&mut self, id: u64, piece: &Bytes) {
        self.pieces.push_back(piece.clone());
        self.held.set(self.held.bytes() + piece.len());
        if let Some(place) = self.places.iter_mut().find(|place| place.id == id) {
            place.next += 1;
        }
        self.drop_taken();
    }

    fn end(&mut self, end: Result<(), Error>) {
        self.body = None;
        self.end = Some(end);
    }

    /// Drops the pieces that all clients have received. Returns whether there were any.
    fn drop_taken(&mut self) -> bool {
        let reading = self.places.iter().filter(|place| !place.is_cut_off);
        let Some(slowest) = reading.map(|place| place.next).min() else { return false };
        let before = self.taken;
        while self.taken < slowest
            && let Some(piece) = self.pieces.pop_front()
        {
            self.taken += 1;
            self.held.set(self.held.bytes() - piece.len());
        }
        let dropped = self.taken > before;
        if dropped && let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
        dropped
    }

    /// Whether another piece can be produced. Disconnects the slowest client if it has delayed the
    /// others for too long.
    fn has_room(&mut self, cx: &mut Context<'_>) -> bool {
        if self.may_buffer() {
            return true;
        }
        let now = Instant::now();
        let since = *self.waiting_since.get_or_insert(now);
        let due = since + PATIENCE.saturating_sub(self.waited);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        timer.as_mut().reset(due);
        if timer.as_mut().poll(cx).is_pending() {
            return false;
        }
        let slowest = self.taken;
        for place in self.places.iter_mut().filter(|place| place.next == slowest) {
            place.is_cut_off = true;
        }
        self.drop_taken();
        self.may_buffer()
    }

    fn may_buffer(&self) -> bool {
        let waiting = self.held.bytes();
        waiting < FEW_WAITING_BYTES || (waiting < MAX_WAITING_BYTES && self.held.is_there_plenty())
    }
}

/// Why a client is removed.
enum LeaveReason {
    /// It has received everything.
    Done,
    Gone,
    Failed(Error),
    SeenEnough,
}

/// A client's share of a scrape: the body of its response.
///
/// Dropping the last one early closes the connection to the target, and counts as a disconnected
/// client.
#[derive(Debug)]
pub(super) struct SharedScrapeBody {
    target: Arc<Target>,
    scrape: Arc<SharedScrape>,
    id: u64,
    /// The first piece, found by [`start`](Self::start).
    first: Option<Bytes>,
    ended: bool,
    timeout: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl SharedScrapeBody {
    /// The media type of the body. Known after [`start`](Self::start).
    pub(super) fn media_type(&self) -> MediaType {
        lock(&self.scrape.state).media_type.clone()
    }

    /// Waits for the first piece. Until then, an error can still become a response with the reason.
    pub(super) async fn start(&mut self) -> Result<(), Error> {
        let first = poll_fn(|cx| self.poll_piece(cx)).await;
        self.first = first.transpose()?;
        Ok(())
    }

    /// Ends early without an error: the client needs no more of the body.
    pub(super) fn stop(mut self) {
        self.leave(&LeaveReason::SeenEnough);
    }

    /// The next piece; `None` at the end and after an error.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let piece = if self.deadline.as_mut().poll(cx).is_ready() {
            Some(Err(Error::Timeout(self.timeout)))
        } else {
            match self.scrape.poll(self.id, cx) {
                Poll::Ready(piece) => piece,
                Poll::Pending => return Poll::Pending,
            }
        };
        match &piece {
            Some(Ok(_)) => {}
            Some(Err(error)) => self.leave(&LeaveReason::Failed(error.clone())),
            None => self.leave(&LeaveReason::Done),
        }
        Poll::Ready(piece)
    }

    fn leave(&mut self, why: &LeaveReason) {
        if self.ended {
            return;
        }
        self.ended = true;
        if !self.scrape.leave(self.id, why) {
            return;
        }
        let metrics = self.target.metrics();
        match why {
            LeaveReason::Done | LeaveReason::SeenEnough => {}
            LeaveReason::Gone => metrics.client_left(),
            LeaveReason::Failed(error) => {
                let target = &self.target.settings().name;
                tracing::warn!(%target, error = %error, "client of a shared scrape disconnected by the gateway");
                metrics.left(error.reason());
            }
        }
    }
}

impl Drop for SharedScrapeBody {
    fn drop(&mut self) {
        self.leave(&LeaveReason::Gone);
    }
}

impl Body for SharedScrapeBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let piece = match this.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => this.poll_piece(cx),
        };
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
