//! One scrape of a target for all who want the same of it at the same time.
//!
//! A Kong walks its whole dictionary for each scrape, so two Prometheus replicas that come at one moment should not cost it
//! two. Whoever comes while the target has been asked but nothing of its answer has left yet joins that scrape; whoever
//! comes later gets one of their own. So nobody is given what was there before they came, but for the moment in which
//! the target was about to answer anyway.
//!
//! There is no task that scrapes on behalf of others: whoever is ready for the next piece drives the scrape, and the
//! piece waits for the rest. The socket's events wake all of them, so it does not matter who drove last and has gone, or
//! is stuck in a write. One client alone pays a lock that nobody contends for.
//!
//! What waits for the slowest is bounded. When that much waits, the others wait as well, but only so long in all: then
//! the slowest is cut off. Each client has its own deadline; the scrape goes on for as long as one is left.

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
use super::proxy_headers;
use super::rewriting_body::RewritingBody;
use super::target::Target;
use super::upstream::UpstreamRequest;

/// Most bytes that wait for the slowest of several clients; a whole exposition of most Kongs.
const MAX_WAITING_BYTES: usize = 4 << 20;

/// How long, in all, one client may keep the others of its scrape waiting. Longer than any hiccup, and a small part of
/// what Prometheus waits for a scrape.
const PATIENCE: Duration = Duration::from_secs(1);

/// Scrapes of one target that can still be joined.
#[derive(Debug, Default)]
pub(super) struct InFlightScrapes(Mutex<Vec<Weak<SharedScrape>>>);

