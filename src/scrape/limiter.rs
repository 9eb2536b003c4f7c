//! Limits of all scrapes together.
//!
//! The counts survive a reload: scrapes in flight count for the new limits, and each of them keeps
//! the limits that it started with.
//!
//! One target may have half of all scrapes, and one client three quarters, so a silent target or a
//! greedy client leaves some for the others.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::Error;
use super::settings::Settings;
use crate::telemetry::RequestRefusal;

/// The counts of all scrapes.
#[derive(Debug, Default)]
pub(super) struct ScrapeLimiter {
    scrapes: Mutex<Scrapes>,
    held_bytes: AtomicUsize,
}

/// The scrapes in flight.
#[derive(Debug, Default)]
struct Scrapes {
    all: usize,
    /// By network; `None` for clients without an address.
    clients: HashMap<Option<IpAddr>, usize>,
    /// By name, dynamic ones by host and port.
    targets: HashMap<Arc<str>, usize>,
}

/// The share of one scrape, released when it is dropped.
#[derive(Debug)]
pub(super) struct ScrapePermit {
    limiter: Arc<ScrapeLimiter>,
    client: Option<IpAddr>,
    target: Arc<str>,
    held: HeldBytes,
}

/// Bytes that one holder has, counted together with those of all others until this is dropped.
#[derive(Debug)]
pub(super) struct HeldBytes {
    limiter: Arc<ScrapeLimiter>,
    bytes: usize,
    /// The limit of all together, for this holder.
    max: usize,
}

/// Why no scrape can start now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Busy {
    /// All are in use.
    #[error("Too many scrapes are in flight ({0}, limits.scrapes); try again later")]
    All(usize),
    /// The target has as many as one target may have.
    #[error(
        "Too many scrapes of {target} are in flight ({scrapes}, half of limits.scrapes); try again \
         later"
    )]
    Target { target: Arc<str>, scrapes: usize },
    /// The client has as many as one client may have.
    #[error(
        "Too many scrapes of this client are in flight ({0}, three quarters of limits.scrapes); try \
         again later"
    )]
    Client(usize),
}

impl Busy {
    /// The reason to count.
    pub(super) fn refusal(&self) -> RequestRefusal {
        match self {
            Busy::All(_) => RequestRefusal::Busy,
            Busy::Target { .. } => RequestRefusal::TargetBusy,
            Busy::Client(_) => RequestRefusal::ClientBusy,
        }
    }
}

impl ScrapeLimiter {
    /// Starts a scrape of `target` for `client`.
    pub(super) fn begin(
        self: &Arc<Self>,
        settings: &Settings,
        client: Option<IpAddr>,
        target: &str,
    ) -> Result<ScrapePermit, Busy> {
        let client = client.map(network);
        let mut scrapes = self.scrapes();
        let max = settings.max_scrapes;
        if scrapes.all >= max {
            return Err(Busy::All(scrapes.all));
        }
        let of_client = scrapes.clients.get(&client).copied().unwrap_or_default();
        if of_client >= share(max, 3) {
            return Err(Busy::Client(of_client));
        }
        let known = scrapes.targets.get_key_value(target);
        let (target, of_target) = known
            .map_or_else(|| (Arc::from(target), 0), |(name, count)| (Arc::clone(name), *count));
        if of_target >= share(max, 2) {
            return Err(Busy::Target { target, scrapes: of_target });
        }
        scrapes.all += 1;
        scrapes.clients.insert(client, of_client + 1);
        scrapes.targets.insert(Arc::clone(&target), of_target + 1);
        drop(scrapes);
        let held = HeldBytes { limiter: Arc::clone(self), bytes: 0, max: settings.max_held_bytes };
        Ok(ScrapePermit { limiter: Arc::clone(self), client, target, held })
    }

