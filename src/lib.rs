//! Crossfade: a metrics gateway that keeps dashboards continuous across a rename of metrics.
//!
//! This page is the map of the code. The README describes the purpose of the gateway; the
//! documentation of each module describes what the module guarantees.
//!
//! # The data flow
//!
//! ```text
//!              packs (mappings/*.yaml)
//!                     │ document ▸ mapping: read, check, compile for the generation to emit
//!                     ▼
//!                 Plan, StatsdPlan
//!                     │
//! Prometheus ─scrape──┼────────────────────────────────────────────────────┐
//!   http_server ▸ scrape ▸ upstream ═ chunks ═▸ rewrite::exposition ═ pieces ═▸ response
//!                     │
//! a StatsD client ────┼────────────────────────────────────────────────────┐
//!   relay::listener ═ datagrams ═▸ rewrite::statsd ═ lines ═▸ relay::sink
//! ```
//!
//! Scrapes are pulled: when the client accepts more data, the body of the response reads from the
//! target and drives the engine. `StatsD` lines are pushed: the thread that receives a line
//! rewrites and packs it, and puts it into the bounded queue of each sink.
//!
//! Both pipelines have the same phases: a wire format, a part of the pack, a part of compilation, a
//! plan, an engine.
//!
//! # The layers
//!
//! A module uses only modules of earlier lines. A test checks this.
//!
//! **The core** is synchronous. It has no I/O, no clock and no log, and it does not contain the
//! name of any product: bytes in, bytes out, and a report of what happened. The same types serve
//! scrapes, filter files, and are tested, fuzzed and measured.
//!
//! - [`exposition`], [`statsd`]: the wire formats. Lines borrow the bytes they were read from.
//! - [`document`]: YAML and JSON with source positions, and diagnostics.
//! - [`mapping`]: packs, which describe how two generations correspond, and their compilation into
//!   plans.
//! - [`rewrite`]: the engines for expositions and for `StatsD` lines.
//!
//! **The edges** move bytes. They count and log what the core reports.
//!
//! - [`packs`]: the packs in the binary, and packs on disk. [`telemetry`]: the gateway's own metrics,
//!   and the log. `tls`: certificates and encrypted streams. [`shutdown`]: drain, then cut short.
//! - [`http_server`]: HTTP listeners. [`scrape`]: the responses to Prometheus. [`relay`]: `StatsD` in
//!   and out. [`http_client`]: the requests of commands. `apis`: those to Prometheus, Grafana and
//!   running gateways.
//!
//! **The tools** work offline.
//!
//! - [`tools::pack_tests`] runs the test cases of packs.
//! - [`tools::verify`] compares scrapes of two generations.
//! - [`tools::audit`] checks dashboards and rule files, and migrates them.
//! - [`tools::rules`] writes packs as rules of Prometheus.
//! - [`tools::backfill`] rewrites samples that are stored in a database.
//! - [`tools::removal`] answers whether a gateway can be removed; [`tools::query_log`] reads which
//!   queries were run.
//!
//! **The shell** starts, reloads and stops the parts.
//!
//! - [`config`]: the settings file. [`running`]: the state that a reload replaces.
//! - [`admin`]: the admin listener's responses. [`app`]: the whole gateway.
//! - [`demo`]: the gateway with simulated Kong nodes and a simulated `StatsD` server.
//! - [`cli`]: the commands.
//!
//! # Three guarantees that shape the code
//!
//! 1. Whatever no rule matches is forwarded byte for byte: values, spacing, comments, unknown
//!    lines.
//! 2. Settings bound the memory, not the peer: lines, label sets, datagrams, queues and connections
//!    have a limit.
//! 3. Nothing is lost silently: everything that is dropped or refused is counted, with a reason.
//!
//! `docs/decisions` has one page for each choice that is easy to question.

// Without the tools, what only they use is left out by the linker.
#![cfg_attr(not(feature = "tools"), allow(dead_code, reason = "the tools use it"))]

pub mod document;
pub mod exposition;
pub mod mapping;
pub mod packs;
pub mod rewrite;
pub mod statsd;

mod build_info;
mod descriptors;
mod duration;
mod regular_file;
mod shown_url;
pub mod shutdown;
pub mod telemetry;
mod tls;

pub mod http_server;
pub mod relay;
pub mod scrape;

pub mod tools;

pub mod admin;
#[cfg(feature = "tools")]
mod apis;
pub mod app;
pub mod cli;
pub mod config;
#[cfg(feature = "tools")]
pub mod demo;
pub mod http_client;
pub mod running;
