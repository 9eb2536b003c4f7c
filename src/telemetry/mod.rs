//! What we tell about ourselves: [`Metrics`], all of them defined in one place and listed in `METRICS.md`, and the log.

mod define;
mod kernel_drops;
mod log;
mod metrics;
mod process;
mod scrapes;
mod statsd;
mod target;

pub use log::{LogFormat, LogLevel, LogSettings, start_log};
pub use metrics::{METRICS_CONTENT_TYPE, Metrics};
pub use statsd::{Count, ListenerMetrics, OpenConnection, RewriteMetrics, SinkMetrics};
pub use target::{LastScrape, Outcome, ScrapeInFlight, TargetMetrics, TargetStatus};
