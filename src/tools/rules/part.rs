//! The series of a family.

/// A series of a family, by the suffix of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A counter, a gauge, or a quantile of a summary.
    Value,
    /// The buckets of a histogram.
    Bucket,
    /// The sum of a histogram or summary.
    Sum,
    /// The count of a histogram or summary.
    Count,
}

impl Part {
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Part::Value => "",
            Part::Bucket => "_bucket",
            Part::Sum => "_sum",
            Part::Count => "_count",
        }
    }
}
