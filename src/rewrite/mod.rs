//! The engine: applies a plan to an exposition or to `StatsD` lines.

pub mod exposition;
mod printable;
pub mod statsd;
pub(crate) use printable::printable;
