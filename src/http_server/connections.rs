//! The open connections of one listener.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use super::connection;
use super::connection_state::ConnectionState;
use super::context::ConnectionContext;
use super::sockets::Accepted;
use super::workers::Place;
use crate::descriptors::Counted;

/// The open connections.
pub(super) struct Connections {
    tasks: JoinSet<()>,
    /// Those that were not asked to leave.
    activities: HashMap<Id, Arc<ConnectionState>>,
    /// Earlier than the start of every connection.
    epoch: Instant,
}

impl Connections {
    pub(super) fn new() -> Connections {
        Connections { tasks: JoinSet::new(), activities: HashMap::new(), epoch: Instant::now() }
    }

    /// Serves a connection on its worker.
    pub(super) fn start<S, F, B>(
        &mut self,
        accepted: Accepted,
        place: Place,
        counted: Counted,
        answer: S,
        context: ConnectionContext,
    ) where
        S: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let runtime = place.runtime.clone();
        let activity = Arc::new(ConnectionState::new(self.epoch));
        let its = Arc::clone(&activity);
        let serve = async move {
            match accepted.stream() {
                Ok(stream) => connection::serve(stream, answer, context, its).await,
                Err(error) => tracing::warn!(%error, "cannot serve a connection"),
            }
            drop(counted);
            drop(place);
        };
        let id = self.tasks.spawn_on(serve, &runtime).id();
        self.activities.insert(id, activity);
    }

    /// How many there are, without those that were asked to leave.
    pub(super) fn len(&self) -> usize {
        self.activities.len()
    }

    /// Completes when all have ended.
    pub(super) async fn all_end(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Completes when a connection has ended; never if there is none. Cancel safe.
    pub(super) async fn one_ends(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return std::future::pending().await,
        };
        self.activities.remove(&id);
    }

    /// Whether a connection was asked to leave and has not closed yet.
    pub(super) fn is_one_leaving(&self) -> bool {
        self.tasks.len() > self.activities.len()
    }

    /// Asks the connection that has been idle longest, and for at least `time`, to close. Returns
    /// false if there is none.
    pub(super) fn make_room(&mut self, time: Duration) -> bool {
        let latest = self.epoch.elapsed().saturating_sub(time).as_millis();
        let waiting = self.activities.iter().filter_map(|(id, it)| Some((it.waits_since()?, *id)));
        let waiting = waiting.filter(|(since, _)| u128::from(*since) <= latest);
        let Some((_, id)) = waiting.min_by_key(|(since, _)| *since) else { return false };
        // It no longer counts, and is not asked again.
        if let Some(activity) = self.activities.remove(&id) {
            activity.ask_to_leave();
        }
        true
    }
}
