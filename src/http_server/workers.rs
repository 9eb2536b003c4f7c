//! Threads that accept and serve connections.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// The runtimes that serve connections: single-threaded ones, or the caller's.
///
/// A connection stays on its thread, with its upstream and its rewriter. In a work-stealing
/// runtime, idle threads wake up for every packet without finding work. That costs a third of the
/// CPU of a scrape, and pieces are too large to gain from it.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
    threads: Vec<Thread>,
}

/// Places new connections on workers.
#[derive(Debug)]
pub(super) struct Placement(Vec<Worker>);

#[derive(Clone, Debug)]
struct Worker {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Thread {
    /// Dropping it stops the thread.
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Workers {
    /// The caller's own runtime.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[must_use]
    pub fn here() -> Workers {
        Workers { workers: vec![Worker::new(Handle::current())], threads: Vec::new() }
    }

    /// Starts this many threads, at least one. Dropping the value stops them and cuts off their
    /// connections.
    ///
    /// # Errors
    ///
    /// The operating system has no more threads or file descriptors.
    pub fn start(count: usize) -> io::Result<Workers> {
        let mut workers = Workers { workers: Vec::new(), threads: Vec::new() };
        for number in 0..count.max(1) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            workers.workers.push(Worker::new(runtime.handle().clone()));
            let (stop, stopped) = oneshot::channel::<()>();
            let thread =
                std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                    runtime.block_on(async { drop(stopped.await) });
                    // A look-up or a file that does not end must not keep the process from ending.
                    runtime.shutdown_background();
                })?;
            workers.threads.push(Thread { stop, thread });
        }
        Ok(workers)
    }

    /// The runtimes of all workers, for tasks that are distributed once.
    #[must_use]
    pub fn handles(&self) -> Vec<Handle> {
        self.workers.iter().map(|worker| worker.runtime.clone()).collect()
    }

    /// For a listener. All listeners count the same connections.
    pub(super) fn placement(&self) -> Placement {
        Placement(self.workers.clone())
    }
}

impl Placement {
    /// The runtime of the first worker.
    ///
    /// # Panics
    ///
    /// Never: there is at least one.
    pub(super) fn first(&self) -> &Handle {
        &self.0.first().expect("there is at least one").runtime
    }

    /// A place at the worker with the fewest connections; of several, the first, because it is the
    /// one that accepts, and its memory is in the cache.
    ///
    /// # Panics
    ///
    /// Never: there is at least one.
    pub(super) fn place(&self) -> Place {
        let connections =
            |(_, worker): &(usize, &Worker)| worker.connections.load(Ordering::Relaxed);
        let fewest = self.0.iter().enumerate().min_by_key(connections);
        let (number, worker) = fewest.expect("there is at least one");
        worker.connections.fetch_add(1, Ordering::Relaxed);
        let connections = Arc::clone(&worker.connections);
        Place { runtime: worker.runtime.clone(), is_first: number == 0, connections }
    }
}

impl Worker {
    fn new(runtime: Handle) -> Worker {
        Worker { runtime, connections: Arc::default() }
    }
}

/// A connection's place at a worker, for as long as it lives.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) runtime: Handle,
    /// It is at the first worker.
    pub(super) is_first: bool,
    connections: Arc<AtomicUsize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let threads: Vec<JoinHandle<()>> = self
            .threads
            .drain(..)
            .map(|Thread { stop, thread }| {
                drop(stop);
                thread
            })
            .collect();
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("worker thread panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_busy_worker_is_next() {
        let threads = Workers::start(2).expect("threads");
        let workers = threads.placement();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let name = |place: &Place| {
            let name = async { std::thread::current().name().map(str::to_owned) };
            runtime.block_on(place.runtime.spawn(name)).expect("no panic").expect("a name")
        };
        let first = workers.place();
        assert_eq!(name(&first), "worker-0");
        let second = workers.place();
        assert_eq!(name(&second), "worker-1");
        let third = workers.place();
        assert_eq!(name(&third), "worker-0");
        drop(second);
        assert_eq!(name(&workers.place()), "worker-1");
        drop((first, third));
        assert_eq!(name(&workers.place()), "worker-0");
    }
}
