//! What we tell about ourselves: [`Metrics`], all of them defined in one place and listed in `METRICS.md`, and the log.

mod http;
mod kernel_drops;
mod log;
mod metrics;
mod process;
mod reloads;
mod series;
mod statsd;

pub use http::{HttpListenerMetrics, OpenHttpConnection, WebConfigMetrics};
pub use log::{LogFormat, LogLevel, LogSettings, set_log_level, start_log};
pub use metrics::{METRICS_CONTENT_TYPE, Metrics, Outcome, ScrapeInFlight, TargetMetrics};
pub use reloads::ReloadMetrics;
pub use statsd::{ListenerMetrics, OpenConnection, RewriteMetrics, SinkMetrics};
