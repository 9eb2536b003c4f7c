//! Limits how often a line is repeated: what requests cause must not fill a disk.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;

use super::counts::counts;
use super::fields::Fields;

/// The fields that tell the causes of a message apart. Their values are not chosen by clients.
const CAUSE: [&str; 4] = ["listener", "sink", "target", "reason"];

/// How often one message is logged for one cause.
const OF_CAUSE: Limit = Limit { burst: 20, interval: Duration::from_secs(5) };

/// How often one message is logged for all causes together.
const OF_MESSAGE: Limit = Limit { burst: 200, interval: Duration::from_millis(50) };

/// Most causes that are limited one by one.
const MAX_CAUSES: usize = 1024;

/// So many lines at once, and then one for each interval.
#[derive(Clone, Copy)]
struct Limit {
    burst: u32,
    interval: Duration,
}

/// Counts the lines of each message and cause.
#[derive(Default)]
pub(super) struct Repeats {
    state: Mutex<State>,
    hasher: RandomState,
}

#[derive(Default)]
struct State {
    messages: HashMap<Identifier, Bucket>,
    causes: HashMap<(Identifier, u64), Bucket>,
}

/// A token bucket.
#[derive(Default)]
struct Bucket {
    /// When it is full again. `None`: it is full.
    full_at: Option<Instant>,
    /// Lines that were left out since the last one that was logged.
    left_out: u64,
}

impl Repeats {
    /// Whether to log a line: the number of lines like it that were left out before, or `None` if this
    /// one is left out too.
    pub(super) fn admit(&self, message: Identifier, fields: &Fields) -> Option<u64> {
        let cause = CAUSE.map(|name| fields.get(name).map(ToString::to_string));
        let cause = (message.clone(), self.hasher.hash_one(cause));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = state.admit(message, cause, Instant::now());
        if admitted.is_none() {
            counts().repeated.inc();
        }
        admitted
    }
}

impl State {
    fn admit(
        &mut self,
        message: Identifier,
        cause: (Identifier, u64),
        now: Instant,
    ) -> Option<u64> {
        if self.causes.len() >= MAX_CAUSES && !self.causes.contains_key(&cause) {
            self.causes.retain(|_, bucket| !bucket.is_full(now));
        }
        let of_message = self.messages.entry(message).or_default();
        let has_room = self.causes.len() < MAX_CAUSES || self.causes.contains_key(&cause);
        let of_cause = has_room.then(|| self.causes.entry(cause).or_default());
        match of_cause {
            Some(of_cause) if !of_cause.has_token(OF_CAUSE, now) => {
                of_cause.left_out += 1;
                None
            }
            _ if !of_message.has_token(OF_MESSAGE, now) => {
                of_message.left_out += 1;
                None
            }
            of_cause => {
                let of_cause = of_cause.map_or(0, |it| it.take(OF_CAUSE, now));
                Some(of_cause + of_message.take(OF_MESSAGE, now))
            }
        }
    }
}

impl Bucket {
    fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|at| at <= now)
    }

    fn has_token(&self, limit: Limit, now: Instant) -> bool {
        let spent = self.full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        spent + limit.interval <= limit.interval * limit.burst
    }

    /// Takes a token. Returns the number of lines that were left out before.
    fn take(&mut self, limit: Limit, now: Instant) -> u64 {
        self.full_at = Some(self.full_at.map_or(now, |at| at.max(now)) + limit.interval);
        std::mem::take(&mut self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use tracing::callsite::{Callsite, DefaultCallsite};
    use tracing::{Metadata, metadata};

    use super::*;

    static CALLSITE: DefaultCallsite = DefaultCallsite::new(&META);
    static META: Metadata<'static> = metadata! {
        name: "test",
        target: "test",
        level: tracing::Level::WARN,
        fields: &[],
        callsite: &CALLSITE,
        kind: metadata::Kind::EVENT,
    };

    fn message() -> Identifier {
        Identifier(&CALLSITE as &dyn Callsite)
    }

    /// How many of `lines` lines are logged, and the lines that they say were left out.
    fn logged(state: &mut State, cause: u64, lines: u64, now: Instant) -> (u64, u64) {
        let admitted = (0..lines).filter_map(|_| state.admit(message(), (message(), cause), now));
        admitted.fold((0, 0), |(count, left_out), its| (count + 1, left_out + its))
    }

    #[test]
    fn a_burst_and_then_one_line_for_each_interval() {
        let (mut state, now) = (State::default(), Instant::now());
        assert_eq!(logged(&mut state, 1, 1_000, now), (20, 0));
        assert_eq!(logged(&mut state, 1, 10, now + Duration::from_secs(4)), (0, 0));
        assert_eq!(logged(&mut state, 1, 10, now + Duration::from_secs(5)), (1, 990));
        assert_eq!(logged(&mut state, 2, 1, now), (1, 0), "another cause");
        assert_eq!(logged(&mut state, 1, 1_000, now + Duration::from_secs(3600)), (20, 9));
    }

    #[test]
    fn many_causes_have_one_limit_and_bounded_memory() {
        let (mut state, now) = (State::default(), Instant::now());
        let total = (0..5_000).map(|cause| logged(&mut state, cause, 1, now).0).sum::<u64>();
        assert_eq!(total, 200);
        assert!(state.causes.len() <= MAX_CAUSES, "{}", state.causes.len());
        let later = now + Duration::from_secs(60);
        assert_eq!(logged(&mut state, 9_999, 1, later), (1, 4_800));
    }
}
