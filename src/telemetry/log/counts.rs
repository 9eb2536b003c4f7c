//! Lines that were not logged.

use std::sync::LazyLock;

use prometheus::{IntCounter, IntCounterVec, Opts};

/// Lines that were not logged, by reason. The process has one log, so these are shared by all
/// [`Metrics`](crate::telemetry::Metrics) of it.
pub(in crate::telemetry) struct LogCounts {
    pub(in crate::telemetry) family: IntCounterVec,
    /// The log is written faster than it is read.
    pub(super) full: IntCounter,
    /// The same message is repeated too often.
    pub(super) repeated: IntCounter,
}

/// The counts of this process.
pub(in crate::telemetry) fn counts() -> &'static LogCounts {
    static COUNTS: LazyLock<LogCounts> = LazyLock::new(|| {
        let options = Opts::new(
            "crossfade_log_lines_dropped_total",
            "Lines that were not logged, by reason.",
        );
        let family = IntCounterVec::new(options, &["reason"]);
        let family = family.expect("the name and the label are well-formed");
        let of = |reason| family.with_label_values(&[reason]);
        LogCounts { full: of("full"), repeated: of("repeated"), family: family.clone() }
    });
    &COUNTS
}
