//! Whose password is hashed next.
//!
//! Anyone who reaches the listener can send passwords, and each costs tens of milliseconds of a CPU.
//! One is hashed at a time. Which one is decided by the wrong passwords of each source so far: those
//! who guess wait for those who do not, and are refused without hashing if they guess on.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// Most passwords that wait.
const MAX_WAITING: usize = 64;

/// Most of them that are from one source.
const MAX_WAITING_OF_SOURCE: usize = 16;

/// Wrong passwords after which a source is refused.
const BURST: u32 = 10;

/// Time after which one of them is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(2);

/// Most sources that are remembered with wrong passwords.
const MAX_SOURCES: usize = 4096;

/// Users of one network are told apart by a few classes of names, so that one who guesses does not
/// keep out the others. There is no class for users who do not exist, because that would reveal who
/// does. More classes would allow more guesses.
const NAME_CLASSES: u64 = 16;

/// Where a password is from: the client's network, and a class of user names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PasswordSource {
    network: Option<IpAddr>,
    names: u64,
}

/// Distributes turns of hashing.
#[derive(Debug, Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    classes: RandomState,
}

/// The right to hash one password.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    source: PasswordSource,
}

/// Why there is no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoTurn {
    /// Too many passwords wait.
    Busy,
    /// Too many wrong passwords came from this source.
    Guessing,
}

#[derive(Debug, Default)]
struct State {
    is_hashing: bool,
    /// In order of arrival.
    waiting: Vec<Waiting>,
    failures: HashMap<PasswordSource, Failures>,
}

#[derive(Debug)]
struct Waiting {
    source: PasswordSource,
    turn: oneshot::Sender<Turn>,
}

/// Wrong passwords of one source.
#[derive(Debug)]
struct Failures {
    /// When all of them are forgotten.
    forgotten_at: Instant,
}

impl Turns {
    /// The source of a password.
    pub(super) fn source(&self, client: Option<IpAddr>, user: &str) -> PasswordSource {
        let network = client.map(|address| match address.to_canonical() {
            // One client has a whole network of these.
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address @ IpAddr::V4(_) => address,
        });
        PasswordSource { network, names: self.classes.hash_one(user) % NAME_CLASSES }
    }

    /// Waits for a turn. Cancel safe.
    pub(super) async fn take(self: &Arc<Self>, source: PasswordSource) -> Result<Turn, NoTurn> {
        let turn = {
            let mut state = self.lock();
            if state.failures(source) >= BURST {
                return Err(NoTurn::Guessing);
            }
            if !state.is_hashing {
                state.is_hashing = true;
                return Ok(Turn { turns: Arc::clone(self), source });
            }
            if !state.make_room_for(source) {
                return Err(NoTurn::Busy);
            }
            let (turn, receiver) = oneshot::channel();
            state.waiting.push(Waiting { source, turn });
            receiver
        };
        turn.await.map_err(|_| NoTurn::Busy)
    }

    /// The wrong passwords of a source that are not forgotten.
    #[cfg(test)]
    pub(super) fn failures(&self, source: PasswordSource) -> u32 {
        self.lock().failures(source)
    }

