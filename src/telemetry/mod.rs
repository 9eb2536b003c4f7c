//! What we tell about ourselves: [`Metrics`], all of them defined in one place and listed in `METRICS.md`, and the log.

mod kernel_drops;
mod log;
mod metrics;
mod process;
mod statsd;

pub use log::{LogFormat, LogLevel, LogSettings, start_log};
pub use metrics::{METRICS_CONTENT_TYPE, Metrics, Outcome, ScrapeInFlight, TargetMetrics};
pub use statsd::{ListenerMetrics, OpenConnection, RewriteMetrics, SinkMetrics};
