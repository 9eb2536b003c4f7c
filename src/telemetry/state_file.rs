//! Metrics of the state file.

use prometheus::IntGauge;

use super::define::Define;

/// Whether the state file can be written.
#[derive(Debug)]
pub struct StateFileMetrics {
    successful: IntGauge,
}

impl StateFileMetrics {
    pub(super) fn register(define: Define<'_>) -> prometheus::Result<StateFileMetrics> {
        let successful = define.gauge(
            "crossfade_state_file_last_write_successful",
            "Whether the state file (scrape.state_file) could be written when it was last due.",
        )?;
        successful.set(1);
        Ok(StateFileMetrics { successful })
    }

    /// Records the outcome of a write. Returns the previous one.
    #[must_use]
    pub fn written(&self, successful: bool) -> bool {
        let before = self.successful.get() == 1;
        self.successful.set(i64::from(successful));
        before
    }
}
