//! A gateway in a separate process.

use std::io::{BufRead as _, BufReader, PipeReader, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A gateway in a separate process on free ports, stopped when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
    /// The address of its data listener.
    pub(crate) data: SocketAddr,
    /// The address of its admin listener.
    pub(crate) admin: SocketAddr,
    /// Its first log line, which has its addresses.
    ready: String,
    log: mpsc::Receiver<String>,
    /// What it logged before it listened.
    pub(crate) earlier: Vec<String>,
}

impl Process {
    /// `crossfade serve` on any free ports, with more flags.
    pub(crate) fn serve(flags: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
        command
            .args(["serve", "--web.listen-address=127.0.0.1:0"])
            .arg("--admin.listen-address=127.0.0.1:0")
            .args(flags)
            // As in deploy/crossfade.service, so that freed memory is returned to the system.
            .env("MALLOC_TRIM_THRESHOLD_", "131072");
        Process::of(command)
    }

    /// Like [`serve`](Self::serve), with a log that no one reads: its pipe is full until the reader is
    /// read or dropped.
    pub(crate) fn serve_unread(flags: &[&str]) -> (Process, BufReader<PipeReader>) {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
        command
            .args(["serve", "--web.listen-address=127.0.0.1:0"])
            .arg("--admin.listen-address=127.0.0.1:0")
            .args(flags)
            .stderr(writer.try_clone().expect("a file descriptor"));
        let child = command.spawn().expect("it starts");
        let mut log = BufReader::new(reader);
        let mut ready = String::new();
        log.read_line(&mut ready).expect("it logs where it listens");
        // The write blocks when the pipe is full. The last one fails when the reader is dropped.
        let filler = std::thread::spawn(move || while writer.write_all(&[b'x'; 4096]).is_ok() {});
        let (data, admin) = (address(&ready, "data"), address(&ready, "admin"));
        drop(filler);
        let (_, none) = mpsc::channel();
        (Process { child, data, admin, ready, log: none, earlier: Vec::new() }, log)
    }

    /// Starts a command that runs a gateway.
    pub(crate) fn of(mut command: Command) -> Process {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (tell, log) = mpsc::channel();
        // A full pipe would block the process.
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
        });
        let mut earlier = Vec::new();
        let ready = loop {
            let line: String = log.recv().expect("it logs where it listens");
            if line.contains("data") {
                break line;
            }
            earlier.push(line);
        };
        let (data, admin) = (address(&ready, "data"), address(&ready, "admin"));
        Process { child, data, admin, ready, log, earlier }
    }

    /// Its log line with the addresses.
    pub(crate) fn ready(&self) -> &str {
        &self.ready
    }

    /// The address of its `StatsD` listener for `udp` or `tcp`.
    pub(crate) fn statsd(&self, scheme: &str) -> SocketAddr {
        address(&self.ready, &format!("{scheme}://"))
    }

    /// The next line of its log that contains all of `parts`.
    pub(crate) fn logs(&self, parts: &[&str]) -> String {
        let mut lines = self.log.iter();
        let line = lines.find(|line| parts.iter().all(|part| line.contains(part)));
        line.unwrap_or_else(|| panic!("it ended without a word of {parts:?}"))
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill");
        assert!(sent.success(), "{name}");
    }

    /// Waits a limited time for its exit, and returns its exit code and the rest of its log.
    #[track_caller]
    pub(crate) fn ends_within(&mut self, limit: Duration) -> (Option<i32>, String) {
        let begun = Instant::now();
        let status: ExitStatus = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(begun.elapsed() < limit, "it did not end within {limit:?}");
            std::thread::sleep(Duration::from_millis(5));
        };
        (status.code(), self.log.iter().collect::<Vec<_>>().join("\n"))
    }

    /// A file or folder of it under `/proc`.
    pub(crate) fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }
}

/// The first address after a word.
#[track_caller]
fn address(line: &str, word: &str) -> SocketAddr {
    let found = line.split_once(word).and_then(|(_, after)| {
        let after = after.trim_start_matches(|char: char| !char.is_ascii_digit());
        let end = after.find(|char: char| !char.is_ascii_digit() && !".:".contains(char));
        after.get(..end.unwrap_or(after.len()))?.parse().ok()
    });
    found.unwrap_or_else(|| panic!("no address after {word:?}: {line}"))
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
