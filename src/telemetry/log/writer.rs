//! Writes lines on a thread of its own, so that a log that is not read delays nothing else.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::counts::counts;

/// Most bytes that wait. Beyond that, lines are dropped and counted.
const MAX_WAITING: usize = 1 << 20;

/// How long to wait before a write that would have blocked is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// Lines on their way to a file. Clones share them.
#[derive(Clone)]
pub(super) struct LineWriter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Lines wait.
    added: Condvar,
    /// All lines are written.
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines that were dropped since the last ones that were written.
    dropped: u64,
    is_writing: bool,
}

impl LineWriter {
    /// Starts the thread. `dropped_line` makes the line that says how many were dropped.
    pub(super) fn start(
        to: impl Write + Send + 'static,
        dropped_line: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<LineWriter> {
        let writer = LineWriter(Arc::default());
        let shared = Arc::clone(&writer.0);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_all(to, dropped_line))?;
        Ok(writer)
    }

    /// Adds a line. Never waits for the file.
    pub(super) fn add(&self, line: &str) {
        let mut state = self.0.lock();
        if state.waiting.len() + line.len() > MAX_WAITING {
            state.dropped += 1;
            counts().full.inc();
            return;
        }
        state.waiting.extend_from_slice(line.as_bytes());
        drop(state);
        self.0.added.notify_one();
    }

    /// Waits until all lines are written, but not longer than `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let state = self.0.lock();
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        drop(self.0.emptied.wait_timeout_while(state, limit, is_busy));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, mut to: impl Write, dropped_line: impl Fn(u64) -> String) {
        let mut lines = Vec::new();
        loop {
            let dropped = self.take(&mut lines);
            write_all(&mut to, &lines);
            if dropped > 0 {
                write_all(&mut to, dropped_line(dropped).as_bytes());
            }
        }
    }

    /// Waits for lines and exchanges them for the buffer, which is emptied. Returns the number of
    /// lines that were dropped after them.
    fn take(&self, lines: &mut Vec<u8>) -> u64 {
        lines.clear();
        let mut state = self.lock();
        state.is_writing = false;
        if state.waiting.is_empty() {
            self.emptied.notify_all();
        }
        let is_idle = |state: &mut State| state.waiting.is_empty();
        let waited = self.added.wait_while(state, is_idle);
        state = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_writing = true;
        std::mem::swap(lines, &mut state.waiting);
        std::mem::take(&mut state.dropped)
    }
}

/// Writes as much as it can: a log that cannot be written must not stop the gateway.
fn write_all(to: &mut impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another process has made the file non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY_AFTER),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn lines_are_written_in_order_and_flushed() {
        let (reader, to) = io::pipe().expect("a pipe");
        let writer = LineWriter::start(to, |_| String::new()).expect("a thread");
        for line in ["a\n", "b\n", "c\n"] {
            writer.add(line);
        }
        writer.flush(LONG);
        let lines = BufReader::new(reader).lines().take(3).map(|line| line.expect("a line"));
        assert_eq!(lines.collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_pipe_that_is_not_read_delays_nothing() {
        let (reader, to) = io::pipe().expect("a pipe");
        let writer = LineWriter::start(to, |lines| format!("dropped {lines}\n")).expect("a thread");
        let before = counts().full.get();
        let line = format!("{}\n", "x".repeat(999));
        for _ in 0..3_000 {
            writer.add(&line);
        }
        writer.flush(Duration::from_millis(1));
        let dropped = counts().full.get() - before;
        // The rest is in the pipe and in the queue.
        assert!((1_000..2_000).contains(&dropped), "{dropped}");
        let mut lines = BufReader::new(reader).lines().map(|line| line.expect("a line"));
        let (mut whole, mut said) = (0, 0);
        while whole + said < 3_000 {
            let line = lines.next().expect("more");
            match line.strip_prefix("dropped ") {
                Some(lines) => said += lines.parse::<u64>().expect("a number"),
                None if line.len() == 999 => whole += 1,
                None => panic!("not whole: {line}"),
            }
        }
        assert_eq!(said, dropped);
        writer.add("again\n");
        assert_eq!(lines.next().as_deref(), Some("again"));
    }
}
