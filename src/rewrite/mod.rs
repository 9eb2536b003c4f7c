//! The engine: what a plan says, done to an exposition or to `StatsD` lines.

pub mod exposition;
mod printable;
pub mod statsd;
pub(crate) use printable::printable;
