//! Bounds the lookups of names in progress.
//!
//! The system's resolver waits for many seconds for a name server that does not answer, and cannot
//! be interrupted: a lookup keeps a thread even if its scrape has ended. So simultaneous lookups of
//! one name are one, and only so many names are looked up at a time. Names that have been resolved
//! before do not wait for those that have not, because clients can make up any number of them.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::resolve::{Lookup, Resolve};
use super::shared_calls::SharedCalls;

/// Maximum number of lookups at a time of names that have been resolved before, and of others.
const MAX_LOOKUPS: usize = 16;

/// How long a lookup waits until it can begin.
const PATIENCE: Duration = Duration::from_secs(5);

/// Maximum number of names that are known to have been resolved.
const MAX_KNOWN: usize = 4096;

type Found = Result<Vec<SocketAddr>, Arc<io::Error>>;

/// A resolver with a limited number of lookups in progress.
#[derive(Debug)]
pub(in crate::scrape) struct BoundedResolver {
    resolver: Arc<dyn Resolve>,
    lookups: SharedCalls<(String, u16), Found>,
    known: Arc<Mutex<HashSet<String>>>,
    places_for_known: Arc<Semaphore>,
    places_for_others: Arc<Semaphore>,
}

impl BoundedResolver {
    pub(in crate::scrape) fn new(resolver: Arc<dyn Resolve>) -> BoundedResolver {
        BoundedResolver {
            resolver,
            lookups: SharedCalls::default(),
            known: Arc::default(),
            places_for_known: Arc::new(Semaphore::new(MAX_LOOKUPS)),
            places_for_others: Arc::new(Semaphore::new(MAX_LOOKUPS)),
        }
    }

    async fn find(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if host.parse::<IpAddr>().is_ok() {
            return self.resolver.lookup(host, port).await;
        }
        let key = (host.to_ascii_lowercase(), port);
        let lookup = if let Some(running) = self.lookups.running(&key) {
            running
        } else {
            let place = self.place(&key.0).await?;
            let (resolver, known) = (Arc::clone(&self.resolver), Arc::clone(&self.known));
            let host = host.to_owned();
            self.lookups.join(key, || look_up(resolver, host, port, known, place))
        };
        let interrupted = || io::Error::from(ErrorKind::Interrupted);
        let found = lookup.result().await.ok_or_else(interrupted)?;
        found.map_err(|error| io::Error::new(error.kind(), error))
    }

    /// Waits until another lookup may begin.
    async fn place(&self, name: &str) -> io::Result<OwnedSemaphorePermit> {
        let is_known = lock(&self.known).contains(name);
        let places = if is_known { &self.places_for_known } else { &self.places_for_others };
        match tokio::time::timeout(PATIENCE, Arc::clone(places).acquire_owned()).await {
            Ok(place) => Ok(place.expect("it is never closed")),
            Err(_) => Err(io::Error::new(
                ErrorKind::TimedOut,
                format!("{MAX_LOOKUPS} other names are being looked up and have no answer yet"),
            )),
        }
    }
}

fn lock(known: &Mutex<HashSet<String>>) -> std::sync::MutexGuard<'_, HashSet<String>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn look_up(
    resolver: Arc<dyn Resolve>,
    host: String,
    port: u16,
    known: Arc<Mutex<HashSet<String>>>,
    place: OwnedSemaphorePermit,
) -> Found {
    let found = resolver.lookup(&host, port).await.map_err(Arc::new);
    if found.is_ok() {
        let mut known = lock(&known);
        if known.len() >= MAX_KNOWN {
            // Those that are still in use are added again.
            known.clear();
        }
        known.insert(host.to_ascii_lowercase());
    }
    drop(place);
    found
}

impl Resolve for BoundedResolver {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Lookup<'a> {
        Box::pin(self.find(host, port))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Names under `silent` have no answer; `kong` has one as long as it is told.
    #[derive(Debug, Default)]
    struct Names {
        asked: AtomicUsize,
        go_on: tokio::sync::Notify,
    }

    impl Resolve for Names {
        fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Lookup<'a> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                if host.ends_with(".silent") {
                    std::future::pending::<()>().await;
                }
                if host == "slow" {
                    self.go_on.notified().await;
                }
                Ok(vec![SocketAddr::new([192, 0, 2, 1].into(), port)])
            })
        }
    }

    fn resolver() -> (Arc<Names>, BoundedResolver) {
        let names = Arc::new(Names::default());
        (Arc::clone(&names), BoundedResolver::new(names))
    }

    #[tokio::test(start_paused = true)]
    async fn names_without_an_answer_do_not_pile_up() {
        let (names, resolver) = resolver();
        resolver.lookup("kong", 8100).await.expect("an answer");
        for number in 0..1000 {
            let name = format!("{}.silent", number % (MAX_LOOKUPS + 1));
            let given_up = tokio::time::timeout(Duration::from_millis(1), resolver.find(&name, 80));
            given_up.await.expect_err("no answer");
        }
        assert_eq!(names.asked.load(Ordering::SeqCst), 1 + MAX_LOOKUPS);
        let error = resolver.find("new", 80).await.expect_err("no place").to_string();
        assert!(error.contains("16 other names are being looked up"), "{error}");
        resolver.find("KONG", 8100).await.expect("it was resolved before");
        resolver.find("192.0.2.7", 8100).await.expect("nothing to look up");
    }

    #[tokio::test]
    async fn simultaneous_lookups_of_a_name_are_one() {
        let (names, resolver) = resolver();
        let both = async { tokio::join!(resolver.find("slow", 1), resolver.find("Slow", 1)) };
        let answer = async {
            // Both wait by now: the futures are polled in turn.
            tokio::task::yield_now().await;
            names.go_on.notify_one();
        };
        let ((first, second), ()) = tokio::join!(both, answer);
        assert_eq!(first.expect("found"), second.expect("found"));
        assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    }
}
