//! The meaning of the settings file.

pub(super) mod dynamic_targets;
pub(super) mod errors;
mod http;
mod parts;
pub(super) mod settings;
mod statsd;

#[cfg(test)]
mod tests;
