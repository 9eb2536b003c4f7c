//! The core and the tools without sockets, processes or other programs: text in, text out.

#![expect(clippy::too_many_lines, reason = "a test or a model is read from top to bottom")]

mod exposition;
mod fuzz;
mod mapping;
mod oracle;
mod pack_limits;
mod statsd;
#[path = "../support/mod.rs"]
mod support;
mod tools;
