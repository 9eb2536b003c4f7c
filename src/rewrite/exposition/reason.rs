//! Why samples are left out, and why rules do not apply. Fixed sets, used as metric label values.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::exposition::Flaw;

/// Why a line or sample is not output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The series also arrived in the emitted generation, or another rule has written it already.
    AlreadyPresent,
    /// The `le` label of a bucket is not a number.
    BadLe,
    /// The `quantile` label of a summary is not a number, or is on its sum or count. Strict output only.
    BadQuantile,
    /// The creation time of a series that is summed, split or converted, or of a counter that is
    /// written as another type. `OpenMetrics` only.
    CreationTime,
    /// A pack drops the sample (`reduce` of a pack).
    DroppedByPack,
    /// A histogram has neither a bucket `+Inf` nor a count. Strict output only.
    IncompleteHistogram,
    /// Prometheus would refuse the line.
    Malformed(Flaw),
    /// The emitted generation does not count samples of this kind (`only_in` of a pack).
    NotCounted,
    /// The value, the boundary or the exemplar is too large for a number in the written unit.
    OutOfRange,
    /// A part of a histogram or summary whose other parts have another timestamp. Strict output only.
    OtherTimestamp,
    /// A second `# HELP` or `# TYPE` of one family, or a `# TYPE` after its first sample.
    RepeatedHeader,
    /// The target exports this family more than once, and an equal series arrived before.
    RepeatedSeries,
}

/// Why a rule whose conditions match a label set is not applied to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBecause {
    /// The `le` label of a bucket is not a number. Reported as [`DropReason::BadLe`].
    BadLe,
    /// The rule would give the sample a second label of one name.
    LabelConflict,
    /// Equal series would have to be merged, and no rule says how: a gauge or summary without
    /// `merge`, or a family whose type changed within the exposition.
    NotJoinable,
    /// A number is too large in the written unit. Reported as [`DropReason::OutOfRange`].
    OutOfRange,
    /// The generation that the rule writes does not count samples of this kind. Not reported: the
    /// sample is output in the other generation, as intended.
    NotCounted,
}

impl DropReason {
    /// Whether Prometheus would refuse the line.
    #[must_use]
    pub fn is_malformed(self) -> bool {
        matches!(self, DropReason::Malformed(_))
    }

    /// The reason as a metric label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DropReason::AlreadyPresent => "already_present",
            DropReason::BadLe => "bad_le",
            DropReason::BadQuantile => "bad_quantile",
            DropReason::CreationTime => "creation_time",
            DropReason::DroppedByPack => "dropped_by_pack",
            DropReason::IncompleteHistogram => "incomplete_histogram",
            DropReason::Malformed(flaw) => flaw.as_str(),
            DropReason::NotCounted => "not_counted",
            DropReason::OutOfRange => "out_of_range",
            DropReason::OtherTimestamp => "other_timestamp",
            DropReason::RepeatedHeader => "repeated_header",
            DropReason::RepeatedSeries => "repeated_series",
        }
    }

    /// The reason in words, for reports: a clause without a full stop.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            DropReason::AlreadyPresent => {
                "the series is also in the input in the emitted generation"
            }
            DropReason::BadLe => "its `le` is not a number",
            DropReason::BadQuantile => "its `quantile` is not a number",
            DropReason::CreationTime => "the written series has no single creation time",
            DropReason::DroppedByPack => "a pack drops it (`reduce`)",
            DropReason::IncompleteHistogram => {
                "the histogram has neither a bucket `+Inf` nor a count"
            }
            DropReason::Malformed(_) => {
                "Prometheus would refuse the whole scrape because of this line"
            }
            DropReason::NotCounted => "the emitted generation does not count such samples",
            DropReason::OutOfRange => "a number is too large in the written unit",
            DropReason::OtherTimestamp => "the other parts have another timestamp",
            DropReason::RepeatedHeader => "the family has this header already",
            DropReason::RepeatedSeries => "an equal series came before",
        }
    }
}

impl RefusedBecause {
    /// The reason under which the sample is dropped. `None`: it passes, or is handled by another rule.
    #[must_use]
    pub fn drops(self) -> Option<DropReason> {
        match self {
            RefusedBecause::BadLe => Some(DropReason::BadLe),
            RefusedBecause::OutOfRange => Some(DropReason::OutOfRange),
            RefusedBecause::LabelConflict
            | RefusedBecause::NotCounted
            | RefusedBecause::NotJoinable => None,
        }
    }

    /// The reason as a metric label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RefusedBecause::BadLe => "bad_le",
            RefusedBecause::LabelConflict => "label_conflict",
            RefusedBecause::NotCounted => "not_counted",
            RefusedBecause::NotJoinable => "not_joinable",
            RefusedBecause::OutOfRange => "out_of_range",
        }
    }

    /// The reason in words, for reports: a clause without a full stop.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            RefusedBecause::BadLe => "its `le` is not a number",
            RefusedBecause::LabelConflict => {
                "the sample already has a label that the rule would add"
            }
            RefusedBecause::NotCounted => {
                "the generation that the rule writes does not count such samples"
            }
            RefusedBecause::NotJoinable => {
                "the rule does not say how to merge such gauges or summaries"
            }
            RefusedBecause::OutOfRange => "a number is too large in the written unit",
        }
    }
}

/// Both enums are ordered, looked up, displayed and serialized by their text.
macro_rules! by_text {
    ($($reason:ty)*) => {$(
        impl Ord for $reason {
            fn cmp(&self, other: &Self) -> Ordering {
                self.as_str().cmp(other.as_str())
            }
        }

        impl PartialOrd for $reason {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq<str> for $reason {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl Borrow<str> for $reason {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $reason {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $reason {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )*};
}

by_text!(DropReason RefusedBecause);
