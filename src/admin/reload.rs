//! Asking the gateway to read its settings again, and what came of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::{mpsc, oneshot};

/// What came of a reload: what is wrong, for people, if it was refused.
pub type Outcome = Result<(), Arc<str>>;

/// Most requests that wait while one is under way. All of them are answered by the next.
const WAITING: usize = 64;

/// Asks for a reload. Clones ask the same gateway.
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
    /// What came of it.
    pub outcome: Outcome,
}

/// Where the gateway hears of it.
#[derive(Debug)]
pub struct ReloadRequests {
    requests: mpsc::Receiver<oneshot::Sender<Outcome>>,
    last: Arc<Mutex<Option<LastReload>>>,
}

impl Reloader {
    /// Both ends.
    #[must_use]
    pub fn new() -> (Reloader, ReloadRequests) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let last = Arc::<Mutex<_>>::default();
        let requests = ReloadRequests { requests: receiver, last: Arc::clone(&last) };
        (Reloader { requests: sender, last }, requests)
    }

    /// Reads the settings again, and resolves when they hold, or are refused.
    ///
    /// Cancelling does not take the request back.
    ///
    /// # Errors
    ///
    /// What is wrong with them. Then nothing has changed.
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

/// A reload that was asked for, by one or by several.
#[derive(Debug)]
pub struct ReloadRequest<'a> {
    waiting: Vec<oneshot::Sender<Outcome>>,
    last: &'a Mutex<Option<LastReload>>,
}

impl ReloadRequest<'_> {
    /// Tells everybody who waits.
    pub fn done(self, outcome: &Outcome) {
        let last = LastReload { at: SystemTime::now(), outcome: outcome.clone() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        for waiting in self.waiting {
            // Whoever asked may have gone.
            drop(waiting.send(outcome.clone()));
        }
    }
}
