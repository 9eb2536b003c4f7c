//! `statsd` and `rewrite::statsd`: captured lines, generated lines, and how packs rewrite them.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod allocations;
mod captures;
mod properties;
mod rules;
mod scaled;
mod tagged;
