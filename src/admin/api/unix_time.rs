//! Times in JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970, with fractions.
pub(super) fn unix(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).as_ref().map_or(0.0, Duration::as_secs_f64)
}
