//! What needs a program that is not Rust: Prometheus and its exporters, promtool, a `StatsD` server,
//! programs in Python, a browser.
//!
//! `./test` installs them and turns the feature `external` on.

#![expect(clippy::too_many_lines, reason = "a test or a model is read from top to bottom")]

mod audit;
mod audit_scaled;
mod backfill;
mod comparison;
mod documents;
mod live;
mod open_metrics;
mod page;
mod page_fleet;
mod prometheus;
mod promtool;
mod rules;
mod statsd_server;
mod status;
#[path = "../support/mod.rs"]
mod support;
mod verdicts;
