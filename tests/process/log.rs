//! The log delays nothing, and requests cannot fill a disk with it.

use std::time::Duration;

use crate::SOON;
use crate::support::capture;
use crate::support::net::{Refusing, Upstream, get, whole};
use crate::support::process::Process;

#[tokio::test]
async fn a_log_that_is_not_read_delays_nothing() {
    let refusing = Refusing::new();
    let target = format!("--target=http://{}/metrics", refusing.address);
    let flags = ["--emit=old", "--log.level=debug", &target];
    let (mut process, _unread) = Process::serve_unread(&flags);
    let requests = async {
        for _ in 0..50 {
            assert_eq!(get(process.data, "/metrics").await.status, 502);
            assert_eq!(get(process.admin, "/-/healthy").await.status, 200);
        }
    };
    tokio::time::timeout(SOON, requests).await.expect("no response waits for the log");
    process.signal("TERM");
    let (code, _) = process.ends_within(SOON);
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn requests_cannot_flood_the_log() {
    let flags = ["--emit=old", "--target=http://127.0.0.1:1/metrics"];
    let mut process = Process::serve(&flags);
    for _ in 0..300 {
        assert_eq!(get(process.data, "/metrics").await.status, 502);
    }
    let metrics = get(process.admin, "/metrics").await;
    let dropped = metrics.text().lines().find_map(|line| {
        line.strip_prefix("crossfade_log_lines_dropped_total{reason=\"repeated\"} ")
    });
    let dropped: usize = dropped.expect("a counter").parse().expect("a number");
    assert!(dropped > 200, "{dropped}");
    process.signal("TERM");
    let (_, log) = process.ends_within(Duration::from_secs(20));
    let logged = log.lines().filter(|line| line.contains("scrape failed")).count();
    assert_eq!(logged + dropped, 300, "{log}");
    assert!(log.contains("draining"), "the last lines are not lost: {log}");
}

#[tokio::test]
async fn a_line_about_a_target_names_it() {
    // Longer than one read, so the last byte is read by another task than the first.
    let body = capture("medium/prometheus/kong-2.8.5.no_consumer.txt.gz");
    let upstream = Upstream::answering(whole(body)).await;
    let process = Process::serve(&["--emit=old", &format!("--target={}", upstream.url())]);
    assert_eq!(get(process.data, "/metrics").await.status, 200);
    let line = process.logs(&["target generation detected"]);
    assert!(line.contains(&format!("target={}", upstream.address)), "{line}");
}
