//! The result of a comparison.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cross_check::CrossCheck;
use super::options::Traffic;
use crate::document::Diagnostics;
use crate::rewrite;

/// Whether two generations agree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// No family is different or missing.
    pub agree: bool,
    /// The generation that both sides were compared in.
    pub compared_as: &'static str,
    /// How similar the traffic was.
    pub traffic: Traffic,
    /// The largest accepted difference, as a fraction of the larger number.
    pub tolerance: f64,
    /// The old side.
    pub old: Side,
    /// The new side.
    pub new: Side,
    /// The compared families, sorted by name.
    pub families: Vec<FamilyResult>,
    /// Families of the new side that have no counterpart in the old generation.
    pub only_new: Vec<String>,
}

/// What was read from one side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// The name that the caller gave it.
    pub name: String,
    /// Number of series.
    pub series: usize,
    /// The generations that its families belong to.
    pub generations: Vec<&'static str>,
    /// Lines that Prometheus would refuse, by reason.
    pub malformed: BTreeMap<&'static str, u64>,
    /// How an independent parser reads it.
    pub cross_check: CrossCheck,
}

/// How the two sides of one family compare.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyResult {
    /// The name in the generation that both sides are compared in.
    pub name: String,
    /// Whether the sides agree.
    pub verdict: Verdict,
    /// Numbers that were compared.
    pub compared: usize,
    /// Numbers that differ.
    pub differ: usize,
    /// The largest differences, largest first.
    pub worst: Vec<Difference>,
    /// Series that only the new side has.
    pub only_new: usize,
    /// Buckets whose counts are estimated and therefore not compared.
    pub estimated: Option<Estimated>,
    /// What the packs say about a missing family or series.
    pub hints: Vec<String>,
}

/// Whether the two sides of a family agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every number is equal.
    Equal,
    /// Every number is equal within the tolerance.
    Close,
    /// A gauge that both sides have. Gauges change from one moment to the next, so values are not
    /// compared.
    Present,
    /// A number differs, or a series is missing.
    Different,
    /// The new side does not have the family.
    Missing,
    /// Only the new side has the family, although the old generation can have it.
    Extra,
    /// Excluded by [`Options::ignore`](super::Options::ignore).
    Ignored,
}

impl Verdict {
    /// False for [`Different`](Verdict::Different) and [`Missing`](Verdict::Missing).
    #[must_use]
    pub fn agrees(self) -> bool {
        !matches!(self, Verdict::Different | Verdict::Missing)
    }

    /// The word in tables. Capital letters mark what does not agree.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Equal => "equal",
            Verdict::Close => "close",
            Verdict::Present => "present",
            Verdict::Different => "DIFFERENT",
            Verdict::Missing => "MISSING",
            Verdict::Extra => "extra",
            Verdict::Ignored => "ignored",
        }
    }
}

/// Two numbers that should be equal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The series; for totals, the name of the summed series.
    pub series: String,
    /// The number of the old side, if it has one.
    pub old: Option<f64>,
    /// The number of the new side, if it has one.
    pub new: Option<f64>,
    /// The difference as a fraction of the larger number; 1 if one is missing.
    pub deviation: f64,
}

/// Bucket counts at boundaries that only one generation has. They are estimates and not compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimated {
    /// The boundaries, ascending.
    pub boundaries: Vec<f64>,
    /// Number of bucket counts.
    pub compared: usize,
    /// The largest difference that was found, as a fraction of all observations of the series.
    pub worst_deviation: f64,
    /// The largest error that an estimate can have, as a fraction of all observations of its series.
    pub max_error: f64,
    /// The same for a sum over all series, as a fraction of all observations.
    pub max_error_of_sum: f64,
}

/// Why two sides cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The packs cannot be compiled.
    #[error(transparent)]
    Packs(#[from] Diagnostics),
    /// The rewriter refused a side.
    #[error("{side}: {error}")]
    Rewrite {
        /// Name of the side.
        side: String,
        /// Why.
        error: rewrite::exposition::Error,
    },
    /// A side has no samples.
    #[error("{0} has no samples: it must be the response of a metrics endpoint")]
    Empty(String),
    /// The sides are in the wrong order.
    #[error("{old} is of the new generation and {new} of the old one: name the old side first")]
    Swapped {
        /// What was named as the old side.
        old: String,
        /// What was named as the new side.
        new: String,
    },
    /// Both sides are of the generation that only one side is rewritten to.
    #[error(
        "{old} and {new} are both of the {generation} generation; compare them with \
         --emit={generation}"
    )]
    SameGeneration {
        /// The old side.
        old: String,
        /// The new side.
        new: String,
        /// Their generation, which is not the one they were to be compared in.
        generation: &'static str,
    },
}
