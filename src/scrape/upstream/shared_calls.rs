//! Calls that can take long, shared by all that need the same result.
//!
//! A call runs in a task of its own. If the one that started it gives up, the call goes on, and the
//! next one joins it instead of starting another. So there is at most one call for each key, however
//! often it is asked for and given up.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

type Running<K, T> = Arc<Mutex<HashMap<K, Call<T>>>>;

/// The calls in progress, by key.
#[derive(Debug)]
pub(super) struct SharedCalls<K: Eq + Hash, T>(Running<K, T>);

/// A call in progress.
#[derive(Debug)]
pub(super) struct Call<T>(watch::Receiver<Option<T>>);

impl<T> Clone for Call<T> {
    fn clone(&self) -> Call<T> {
        Call(self.0.clone())
    }
}

impl<T: Clone> Call<T> {
    /// Its result; `None` if it has panicked or its thread has ended.
    pub(super) async fn result(mut self) -> Option<T> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<K: Eq + Hash, T> Default for SharedCalls<K, T> {
    fn default() -> SharedCalls<K, T> {
        SharedCalls(Arc::default())
    }
}

impl<K, T> SharedCalls<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Send + Sync + 'static,
{
    /// The call for this key that is in progress.
    pub(super) fn running(&self, key: &K) -> Option<Call<T>> {
        lock(&self.0).get(key).cloned()
    }

    /// The call for this key: the one in progress, or a new one.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub(super) fn join<F>(&self, key: K, call: impl FnOnce() -> F) -> Call<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut all = lock(&self.0);
        if let Some(running) = all.get(&key) {
            return running.clone();
        }
        let (publish, result) = watch::channel(None);
        all.insert(key.clone(), Call(result.clone()));
        drop(all);
        let entry = Entry { all: Arc::clone(&self.0), key };
        let call = call();
        tokio::spawn(async move {
            let result = call.await;
            // First, so that nothing joins a call that is over.
            drop(entry);
            publish.send_replace(Some(result));
        });
        Call(result)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Calls are added and removed whole, so a panic leaves the map consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes its call when it is dropped, also if the call has panicked.
struct Entry<K: Eq + Hash, T> {
    all: Running<K, T>,
    key: K,
}

impl<K: Eq + Hash, T> Drop for Entry<K, T> {
    fn drop(&mut self) {
        lock(&self.all).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_call_that_was_given_up_is_joined() {
        let (calls, begun) = (SharedCalls::default(), Arc::new(AtomicUsize::new(0)));
        let go_on = Arc::new(Notify::new());
        let join = |key: &'static str| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            calls.join(key, move || async move {
                go_on.notified().await;
                begun.fetch_add(1, Ordering::SeqCst) + 1
            })
        };
        assert!(calls.running(&"a").is_none());
        for _ in 0..100 {
            drop(join("a"));
        }
        assert!(calls.running(&"a").is_some() && calls.running(&"b").is_none());
        let first = join("a");
        let second = join("a");
        go_on.notify_one();
        assert_eq!((first.result().await, second.result().await), (Some(1), Some(1)));
        assert!(calls.running(&"a").is_none(), "it is over");
        let next = join("a");
        go_on.notify_one();
        assert_eq!(next.result().await, Some(2));
    }

    #[tokio::test]
    async fn a_call_that_panics_ends() {
        let calls = SharedCalls::<(), ()>::default();
        let call = calls.join((), || async { panic!("as it should") });
        assert_eq!(call.result().await, None);
        assert!(calls.running(&()).is_none());
    }
}
