//! The core and the tools without sockets, processes or other programs: text in, text out.

mod exposition;
mod fuzz;
mod mapping;
mod oracle;
mod pack_limits;
mod statsd;
#[path = "../support/mod.rs"]
mod support;
mod tools;
