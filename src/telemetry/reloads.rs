//! Metrics of reloads.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{IntCounterVec, IntGauge};

use super::define::Define;

/// The metrics of the active settings and of reloads.
#[derive(Debug)]
pub struct ReloadMetrics {
    reloads: IntCounterVec,
    successful: IntGauge,
    timestamp: IntGauge,
}

impl ReloadMetrics {
    pub(super) fn register(define: Define<'_>) -> prometheus::Result<ReloadMetrics> {
        let reloads = define.counters(
            "crossfade_config_reloads_total",
            "Reloads by outcome.",
            &["outcome"],
        )?;
        for outcome in ["success", "refused"] {
            reloads.with_label_values(&[outcome]);
        }
        let successful = define.gauge(
            "crossfade_config_last_reload_successful",
            "Whether the last reload succeeded: 0 after a reload that was refused.",
        )?;
        let timestamp = define.gauge(
            "crossfade_config_last_reload_success_timestamp_seconds",
            "When the active settings were read, Unix time.",
        )?;
        Ok(ReloadMetrics { reloads, successful, timestamp })
    }

    /// The settings that were read last are active.
    pub fn hold(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.timestamp.set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        self.successful.set(1);
    }

    /// Settings were read again, and are active or were refused.
    pub fn ended(&self, hold: bool) {
        self.reloads.with_label_values(&[if hold { "success" } else { "refused" }]).inc();
        if hold {
            self.hold();
        } else {
            self.successful.set(0);
        }
    }
}
