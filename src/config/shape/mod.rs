//! What the settings file looks like.

pub(super) mod dynamic_targets;
pub(super) mod file;
pub(super) mod http;
pub(super) mod statsd;