    fn next(self: &Arc<Self>) {
        let (next, _refused) = {
            let mut state = self.lock();
            let (waiting, refused): (Vec<_>, Vec<_>) = std::mem::take(&mut state.waiting)
                .into_iter()
                .partition(|it| state.failures(it.source) < BURST);
            state.waiting = waiting;
            let first = (0..state.waiting.len())
                .min_by_key(|index| state.failures(state.waiting[*index].source));
            let next = first.map(|index| state.waiting.remove(index));
            state.is_hashing = next.is_some();
            (next, refused)
        };
        if let Some(Waiting { source, turn }) = next {
            // If the client has left, the turn is dropped, and the next one gets it.
            drop(turn.send(Turn { turns: Arc::clone(self), source }));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Records that the password was wrong.
    pub(super) fn failed(&self) {
        self.turns.lock().record_failure(self.source);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.next();
    }
}

impl State {
    /// The wrong passwords of a source that are not forgotten.
    fn failures(&self, source: PasswordSource) -> u32 {
        self.failures.get(&source).map_or(0, |failures| failures.count(Instant::now()))
    }

    fn record_failure(&mut self, source: PasswordSource) {
        let now = Instant::now();
        if !self.failures.contains_key(&source) && self.failures.len() >= MAX_SOURCES {
            self.failures.retain(|_, failures| failures.forgotten_at > now);
            let soonest = self.failures.iter().min_by_key(|(_, failures)| failures.forgotten_at);
            if let Some(soonest) = soonest.map(|(source, _)| *source)
                && self.failures.len() >= MAX_SOURCES
            {
                self.failures.remove(&soonest);
            }
        }
        let failures = self.failures.entry(source).or_insert(Failures { forgotten_at: now });
        failures.forgotten_at = failures.forgotten_at.max(now) + FORGET_EVERY;
    }

    /// Makes room for one more password, if necessary at the expense of a source that guesses more or
    /// has more passwords waiting. Returns false if there is no room.
    fn make_room_for(&mut self, source: PasswordSource) -> bool {
        let waiting =
            |state: &State, source| state.waiting.iter().filter(|it| it.source == source).count();
        let mine = waiting(self, source);
        if mine >= MAX_WAITING_OF_SOURCE {
            return false;
        }
        if self.waiting.len() < MAX_WAITING {
            return true;
        }
        let demand = |index: &usize| {
            let source = self.waiting[*index].source;
            (self.failures(source), waiting(self, source))
        };
        // Of equal ones the last that has arrived.
        let Some(most) = (0..self.waiting.len()).max_by_key(demand) else { return false };
        if demand(&most) <= (self.failures(source), mine + 1) {
            return false;
        }
        self.waiting.remove(most);
        true
    }
}

impl Failures {
    fn count(&self, now: Instant) -> u32 {
        let rest = self.forgotten_at.saturating_duration_since(now);
        u32::try_from(rest.as_millis().div_ceil(FORGET_EVERY.as_millis())).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(network: u32) -> PasswordSource {
        PasswordSource { network: Some(IpAddr::V4(network.into())), names: 0 }
    }

    async fn fail(turns: &Arc<Turns>, source: PasswordSource, times: u32) {
        for _ in 0..times {
            turns.take(source).await.expect("a turn").failed();
        }
    }

    /// Takes a turn in a task of its own, and returns when it waits.
    async fn wait(
        turns: &Arc<Turns>,
        source: PasswordSource,
    ) -> tokio::task::JoinHandle<Result<Turn, NoTurn>> {
        let turns = Arc::clone(turns);
        let waits = tokio::spawn(async move { turns.take(source).await });
        tokio::task::yield_now().await;
        waits
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_guess_are_refused_for_a_while() {
        let turns = Arc::new(Turns::default());
        fail(&turns, source(1), BURST).await;
        assert_eq!(turns.take(source(1)).await.err(), Some(NoTurn::Guessing));
        turns.take(source(2)).await.expect("it does not guess");
        tokio::time::advance(FORGET_EVERY).await;
        fail(&turns, source(1), 1).await;
        assert_eq!(turns.take(source(1)).await.err(), Some(NoTurn::Guessing));
        tokio::time::advance(FORGET_EVERY * BURST).await;
        fail(&turns, source(1), BURST).await;
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_do_not_guess_are_next_and_always_have_room() {
        let turns = Arc::new(Turns::default());
        for guesser in 1..=8 {
            fail(&turns, source(guesser), 1).await;
        }
        let hashing = turns.take(source(1)).await.expect("a turn");
        let mut guessers = Vec::new();
        for index in 0..MAX_WAITING {
            guessers.push(wait(&turns, source(1 + u32::try_from(index % 8).expect("small"))).await);
        }
        assert_eq!(turns.take(source(1)).await.err(), Some(NoTurn::Busy));
        let honest = wait(&turns, source(99)).await;
        assert_eq!(turns.lock().waiting.len(), MAX_WAITING);
        drop(hashing);
        let turn = honest.await.expect("no panic").expect("it is next");
        // One guesser made room for it.
        let refused = guessers.iter().filter(|it| it.is_finished()).count();
        assert_eq!(refused, 1);
        drop(turn);
        for guesser in guessers {
            drop(guesser.await.expect("no panic"));
        }
        assert!(!turns.lock().is_hashing);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_does_not_keep_its_turn() {
        let turns = Arc::new(Turns::default());
        let hashing = turns.take(source(1)).await.expect("a turn");
        let (leaves, stays) = (wait(&turns, source(2)).await, wait(&turns, source(3)).await);
        leaves.abort();
        drop(leaves.await);
        drop(hashing);
        drop(stays.await.expect("no panic").expect("its turn"));
        assert!(!turns.lock().is_hashing);
    }

    #[tokio::test(start_paused = true)]
    async fn one_source_has_few_places() {
        let turns = Arc::new(Turns::default());
        let _hashing = turns.take(source(1)).await.expect("a turn");
        let mut waiting = Vec::new();
        for _ in 0..MAX_WAITING_OF_SOURCE {
            waiting.push(wait(&turns, source(1)).await);
        }
        assert_eq!(turns.take(source(1)).await.err(), Some(NoTurn::Busy));
        waiting.push(wait(&turns, source(2)).await);
        assert!(waiting.iter().all(|it| !it.is_finished()));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let turns = Turns::default();
        let most = u32::try_from(MAX_SOURCES).expect("small");
        for network in 0..most * 2 {
            turns.lock().record_failure(source(network));
            if network % 2 == 0 {
                turns.lock().record_failure(source(network));
            }
        }
        assert_eq!(turns.lock().failures.len(), MAX_SOURCES);
    }

    #[test]
    fn networks() {
        let turns = Turns::default();
        let of = |address: &str| turns.source(Some(address.parse().expect("an address")), "alice");
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:0:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