    fn scrapes(&self) -> MutexGuard<'_, Scrapes> {
        // The counts change together, and nothing that changes them can panic.
        self.scrapes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This many quarters of all scrapes, rounded up.
fn share(max_scrapes: usize, quarters: usize) -> usize {
    max_scrapes.saturating_mul(quarters).div_ceil(4)
}

/// What counts as one client: an IPv4 address or an IPv6 network, in which one host can have any
/// number of addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

fn decrement<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl ScrapePermit {
    /// Records how many bytes the scrape holds. It releases none before its end.
    ///
    /// # Errors
    ///
    /// All scrapes together exceed the limit of held bytes, so the one that asked for more fails.
    pub(super) fn holds(&mut self, bytes: usize) -> Result<(), Error> {
        if bytes <= self.held.bytes {
            return Ok(());
        }
        let limit = self.held.max;
        if self.held.set(bytes) > limit { Err(Error::TooMuchHeld { limit }) } else { Ok(()) }
    }

    /// A holder that can outlive the scrape: what its clients have yet to read.
    pub(super) fn holder(&self) -> HeldBytes {
        let HeldBytes { limiter, max, .. } = &self.held;
        HeldBytes { limiter: Arc::clone(limiter), bytes: 0, max: *max }
    }
}

impl HeldBytes {
    /// Records how many bytes are held now. Returns the number of all holders together.
    pub(super) fn set(&mut self, bytes: usize) -> usize {
        let before = std::mem::replace(&mut self.bytes, bytes);
        let all = &self.limiter.held_bytes;
        if bytes >= before {
            all.fetch_add(bytes - before, Ordering::Relaxed) + (bytes - before)
        } else {
            all.fetch_sub(before - bytes, Ordering::Relaxed) - (before - bytes)
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether more can be held that is not strictly needed: all holders together have less than
    /// half of the limit.
    pub(super) fn is_there_plenty(&self) -> bool {
        self.limiter.held_bytes.load(Ordering::Relaxed) < self.max / 2
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Drop for ScrapePermit {
    fn drop(&mut self) {
        let mut scrapes = self.limiter.scrapes();
        scrapes.all -= 1;
        decrement(&mut scrapes.clients, &self.client);
        decrement(&mut scrapes.targets, &self.target);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::settings::External;
    use super::*;
    use crate::http_server::RoutePrefix;

    fn limits(max_scrapes: usize, max_held_bytes: usize) -> Settings {
        Settings {
            timeout: Duration::ZERO,
            max_timeout: Duration::ZERO,
            timeout_margin: Duration::ZERO,
            idle_timeout: Duration::ZERO,
            max_scrapes,
            max_held_bytes,
            gzip_level: 0,
            route_prefix: RoutePrefix::default(),
            external: External::default(),
        }
    }

    /// The permit for a client and a target of its own.
    fn begin(limiter: &Arc<ScrapeLimiter>, limits: &Settings) -> Option<ScrapePermit> {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let client = std::net::Ipv4Addr::from_bits(u32::try_from(number).expect("few"));
        limiter.begin(limits, Some(client.into()), &format!("kong-{number}:8100")).ok()
    }

    #[test]
    fn what_ends_makes_room() {
        let (limiter, limits) = (Arc::new(ScrapeLimiter::default()), limits(2, 100));
        let mut first = begin(&limiter, &limits).expect("room");
        let mut second = begin(&limiter, &limits).expect("room");
        assert!(begin(&limiter, &limits).is_none());
        assert!(first.holds(60).is_ok());
        assert!(first.holds(50).is_ok(), "what was counted stays counted");
        assert!(second.holds(40).is_ok());
        assert!(second.holds(41).is_err());
        drop(second);
        assert!(first.holds(100).is_ok());
        drop(first);
        let mut third = begin(&limiter, &limits).expect("room");
        assert!(third.holds(100).is_ok());
    }

    #[test]
    fn new_limits_are_for_all_that_is_going_on() {
        let limiter = Arc::new(ScrapeLimiter::default());
        let mut first = begin(&limiter, &limits(2, 100)).expect("room");
        let second = begin(&limiter, &limits(2, 100)).expect("room");
        assert!(first.holds(60).is_ok());
        assert!(begin(&limiter, &limits(1, 80)).is_none(), "two are two, whatever they began with");
        drop(second);
        assert!(begin(&limiter, &limits(1, 80)).is_none());
        let mut third = begin(&limiter, &limits(2, 80)).expect("room");
        assert!(third.holds(20).is_ok());
        assert!(third.holds(21).is_err(), "what the first holds counts");
        assert!(first.holds(79).is_ok(), "the first has the limits that it began with");
        drop((first, third));
        assert!(begin(&limiter, &limits(1, 80)).is_some());
    }

    #[test]
    fn what_clients_have_yet_to_read_counts() {
        let (limiter, limits) = (Arc::new(ScrapeLimiter::default()), limits(2, 100));
        let mut permit = begin(&limiter, &limits).expect("room");
        let mut unread = permit.holder();
        unread.set(49);
        assert!(unread.is_there_plenty());
        unread.set(50);
        assert!(!unread.is_there_plenty());
        assert!(permit.holds(51).is_err());
        unread.set(49);
        assert!(permit.holds(51).is_ok());
        drop(permit);
        assert_eq!(unread.set(48), 48, "it outlives the scrape");
        drop(unread);
        assert_eq!(limiter.held_bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn one_target_or_client_leaves_some_for_the_others() {
        let (limiter, limits) = (Arc::new(ScrapeLimiter::default()), limits(8, 0));
        let address = |text: &str| Some(text.parse().expect("an address"));
        let (greedy, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let begin = |client, target| limiter.begin(&limits, client, target);
        let mut permits: Vec<_> =
            (0..4).map(|_| begin(greedy, "silent:80").expect("half of all")).collect();
        let busy = begin(greedy, "silent:80").expect_err("half of all");
        assert_eq!(busy, Busy::Target { target: "silent:80".into(), scrapes: 4 });
        assert_eq!(begin(other, "silent:80").expect_err("half of all"), busy);
        permits.extend((0..2).map(|_| begin(greedy, "kong:80").expect("three quarters of all")));
        assert_eq!(begin(greedy, "kong:80").expect_err("three quarters"), Busy::Client(6));
        assert_eq!(
            begin(address("::ffff:192.0.2.1"), "kong:80").expect_err("the same"),
            Busy::Client(6)
        );
        permits.extend((0..2).map(|_| begin(other, "kong:80").expect("the rest")));
        assert_eq!(begin(other, "third:80").expect_err("all"), Busy::All(8));
        drop(permits);
        let scrapes = limiter.scrapes();
        assert!(scrapes.clients.is_empty() && scrapes.targets.is_empty());
    }

    #[test]
    fn a_limit_of_one_is_one_for_anyone() {
        let (limiter, limits) = (Arc::new(ScrapeLimiter::default()), limits(1, 0));
        assert!(limiter.begin(&limits, None, "kong:80").is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let network = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
    }
}