/// A scrape and its clients.
#[derive(Debug)]
struct SharedScrape {
    ask: UpstreamRequest,
    repeated_types: bool,
    /// Nothing has left yet.
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
    /// Pieces that not everybody has taken yet.
    pieces: VecDeque<Bytes>,
    /// How many pieces were before those.
    taken: u64,
    bytes: usize,
    places: Vec<Place>,
    last_id: u64,
    /// Since when everybody waits for the slowest, and for how long they had done so before.
    waiting_since: Option<Instant>,
    waited: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Where one client is.
#[derive(Debug)]
struct Place {
    id: u64,
    /// The piece that it takes next.
    next: u64,
    is_cut_off: bool,
}

/// The clients to wake, by number.
#[derive(Debug, Default)]
struct Wakers(Mutex<Vec<(u64, Waker)>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole between any two statements that can panic.
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
    /// A client's part in a scrape: in one that is under way and can be joined, or in a new one that `start` makes.
    /// `None` where `start` makes none.
    pub(super) fn join(
        &self,
        target: &Arc<Target>,
        ask: UpstreamRequest,
        repeated_types: bool,
        start: impl FnOnce(&UpstreamRequest) -> Option<RewritingBody>,
    ) -> Option<SharedScrapeBody> {
        let (timeout, deadline) = (ask.timeout, ask.deadline);
        let client = |joint: Arc<SharedScrape>, id| SharedScrapeBody {
            target: Arc::clone(target),
            joint,
            id,
            first: None,
            ended: false,
            timeout,
            deadline: Box::pin(tokio::time::sleep_until(deadline)),
        };
        let mut all = lock(&self.0);
        all.retain(|joint| joint.upgrade().is_some_and(|joint| joint.is_open()));
        for joint in all.iter().filter_map(Weak::upgrade) {
            if joint.gives(&ask, repeated_types)
                && let Some(id) = joint.join()
            {
                target.metrics().joined();
                return Some(client(joint, id));
            }
        }
        let joint = Arc::new(SharedScrape::new(start(&ask)?, ask, repeated_types));
        all.push(Arc::downgrade(&joint));
        drop(all);
        Some(client(joint, 0))
    }
}

impl SharedScrape {
    /// With one client, number 0.
    fn new(body: RewritingBody, ask: UpstreamRequest, repeated_types: bool) -> SharedScrape {
        let clients = Arc::new(Wakers::default());
        let state = State {
            body: Some(Box::new(body)),
            end: None,
            pieces: VecDeque::new(),
            taken: 0,
            bytes: 0,
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

    /// Whether what comes of this scrape is what is asked for.
    fn gives(&self, ask: &UpstreamRequest, repeated_types: bool) -> bool {
        self.ask.path == ask.path
            && self.repeated_types == repeated_types
            && proxy_headers::same_request(&self.ask.headers, &ask.headers)
    }

    /// One more client, unless something has left meanwhile.
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
        // Before anybody can see the piece: from here on nobody may join.
        self.is_open.store(false, Ordering::Release);
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

    /// A client leaves. If it was the last, the scrape ends with it: for its failure, or because it has seen enough.
    ///
    /// Whether it is its leaving alone, and not how the scrape ended, that keeps it from the rest.
    fn leave(&self, id: u64, why: &LeaveReason) -> bool {
        self.clients.forget(id);
        let mut state = lock(&self.state);
        state.places.retain(|place| place.id != id);
        if state.places.iter().any(|place| !place.is_cut_off) {
            state.drop_taken();
            let has_failed = matches!(state.end, Some(Err(_)));
            drop(state);
            // Whoever leaves may be the one whom the others wait for, or the one who drove.
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
            // Dropped, it counts as one whose client went away.
            (_, LeaveReason::Gone | LeaveReason::Done) | (None, _) => {}
        }
        is_read
    }
}

impl State {
    /// A piece that client `id` has.
    fn add(&mut self, id: u64, piece: &Bytes) {
        self.pieces.push_back(piece.clone());
        self.bytes += piece.len();
        if let Some(place) = self.places.iter_mut().find(|place| place.id == id) {
            place.next += 1;
        }
        self.drop_taken();
    }

    fn end(&mut self, end: Result<(), Error>) {
        self.body = None;
        self.end = Some(end);
    }

    /// Drops the pieces that everybody has. Whether there are any.
    fn drop_taken(&mut self) -> bool {
        let reading = self.places.iter().filter(|place| !place.is_cut_off);
        let Some(slowest) = reading.map(|place| place.next).min() else { return false };
        let before = self.taken;
        while self.taken < slowest
            && let Some(piece) = self.pieces.pop_front()
        {
            self.taken += 1;
            self.bytes -= piece.len();
        }
        let dropped = self.taken > before;
        if dropped && let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
        dropped
    }

    /// Whether another piece can be made. Where the slowest client has been in the way for too long it is cut off.
    fn has_room(&mut self, cx: &mut Context<'_>) -> bool {
        if self.bytes < MAX_WAITING_BYTES {
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
        self.bytes < MAX_WAITING_BYTES
    }
}

/// Why a client leaves.
enum LeaveReason {
    /// It has everything.
    Done,
    Gone,
    Failed(Error),
    SeenEnough,
}

/// One client's part in a scrape, as the body of its answer.
///
/// Dropping the last one before the end closes the connection to the target, and counts as a client that went away.
#[derive(Debug)]
pub(super) struct SharedScrapeBody {
    target: Arc<Target>,
    joint: Arc<SharedScrape>,
    id: u64,
    /// The first piece, found by [`start`](Self::start).
    first: Option<Bytes>,
    ended: bool,
    timeout: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl SharedScrapeBody {
    /// Waits for the first piece. Until then a failure can still be told in words.
    pub(super) async fn start(&mut self) -> Result<(), Error> {
        let first = poll_fn(|cx| self.poll_piece(cx)).await;
        self.first = first.transpose()?;
        Ok(())
    }

    /// Enough was seen, and nobody is to blame for what is left unread.
    pub(super) fn stop(mut self) {
        self.leave(&LeaveReason::SeenEnough);
    }

    /// The next piece; `None` at the end. After an error there is nothing more.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let piece = if self.deadline.as_mut().poll(cx).is_ready() {
            Some(Err(Error::Timeout(self.timeout)))
        } else {
            match self.joint.poll(self.id, cx) {
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
        if !self.joint.leave(self.id, why) {
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
