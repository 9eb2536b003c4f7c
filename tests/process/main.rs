//! The binary: every command, and `serve` through failures, signals and shutdown.

#![expect(clippy::too_many_lines, reason = "a test or a model is read from top to bottom")]

mod audit;
mod audit_servers;
mod backfill;
mod cli;
mod demo;
mod descriptors;
mod exit_codes;
mod failures;
mod files;
mod https;
mod log;
mod memory;
mod restart;
mod rewrite;
mod rules;
mod secrets;
mod shipped_packs;
mod status;
mod stopping;
#[path = "../support/mod.rs"]
mod support;
mod tools;
mod verify;
mod version;
mod web_flags;

use std::time::Duration;

use crate::support::net::get;
use crate::support::process::Process;

/// Time limit for steps that should finish at once.
const SOON: Duration = Duration::from_secs(30);

/// The value of one of the gateway's own series; 0 if it does not exist.
async fn metric(process: &Process, series: &str) -> u64 {
    let metrics = get(process.admin, "/metrics").await;
    let mut lines = metrics.text().lines();
    let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().expect("a whole number"))
}

/// Waits until one of the gateway's own series has exactly this value.
async fn reaches(process: &Process, series: &str, value: u64) {
    let reached = async {
        while metric(process, series).await < value {
            tokio::task::yield_now().await;
        }
    };
    drop(tokio::time::timeout(SOON, reached).await);
    assert_eq!(metric(process, series).await, value, "{series}");
}
