//! Crossfade: a metrics gateway that keeps dashboards continuous across a rename.
//!
//! This page is the map. What the gateway is for stands in the README; each module says what it promises.
//!
//! # The data flow
//!
//! ```text
//!              packs (mappings/*.yaml)
//!                     │ mapping: read, check, compile for what is emitted
//!                     ▼
//!                 Plan, StatsdPlan
//!                     │
//! Prometheus ─scrape──┼──────────────────────────────────────────┐
//!   http_server ▸ scrape ▸ upstream ═ chunks ═▸ rewrite::exposition ═ pieces ═▸ answer
//!                     │                   (exposition)
//! a StatsD client ────┼──────────────────────────────────────────┐
//!   relay::listener ═ datagrams ═▸ rewrite::statsd ═ lines ═▸ relay::sink
//!                                      (statsd)
//! ```
//!
//! A scrape is pulled through: the answer's body reads from the target when its client takes more, and drives the engine
//! in between. A `StatsD` line is pushed through: it is rewritten and packed by the thread that received it, and waits in the
//! bounded queue of each sink.
//!
//! # The layers
//!
//! Imports point one way, from later lines to earlier ones; a test reads them.
//!
//! **The core** is synchronous, and knows no I/O, no clock, no log, and no gateway by name: bytes in, bytes out, and a report of
//! what happened. It is the same type that serves scrapes, filters files, and is tested, fuzzed and measured.
//!
//! - [`exposition`], [`statsd`]: the two formats. Lines borrow the bytes they were read from.
//! - [`document`]: YAML and JSON with source positions, and diagnostics.
//! - [`mapping`]: packs, which say once what corresponds to what, and their compilation into a plan for one direction.
//! - [`rewrite`]: the engine, for expositions and for lines.
//!
//! **The edges** move bytes, and count and log what the core reports.
//!
//! - [`packs`]: the packs that ship, and those on disk. [`telemetry`]: every metric about ourselves, and the log.
//!   `tls`: what encrypted connections have in common, whoever opens them. [`shutdown`]: drain, then cut short.
//! - [`http_server`]: an HTTP listener. [`scrape`]: what it answers to Prometheus. [`relay`]: `StatsD` in and out.
//!
//! **The shell** starts, replaces and stops things.
//!
//! - [`config`]: the settings file. [`admin`]: what the admin listener answers. [`app`]: the gateway as a whole.
//! - [`demo`]: the same with stand-ins for what is around it.
//! - [`cli`]: the commands.
//!
//! **The tools** prove things offline, with the core and nothing else.
//!
//! - [`tools::pack_tests`]: runs the test cases of packs. [`tools::verify`]: do two generations agree?
//! - [`tools::audit`]: do dashboards and rules survive, and what are they in the other generation?
//!
//! # Three promises that shape the code
//!
//! 1. What no rule touches leaves byte for byte as it came: values, spacing, comments, and lines that we do not understand.
//! 2. Memory is bounded by our settings, not by the peer: lines, label sets, datagrams, queues and connections have a cap.
//! 3. Nothing disappears silently: each thing dropped or refused has a counter with a reason.
//!
//! Choices that somebody will want to undo are in `docs/decisions`, one page each.

pub mod document;
pub mod exposition;
pub mod mapping;
pub mod packs;
pub mod rewrite;
pub mod statsd;

pub mod shutdown;
pub mod telemetry;
mod tls;

pub mod http_server;
pub mod relay;
pub mod scrape;

pub mod tools;

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
