//! Idle connections, kept for the next scrapes of their targets.
//!
//! Each is watched by a small task on the thread of the connection, so that it ends as soon as the
//! target closes it, and after some time in any case. Their number is limited for the process: the
//! one that has been idle longest makes room.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::task::AbortHandle;

use super::connection::Connection;

/// Maximum number of connections that each thread keeps for its next scrape of a target. One per
/// Prometheus replica is enough.
const MAX_PER_THREAD: usize = 2;

/// Maximum number of idle connections of the process: a quarter of the descriptors that a process
/// usually has.
const MAX_IDLE: usize = 256;

/// How long a connection is kept: longer than scrape intervals in use.
const MAX_AGE: Duration = Duration::from_secs(90);

/// The idle connections to all targets.
#[derive(Debug, Default)]
pub(in crate::scrape) struct IdlePool {
    /// The one that has been idle longest is first.
    idle: Mutex<VecDeque<Idle>>,
    next_number: AtomicU64,
}

/// An idle connection.
#[derive(Debug)]
struct Idle {
    number: u64,
    target: u64,
    thread: ThreadId,
    /// Shared with the task that watches it. `None` once it is taken.
    connection: Arc<Mutex<Option<Connection>>>,
    watch: AbortHandle,
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Connections are pushed and popped whole, so a panic elsewhere leaves no partial state.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl IdlePool {
    fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// Removes the connections that are no longer needed. They are closed after the pool is
    /// unlocked.
    fn remove(&self, is_needless: impl Fn(&Idle) -> bool) {
        let mut removed = Vec::new();
        let mut idle = lock(&self.idle);
        let mut at = 0;
        while at < idle.len() {
            if is_needless(&idle[at]) {
                removed.extend(idle.remove(at));
            } else {
                at += 1;
            }
        }
        drop(idle);
    }
}

/// The idle connections to one target. Dropping it closes them.
#[derive(Debug)]
pub(super) struct IdleConnections {
    pool: Arc<IdlePool>,
    target: u64,
}

impl IdleConnections {
    pub(super) fn new(pool: Arc<IdlePool>) -> IdleConnections {
        let target = pool.number();
        IdleConnections { pool, target }
    }

    /// Takes a connection that was kept on this thread. A connection of another thread would work
    /// too, but its events would be delivered to that thread's event loop first.
    pub(super) fn take_here(&self) -> Option<Connection> {
        let mut idle = lock(&self.pool.idle);
        let here = thread::current().id();
        let is_ours = |its: &Idle| its.target == self.target && its.thread == here;
        let at = idle.iter().rposition(is_ours)?;
        let found = idle.remove(at)?;
        drop(idle);
        lock(&found.connection).take()
    }

    /// Keeps a connection, unless there are enough.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub(super) fn keep(&self, connection: Connection) {
        let thread = connection.thread();
        let number = self.pool.number();
        let connection = Arc::new(Mutex::new(Some(connection)));
        let mut idle = lock(&self.pool.idle);
        let is_ours = |its: &&Idle| its.target == self.target && its.thread == thread;
        if idle.iter().filter(is_ours).count() >= MAX_PER_THREAD {
            return;
        }
        let longest = if idle.len() >= MAX_IDLE { idle.pop_front() } else { None };
        let watching = watch(Arc::downgrade(&self.pool), number, Arc::clone(&connection));
        let watch = tokio::spawn(watching).abort_handle();
        idle.push_back(Idle { number, target: self.target, thread, connection, watch });
        drop(idle);
        drop(longest);
    }
}

impl Drop for IdleConnections {
    fn drop(&mut self) {
        self.pool.remove(|its| its.target == self.target);
    }
}

/// Waits until a connection is closed or too old, and removes it.
async fn watch(pool: Weak<IdlePool>, number: u64, connection: Arc<Mutex<Option<Connection>>>) {
    let closed = poll_fn(|cx| match &mut *lock(&connection) {
        Some(connection) => connection.poll_closed(cx),
        None => std::task::Poll::Ready(()),
    });
    // After the time has elapsed, it is closed in any case.
    drop(tokio::time::timeout(MAX_AGE, closed).await);
    if let Some(pool) = pool.upgrade() {
        pool.remove(|its| its.number == number);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::tls::Stream;

    /// A connection, and the side of the target.
    async fn connection(listener: &TcpListener) -> (Connection, TcpStream) {
        let address = listener.local_addr().expect("bound");
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (peer, _) = listener.accept().await.expect("connected");
        (Connection::new(Stream::Plain(stream)).await.expect("no request yet"), peer)
    }

    async fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").await.expect("a free port")
    }

    async fn assert_closed(mut peer: TcpStream) {
        assert_eq!(peer.read(&mut [0]).await.ok(), Some(0));
    }

    #[tokio::test]
    async fn only_so_many_are_kept() {
        let (pool, listener) = (Arc::new(IdlePool::default()), listener().await);
        let first = IdleConnections::new(Arc::clone(&pool));
        let mut peers = VecDeque::new();
        for _ in 0..=MAX_PER_THREAD {
            let (connection, peer) = connection(&listener).await;
            first.keep(connection);
            peers.push_back(peer);
        }
        assert_closed(peers.pop_back().expect("one too many")).await;
        let mut others = Vec::new();
        for number in MAX_PER_THREAD..=MAX_IDLE {
            assert_eq!(lock(&pool.idle).len(), number);
            let (connection, peer) = connection(&listener).await;
            let other = IdleConnections::new(Arc::clone(&pool));
            other.keep(connection);
            others.push((other, peer));
        }
        assert_eq!(lock(&pool.idle).len(), MAX_IDLE);
        assert_closed(peers.pop_front().expect("the oldest")).await;
        assert!(first.take_here().is_some(), "the second is kept");
        assert!(first.take_here().is_none());
        let (last, peer) = others.pop().expect("some");
        drop(last);
        assert_closed(peer).await;
    }

    #[tokio::test]
    async fn a_connection_that_the_target_closes_is_freed() {
        let (pool, listener) = (Arc::new(IdlePool::default()), listener().await);
        let idle = IdleConnections::new(Arc::clone(&pool));
        let (connection, mut peer) = connection(&listener).await;
        idle.keep(connection);
        tokio::io::AsyncWriteExt::shutdown(&mut peer).await.expect("connected");
        assert_closed(peer).await;
        assert_eq!(lock(&pool.idle).len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_not_kept_for_ever() {
        let (pool, listener) = (Arc::new(IdlePool::default()), listener().await);
        let idle = IdleConnections::new(Arc::clone(&pool));
        let (connection, peer) = connection(&listener).await;
        idle.keep(connection);
        assert_closed(peer).await;
        assert!(idle.take_here().is_none());
    }
}
