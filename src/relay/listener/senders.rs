//! The places of the connections of a stream listener.
//!
//! If all are taken, or file descriptors run out, the connection that has been silent longest makes
//! room for a new one: first those that have never sent a line.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::Id;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a connection that has not sent a line keeps its place in any case.
const FIRST_LINE: Duration = Duration::from_secs(1);

/// How long one that has sent a line does. Clients that send at intervals have shorter ones.
const SILENCE: Duration = Duration::from_secs(60);

/// The connections that have a place.
#[derive(Debug)]
pub(super) struct Places {
    stop: CancellationToken,
    /// Earlier than the start of every connection.
    epoch: Instant,
    taken: HashMap<Id, Arc<Place>>,
}

/// The place of one connection. The connection writes it, the listener reads it.
#[derive(Debug)]
pub(super) struct Place {
    leave: CancellationToken,
    epoch: Instant,
    opened: Duration,
    /// When the last line arrived, in milliseconds since `epoch`; 0 before the first one.
    heard: AtomicU64,
}

impl Places {
    /// All connections leave when `stop` is cancelled.
    pub(super) fn new(stop: CancellationToken) -> Places {
        Places { stop, epoch: Instant::now(), taken: HashMap::new() }
    }

    /// A place, which [`take`](Self::take) gives to a connection.
    pub(super) fn place(&self) -> Arc<Place> {
        Arc::new(Place {
            leave: self.stop.child_token(),
            epoch: self.epoch,
            opened: self.epoch.elapsed(),
            heard: AtomicU64::new(0),
        })
    }

    pub(super) fn take(&mut self, id: Id, place: Arc<Place>) {
        self.taken.insert(id, place);
    }

    /// The connection has ended.
    pub(super) fn free(&mut self, id: Id) {
        self.taken.remove(&id);
    }

    /// The number of places that are taken.
    pub(super) fn len(&self) -> usize {
        self.taken.len()
    }

    /// When the first connection may be asked to make room.
    pub(super) fn next_silent(&self) -> Option<Instant> {
        self.taken.values().map(|place| place.silent_from()).min()
    }

    /// Asks a silent connection to leave. It no longer counts. Returns false if there is none.
    pub(super) fn make_room(&mut self) -> bool {
        let now = Instant::now();
        let silent = self.taken.iter().filter(|(_, place)| place.silent_from() <= now);
        let rank = |place: &Place| (place.has_sent(), place.last());
        let Some((id, _)) = silent.min_by_key(|(_, place)| rank(place)) else { return false };
        let id = *id;
        if let Some(place) = self.taken.remove(&id) {
            place.leave.cancel();
        }
        true
    }
}

impl Place {
    /// A line has arrived.
    pub(super) fn heard(&self) {
        let millis = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard.store(millis.max(1), Ordering::Relaxed);
    }

    /// Resolves when the connection has to end. Cancel safe.
    pub(super) async fn must_leave(&self) {
        self.leave.cancelled().await;
    }

    /// Whether the connection has to end.
    pub(super) fn is_left(&self) -> bool {
        self.leave.is_cancelled()
    }

    fn has_sent(&self) -> bool {
        self.heard.load(Ordering::Relaxed) > 0
    }

    /// When it was last heard, or opened.
    fn last(&self) -> Duration {
        match self.heard.load(Ordering::Relaxed) {
            0 => self.opened,
            heard => Duration::from_millis(heard),
        }
    }

    /// From when on it counts as silent, if nothing arrives until then.
    fn silent_from(&self) -> Instant {
        let grace = if self.has_sent() { SILENCE } else { FIRST_LINE };
        self.epoch + self.last() + grace
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// A place that is taken by a task, whose id no other task has.
    fn taken(places: &mut Places) -> Arc<Place> {
        let place = places.place();
        places.take(tokio::spawn(async {}).id(), Arc::clone(&place));
        place
    }

    #[tokio::test(start_paused = true)]
    async fn silent_connections_make_room_first_those_that_never_sent() {
        let mut places = Places::new(CancellationToken::new());
        assert_eq!(places.next_silent(), None);
        let sender = taken(&mut places);
        sender.heard();
        advance(Duration::from_millis(500)).await;
        let (first, second) = (taken(&mut places), taken(&mut places));
        assert!(!places.make_room(), "all of them are new");
        assert_eq!(places.next_silent(), Some(Instant::now() + FIRST_LINE));
        advance(Duration::from_millis(100)).await;
        second.heard();
        advance(FIRST_LINE).await;
        assert!(places.make_room());
        assert!(first.is_left() && !second.is_left() && !sender.is_left());
        assert!(!places.make_room(), "senders may be silent for longer");
        advance(SILENCE).await;
        let newest = taken(&mut places);
        advance(FIRST_LINE).await;
        for expected in [&newest, &sender, &second] {
            assert!(places.make_room());
            assert!(expected.is_left());
        }
        assert_eq!((places.len(), places.make_room()), (0, false));
    }

    #[tokio::test]
    async fn all_leave_when_the_listener_stops() {
        let stop = CancellationToken::new();
        let mut places = Places::new(stop.clone());
        let place = taken(&mut places);
        stop.cancel();
        place.must_leave().await;
    }
}
