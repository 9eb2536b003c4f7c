//! Threads that serve connections.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Where connections are served: on threads that share nothing, or wherever the caller is.
///
/// A connection stays on its thread, with its upstream and its engine. In a runtime whose threads share their work, the
/// ones that are idle wake up for every packet, only to find that it is being taken care of; that costs a third of the
/// CPU of a scrape, and buys nothing for work that comes in pieces as large as ours.
#[derive(Debug)]
pub struct Workers {
    handles: Vec<Handle>,
    turn: AtomicUsize,
    threads: Vec<Thread>,
}

#[derive(Debug)]
struct Thread {
    /// Dropped to stop it.
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Workers {
    /// The caller's own runtime.
    ///
    /// # Panics
    ///
    /// There is none.
    #[must_use]
    pub fn here() -> Workers {
        Workers { handles: vec![Handle::current()], turn: AtomicUsize::new(0), threads: Vec::new() }
    }

    /// This many threads, and at least one. They end when this is dropped, and what they serve is cut off.
    ///
    /// # Errors
    ///
    /// The operating system gives no more threads or file descriptors.
    pub fn start(count: usize) -> io::Result<Workers> {
        let mut workers =
            Workers { handles: Vec::new(), turn: AtomicUsize::new(0), threads: Vec::new() };
        for number in 0..count.max(1) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            workers.handles.push(runtime.handle().clone());
            let (stop, stopped) = oneshot::channel::<()>();
            let thread = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || runtime.block_on(async { drop(stopped.await) }))?;
            workers.threads.push(Thread { stop, thread });
        }
        Ok(workers)
    }

    /// All of them, for work that is dealt out once.
    #[must_use]
    pub fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// The one whose turn it is.
    pub(super) fn next(&self) -> &Handle {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.handles[turn % self.handles.len()]
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
                tracing::error!("A worker thread panicked.");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_goes_round() {
        let workers = Workers::start(2).expect("threads");
        let name = || {
            let name = async { std::thread::current().name().map(str::to_owned) };
            let task = workers.next().spawn(name);
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(task).expect("no panic").expect("a name")
        };
        let names = [name(), name(), name(), name()];
        assert_eq!(names, ["worker-0", "worker-1", "worker-0", "worker-1"]);
    }
}
