//! `StatsD` lines without sockets: Kong's own, made-up ones, and what packs make of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod allocations;
mod captures;
mod entries;
#[path = "../support/net/mod.rs"]
mod net;
mod properties;
#[path = "../../fuzz/src/statsd_datagram.rs"]
mod statsd_datagram;
#[path = "../support/mod.rs"]
mod support;
