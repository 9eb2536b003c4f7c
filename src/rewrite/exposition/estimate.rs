//! Bucket counts that are estimates, and how wrong they can be.
//!
//! A boundary that the input lacks is between two that it has, and so is its count. These two
//! exact counts bound the error of the estimate.

use serde::Serialize;

/// The estimated bucket counts that one rule wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimated {
    /// The rule for display, as in `Rule::title`.
    pub title: String,
    /// Family written.
    pub family: String,
    /// Bucket boundaries, as spelled in `le`, in ascending order.
    pub boundaries: Vec<String>,
    /// The most by which any of the counts can be wrong, as a fraction of the observations of its
    /// series.
    pub max_error: f64,
    /// The most by which a sum over all series can be wrong at any of the boundaries, as a fraction
    /// of all observations.
    pub max_error_of_sum: f64,
}

/// One estimated bucket count, and the exact ones next to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EstimatedCount {
    /// The boundary, as spelled in `le`.
    pub le: String,
    /// The estimate.
    pub count: f64,
    /// The count at the next lower boundary of the input; 0 if there is none.
    pub below: ExactCount,
    /// The count at the next higher boundary of the input.
    pub above: ExactCount,
}

/// A bucket count that is in the input, or that follows from one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExactCount {
    /// The boundary. `None` if there is none, or if it is the sum of counts at several boundaries.
    pub le: Option<String>,
    /// The count.
    pub count: f64,
}

impl EstimatedCount {
    /// The most by which the count can be too high.
    #[must_use]
    pub fn too_high(&self) -> f64 {
        (self.count - self.below.count).max(0.0)
    }

    /// The most by which the count can be too low.
    #[must_use]
    pub fn too_low(&self) -> f64 {
        (self.above.count - self.count).max(0.0)
    }

    /// Adds the count of another histogram with the same labels.
    pub(super) fn add(&mut self, other: &EstimatedCount) {
        self.count += other.count;
        self.below.add(&other.below);
        self.above.add(&other.above);
    }
}

impl ExactCount {
    fn add(&mut self, other: &ExactCount) {
        self.count += other.count;
        if self.le != other.le {
            self.le = None;
        }
    }
}

/// How wrong the estimated counts of several series can be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Errors {
    /// The largest error of one series, as a fraction of its observations.
    largest: f64,
    /// The sum of the errors of all series.
    total: f64,
    /// Number of observations in all series.
    observations: f64,
}

impl Errors {
    /// Adds a series whose counts can be wrong by at most `error` of its `observations`. Counts
    /// that are not numbers of observations have no share, and would hide that of other series.
    pub(super) fn add(&mut self, error: f64, observations: f64) {
        if !(observations > 0.0 && observations.is_finite() && error.is_finite()) {
            return;
        }
        self.observations += observations;
        if error > 0.0 {
            self.total += error;
            self.largest = self.largest.max(error / observations);
        }
    }

    pub(super) fn largest(&self) -> f64 {
        self.largest
    }

    /// The error of the sum over all series, as a fraction of all observations.
    pub(super) fn of_sum(&self) -> f64 {
        if self.total > 0.0 { self.total / self.observations } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_series_and_of_their_sum() {
        let mut errors = Errors::default();
        assert_eq!((errors.largest(), errors.of_sum()), (0.0, 0.0));
        errors.add(0.0, 0.0);
        errors.add(1.0, 2.0);
        for observations in [f64::NAN, f64::INFINITY, -1.0] {
            errors.add(1.0, observations);
        }
        errors.add(f64::INFINITY, 100.0);
        errors.add(10.0, 98.0);
        assert_eq!((errors.largest(), errors.of_sum()), (0.5, 0.11));
    }

    #[test]
    fn sums_name_the_boundaries_that_all_have() {
        let exact = |le: &str, count| ExactCount { le: Some(le.into()), count };
        let mut sum = EstimatedCount {
            le: "40".into(),
            count: 148.0,
            below: exact("25", 120.0),
            above: exact("50", 180.0),
        };
        assert_eq!((sum.too_high(), sum.too_low()), (28.0, 32.0));
        sum.add(&EstimatedCount { count: 3.0, below: exact("30", 2.0), ..sum.clone() });
        assert_eq!((sum.count, sum.below.le.as_deref()), (151.0, None));
        assert_eq!((sum.above.le.as_deref(), sum.above.count), (Some("50"), 360.0));
    }
}
