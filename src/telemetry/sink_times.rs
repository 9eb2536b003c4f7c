//! When each sink was last sent to, and when it last failed, for the status page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The last success and the last failure of a sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastSent {
    /// When lines were last sent; for TCP, acknowledged.
    pub sent: Option<SystemTime>,
    /// When it last failed, and the reason, as in the metrics.
    pub failed: Option<(SystemTime, &'static str)>,
}

/// The times of one sink.
#[derive(Debug, Default)]
pub(super) struct SinkTimes(Mutex<LastSent>);

impl SinkTimes {
    /// Lines were sent.
    pub(super) fn sent(&self) {
        self.lock().sent = Some(SystemTime::now());
    }

    pub(super) fn failed(&self, reason: &'static str) {
        self.lock().failed = Some((SystemTime::now(), reason));
    }

    fn lock(&self) -> MutexGuard<'_, LastSent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The times of all sinks, by name.
#[derive(Debug, Default)]
pub(super) struct AllSinkTimes(Mutex<HashMap<String, Arc<SinkTimes>>>);

impl AllSinkTimes {
    pub(super) fn of(&self, sink: &str) -> Arc<SinkTimes> {
        Arc::clone(self.all().entry(sink.to_owned()).or_default())
    }

    pub(super) fn get(&self, sink: &str) -> LastSent {
        self.all().get(sink).map(|times| *times.lock()).unwrap_or_default()
    }

    pub(super) fn forget(&self, sink: &str) {
        self.all().remove(sink);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<SinkTimes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_sink_are_kept_until_it_is_forgotten() {
        let all = AllSinkTimes::default();
        assert_eq!(all.get("a"), LastSent::default());
        all.of("a").sent();
        all.of("a").failed("connect");
        let last = all.get("a");
        assert!(last.sent.is_some() && last.failed.is_some_and(|(_, reason)| reason == "connect"));
        assert_eq!(all.get("b"), LastSent::default());
        all.forget("a");
        assert_eq!(all.get("a"), LastSent::default());
    }
}
