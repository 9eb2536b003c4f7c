//! Crossfade's own [`Metrics`], defined here and listed in `METRICS.md`, and its log.

mod bound_addresses;
mod count;
mod define;
mod http;
mod kernel_drops;
mod log;
mod metrics;
mod panics;
mod process;
mod reasons;
mod reloads;
mod scrapes;
mod series;
mod sink_times;
mod state_file;
mod statsd;
mod target;
mod target_info;

pub use count::Count;
pub use http::{HttpListenerMetrics, OpenHttpConnection, WebConfigMetrics};
pub use log::{
    LogFormat, LogGuard, LogLevel, LogSettings, set_log_level, start_log, write_to_stderr,
};
pub use metrics::{METRICS_CONTENT_TYPE, Metrics};
pub use panics::log_panics;
pub use reasons::{ConnectionRefusal, RequestRefusal};
pub use reloads::ReloadMetrics;
pub use sink_times::LastSent;
pub use state_file::StateFileMetrics;
pub use statsd::{ListenerMetrics, OpenConnection, RewriteMetrics, SinkMetrics};
pub use target::{ScrapeInFlight, TargetMetrics};
