//! The binary: every command, and `serve` through failures, signals and shutdown.

mod audit;
mod cli;
mod demo;
mod faults;
mod memory;
mod rewrite;
mod stopping;
#[path = "../support/mod.rs"]
mod support;
mod tools;
mod verify;

use std::time::Duration;

use crate::support::net::get;
use crate::support::process::Process;

/// How long anything may take that takes no time of its own.
const SOON: Duration = Duration::from_secs(30);

/// One of its own metrics: the value of the line that begins so; 0 where there is none.
async fn metric(process: &Process, series: &str) -> u64 {
    let metrics = get(process.admin, "/metrics").await;
    let mut lines = metrics.text().lines();
    let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().expect("a whole number"))
}

/// Resolves once one of its own metrics has a value, and no more.
async fn reaches(process: &Process, series: &str, value: u64) {
    let reached = async {
        while metric(process, series).await < value {
            tokio::task::yield_now().await;
        }
    };
    drop(tokio::time::timeout(SOON, reached).await);
    assert_eq!(metric(process, series).await, value, "{series}");
}
