//! After each failure the process has the same memory, files, threads and connections as before.

use std::time::Instant;

use crate::SOON;
use crate::failures::{PLAIN, Targets};
use crate::support::net::{End, Folder, get};
use crate::support::process::Process;

/// Memory that the process may have in addition after a failure, compared with before all of them.
///
/// Before the measurement each failure has happened once, with the same repetitions, so permanent
/// allocations exist already: buffers of threads, counters of each outcome, pooled buffers. What
/// still varies is free memory that the allocator cannot return because of a small allocation after
/// it: less than 1 MiB of 8. A leak adds up. Failures that are repeated 400 times reach this limit
/// with 10 KiB each, those that are repeated 10 times with 400 KiB; one piece of a body, or the
/// buffer of one connection, is larger.
const MORE_BYTES: u64 = 4 << 20;

/// The resources of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Has {
    /// Anonymous memory, without the program file.
    bytes: u64,
    files: usize,
    threads: u64,
}

impl Has {
    fn now(process: &Process) -> Has {
        let status = std::fs::read_to_string(process.proc("status")).expect("it runs");
        let value = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let value = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            value.unwrap_or_else(|| panic!("no {key} in {status}"))
        };
        let files = std::fs::read_dir(process.proc("fd")).expect("it is ours").count();
        Has { bytes: value("RssAnon:") * 1024, files, threads: value("Threads:") }
    }
}

/// Whether a scrape gets a complete response and no other connection or scrape is open.
async fn is_quiet(process: &Process) -> bool {
    let reply = get(process.data, "/targets/good/metrics").await;
    assert_eq!((reply.status, reply.end, reply.text()), (200, End::Whole, PLAIN));
    let metrics = get(process.admin, "/metrics").await;
    let mut gauges =
        ["crossfade_http_connections{listener=\"data\"}", "crossfade_scrapes_in_flight"]
            .map(|gauge| metrics.text().lines().find_map(|line| line.strip_prefix(gauge)))
            .into_iter();
    gauges.all(|value| value.expect("it is always there") == " 0")
}

/// Waits until the process is quiet and `is_as_it_was`; returns its resources at that time.
async fn settled(process: &Process, is_as_it_was: impl Fn(Has) -> bool) -> Result<Has, Has> {
    let begun = Instant::now();
    loop {
        let is_quiet = is_quiet(process).await;
        let has = Has::now(process);
        if is_quiet && is_as_it_was(has) {
            return Ok(has);
        }
        if begun.elapsed() > SOON {
            return Err(has);
        }
    }
}

#[tokio::test]
async fn resources_are_released_after_each_failure() {
    let targets = Targets::start().await;
    let folder = Folder::new("memory");
    let settings = folder.write("crossfade.yaml", &targets.settings());
    let process = Process::serve(&["--config.file", &settings]);
    let idle = settled(&process, |_| true).await.expect("no connection is open");
    // The connection of the last request may be closed a moment earlier or later, and a thread that
    // resolves names ends when it has had nothing to do for a while.
    let is_idle = |has: Has| has.files.abs_diff(idle.files) <= 1 && has.threads <= idle.threads;
    for failure in targets.failures() {
        failure.happen(&process).await;
    }
    let before = settled(&process, is_idle).await.expect("nothing is left open");
    println!("before: {before:?}");
    for failure in targets.failures() {
        failure.happen(&process).await;
        let as_before = |has: Has| is_idle(has) && has.bytes <= before.bytes + MORE_BYTES;
        let after = settled(&process, as_before).await;
        println!("{after:?}");
        assert!(after.is_ok(), "after {}: {after:?}, before {before:?}", failure.name);
    }
}
