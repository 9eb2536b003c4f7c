//! After each fault the process is what it was before: memory, files, threads, connections, what scrapes hold.

use std::time::Instant;

use crate::SOON;
use crate::faults::{PLAIN, Targets};
use crate::support::net::{End, Folder, get};
use crate::support::process::Process;

/// How much more memory there may be after a fault than before all of them.
///
/// Each fault has happened once, as often and as many at a time, before anything is measured, so what is kept for good
/// is there already: buffers of threads, counters of each outcome, what pools keep. What still comes and goes is what the
/// allocator, told to give back what is free, cannot give back because something small was allocated behind it: less
/// than 1 MiB of 8. A leak comes on top with every fault:
/// those that happen 400 times leave this much at 10 KiB each, those that happen 10 times at 400 KiB; one piece of a body,
/// or one connection's buffer, is more.
const MORE_BYTES: u64 = 4 << 20;

/// What a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Has {
    /// In memory, of its own: not of its program file.
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

/// A scrape is answered whole, and nothing is open or under way besides.
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

/// Waits until the process is quiet and as it was, and gives what it has then.
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
async fn after_each_fault_everything_is_as_before() {
    let targets = Targets::start().await;
    let folder = Folder::new("memory");
    let settings = folder.write("crossfade.yaml", &targets.settings());
    let process = Process::serve(&["--config.file", &settings]);
    let idle = settled(&process, |_| true).await.expect("it is quiet");
    // The connection on which it was just asked about itself may be closed a moment earlier or later.
    let is_idle = |has: Has| has.files.abs_diff(idle.files) <= 1 && has.threads == idle.threads;
    for fault in targets.faults() {
        fault.happen(&process).await;
    }
    let before = settled(&process, is_idle).await.expect("nothing is left open");
    println!("before: {before:?}");
    for fault in targets.faults() {
        fault.happen(&process).await;
        let as_before = |has: Has| is_idle(has) && has.bytes <= before.bytes + MORE_BYTES;
        let after = settled(&process, as_before).await;
        println!("{after:?}");
        assert!(after.is_ok(), "after {}: {after:?}, before {before:?}", fault.name);
    }
}
