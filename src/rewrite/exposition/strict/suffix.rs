//! Names of samples: what they have in common with the other samples of a histogram or counter.

use crate::exposition::Format;

/// What the name of a sample ends with, in addition to the name of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suffix {
    None,
    Bucket,
    Sum,
    Count,
    GaugeSum,
    GaugeCount,
    Total,
    Info,
    Created,
}

const OF_TEXT: &[Suffix] = &[Suffix::Bucket, Suffix::Sum, Suffix::Count];

const OF_OPEN_METRICS: &[Suffix] = &[
    Suffix::Bucket,
    Suffix::Sum,
    Suffix::Count,
    Suffix::GaugeSum,
    Suffix::GaugeCount,
    Suffix::Total,
    Suffix::Info,
    Suffix::Created,
];

impl Suffix {
    pub(super) fn text(self) -> &'static [u8] {
        match self {
            Suffix::None => b"",
            Suffix::Bucket => b"_bucket",
            Suffix::Sum => b"_sum",
            Suffix::Count => b"_count",
            Suffix::GaugeSum => b"_gsum",
            Suffix::GaugeCount => b"_gcount",
            Suffix::Total => b"_total",
            Suffix::Info => b"_info",
            Suffix::Created => b"_created",
        }
    }
}

/// Splits the name of a sample. Whether the first part is the name of its family depends on the
/// type of that family, see [`FamilyKind::has`].
pub(super) fn split(name: &[u8], format: Format) -> (&[u8], Suffix) {
    let suffixes = match format {
        Format::Text => OF_TEXT,
        Format::OpenMetrics => OF_OPEN_METRICS,
    };
    let found = suffixes.iter().find_map(|&suffix| {
        let base = name.strip_suffix(suffix.text()).filter(|base| !base.is_empty())?;
        Some((base, suffix))
    });
    found.unwrap_or((name, Suffix::None))
}

/// The label that distinguishes the samples of one histogram or summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    /// `le`
    Boundary,
    /// `quantile`
    Quantile,
}

impl Dimension {
    pub(super) fn label(self) -> &'static [u8] {
        match self {
            Dimension::Boundary => b"le",
            Dimension::Quantile => b"quantile",
        }
    }
}

/// How the samples of a family are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FamilyKind {
    /// Each sample is a series of its own.
    Plain,
    Histogram,
    GaugeHistogram,
    Summary,
    /// A counter in `OpenMetrics`: `_total` and `_created` belong together.
    Counter,
    Info,
}

impl FamilyKind {
    /// By the word in a `# TYPE` line.
    pub(super) fn of_word(word: &[u8], format: Format) -> FamilyKind {
        match (word, format) {
            (b"histogram", _) => FamilyKind::Histogram,
            (b"summary", _) => FamilyKind::Summary,
            (b"gaugehistogram", Format::OpenMetrics) => FamilyKind::GaugeHistogram,
            (b"counter", Format::OpenMetrics) => FamilyKind::Counter,
            (b"info", Format::OpenMetrics) => FamilyKind::Info,
            _ => FamilyKind::Plain,
        }
    }

    /// Whether the names of samples of such a family have this suffix.
    pub(super) fn has(self, suffix: Suffix, format: Format) -> bool {
        let is_open_metrics = format == Format::OpenMetrics;
        match self {
            FamilyKind::Plain => false,
            FamilyKind::Histogram => {
                matches!(suffix, Suffix::Bucket | Suffix::Sum | Suffix::Count)
                    || is_open_metrics && suffix == Suffix::Created
            }
            FamilyKind::GaugeHistogram => {
                matches!(suffix, Suffix::Bucket | Suffix::GaugeSum | Suffix::GaugeCount)
            }
            FamilyKind::Summary => {
                matches!(suffix, Suffix::Sum | Suffix::Count)
                    || is_open_metrics && suffix == Suffix::Created
            }
            FamilyKind::Counter => matches!(suffix, Suffix::Total | Suffix::Created),
            FamilyKind::Info => suffix == Suffix::Info,
        }
    }

    /// The label that distinguishes the samples of one group.
    pub(super) fn dimension(self) -> Option<Dimension> {
        match self {
            FamilyKind::Histogram | FamilyKind::GaugeHistogram => Some(Dimension::Boundary),
            FamilyKind::Summary => Some(Dimension::Quantile),
            FamilyKind::Plain | FamilyKind::Counter | FamilyKind::Info => None,
        }
    }

    /// The suffixes of the sum and of the count, if the family is a histogram.
    pub(super) fn sum_and_count(self) -> Option<(Suffix, Suffix)> {
        match self {
            FamilyKind::Histogram => Some((Suffix::Sum, Suffix::Count)),
            FamilyKind::GaugeHistogram => Some((Suffix::GaugeSum, Suffix::GaugeCount)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_depend_on_the_format() {
        let text = |name: &'static str| split(name.as_bytes(), Format::Text);
        let open_metrics = |name: &'static str| split(name.as_bytes(), Format::OpenMetrics);
        assert_eq!(text("a_bucket"), (&b"a"[..], Suffix::Bucket));
        assert_eq!(text("a_total"), (&b"a_total"[..], Suffix::None));
        assert_eq!(open_metrics("a_total"), (&b"a"[..], Suffix::Total));
        assert_eq!(open_metrics("a_gsum"), (&b"a"[..], Suffix::GaugeSum));
        assert_eq!(text("_count"), (&b"_count"[..], Suffix::None));
        assert_eq!(text("a_sum_count"), (&b"a_sum"[..], Suffix::Count));
    }
}
