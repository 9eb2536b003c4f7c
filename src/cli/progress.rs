//! How far a command is, on a terminal.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

/// The shortest time between two updates.
const INTERVAL: Duration = Duration::from_millis(200);

/// One line on stderr that is overwritten, and removed at the end. Without a terminal nothing is
/// written.
#[derive(Debug)]
pub(super) struct Progress {
    is_terminal: bool,
    updated: Instant,
    is_visible: bool,
}

impl Progress {
    pub(super) fn new() -> Progress {
        let is_terminal = stderr().is_terminal();
        Progress { is_terminal, updated: Instant::now(), is_visible: false }
    }

    /// Shows a step at once.
    pub(super) fn step(&mut self, text: &str) {
        if self.is_terminal {
            self.show(text);
        }
    }

    /// Shows a count, unless another one was shown a moment ago.
    pub(super) fn count(&mut self, verb: &str, done: usize, all: usize) {
        if self.is_terminal && self.updated.elapsed() >= INTERVAL {
            self.show(&format!("{verb} {done} of {all}"));
        }
    }

    /// Shows a text, unless another one was shown a moment ago.
    pub(super) fn update(&mut self, text: impl FnOnce() -> String) {
        if self.is_terminal && self.updated.elapsed() >= INTERVAL {
            self.show(&text());
        }
    }

    /// Removes the line.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_visible) {
            drop(write!(stderr(), "\r\x1b[K"));
        }
    }

    fn show(&mut self, text: &str) {
        self.updated = Instant::now();
        self.is_visible = true;
        // Progress is not worth an error.
        drop(write!(stderr(), "\r\x1b[K{text}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
