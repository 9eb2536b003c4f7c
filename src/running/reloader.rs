//! Reload requests and their outcome.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::{mpsc, oneshot};

/// The outcome of a reload: the error message if it failed.
pub type Outcome = Result<(), Arc<str>>;

/// Maximum number of requests that wait during a reload. The next reload serves all of them.
const WAITING: usize = 64;

/// Requests reloads. Clones belong to the same gateway.
#[derive(Clone, Debug)]
pub struct Reloader {
    requests: mpsc::Sender<oneshot::Sender<Outcome>>,
    last: Arc<Mutex<Option<LastReload>>>,
}

/// The last reload.
#[derive(Clone, Debug)]
pub struct LastReload {
    /// When it ended.
    pub at: SystemTime,
    /// The outcome.
    pub outcome: Outcome,
}

/// The receiving half of [`Reloader`].
#[derive(Debug)]
pub struct ReloadRequests {
    requests: mpsc::Receiver<oneshot::Sender<Outcome>>,
    last: Arc<Mutex<Option<LastReload>>>,
}

impl Reloader {
    /// Makes both halves.
    #[must_use]
    pub fn new() -> (Reloader, ReloadRequests) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let last = Arc::<Mutex<_>>::default();
        let requests = ReloadRequests { requests: receiver, last: Arc::clone(&last) };
        (Reloader { requests: sender, last }, requests)
    }

    /// Requests a reload and waits for its outcome. Dropping the future does not cancel the reload.
    ///
    /// # Errors
    ///
    /// The error message. Then nothing has changed.
    pub async fn reload(&self) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let stopping = || Err(Arc::from("the gateway is stopping"));
        if self.requests.send(answer).await.is_err() {
            return stopping();
        }
        answered.await.unwrap_or_else(|_| stopping())
    }

    /// The last reload, if there was one.
    #[must_use]
    pub fn last(&self) -> Option<LastReload> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ReloadRequests {
    /// Waits for the next request. `None` when no [`Reloader`] is left.
    pub async fn next(&mut self) -> Option<ReloadRequest<'_>> {
        let mut waiting = Vec::new();
        let requests = self.requests.recv_many(&mut waiting, WAITING).await;
        (requests > 0).then_some(ReloadRequest { waiting, last: &self.last })
    }
}

/// A reload requested by one or more callers.
#[derive(Debug)]
pub struct ReloadRequest<'a> {
    waiting: Vec<oneshot::Sender<Outcome>>,
    last: &'a Mutex<Option<LastReload>>,
}

impl ReloadRequest<'_> {
    /// Sends the outcome to all callers.
    pub fn done(self, outcome: &Outcome) {
        let last = LastReload { at: SystemTime::now(), outcome: outcome.clone() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        for waiting in self.waiting {
            // The caller may have stopped waiting.
            drop(waiting.send(outcome.clone()));
        }
    }
}
