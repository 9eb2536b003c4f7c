//! The engine: what a plan says, done to an exposition or to `StatsD` lines.

pub mod exposition;
pub mod statsd;
