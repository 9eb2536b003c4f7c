//! The operator's settings for compiling packs.

use std::collections::BTreeMap;

use super::generation::{BucketPolicy, Emit, NotCounted};
use crate::statsd::Dialect;

/// Settings for expositions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The generation(s) in the output.
    pub emit: Emit,
    /// Boundaries of converted histograms.
    pub buckets: BucketPolicy,
    /// What to do with samples of a kind that the emitted generation does not count.
    pub not_counted: NotCounted,
    /// Values by label, for labels that the input generation lacks. An empty value is written as an
    /// empty value.
    pub fill: BTreeMap<String, String>,
    /// Drop and aggregate what packs list under `reduce`.
    pub reduce: bool,
}

impl Settings {
    /// The defaults, for this emitted generation.
    #[must_use]
    pub fn new(emit: Emit) -> Settings {
        Settings {
            emit,
            buckets: BucketPolicy::default(),
            not_counted: NotCounted::default(),
            fill: BTreeMap::new(),
            reduce: true,
        }
    }
}

/// Settings for `StatsD` lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsdSettings {
    /// The generation(s) in the output.
    pub emit: Emit,
    /// Prefixes of names, in place of those in packs. `{x}` is a variable segment.
    pub prefixes: Vec<String>,
    /// Write the new generation with tags where that is exact, one line for each line.
    pub tags: Option<Dialect>,
}

impl StatsdSettings {
    /// The defaults, for this emitted generation.
    #[must_use]
    pub fn new(emit: Emit) -> StatsdSettings {
        StatsdSettings { emit, prefixes: Vec::new(), tags: None }
    }
}
