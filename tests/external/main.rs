//! What needs a program that is not Rust: Prometheus, promtool, a `StatsD` server, a browser.
//!
//! `./test` installs them and turns the feature `external` on.

mod audit;
mod documents;
mod page;
mod prometheus;
mod promtool;
mod statsd_server;
#[path = "../support/mod.rs"]
mod support;
mod verdicts;
