//! What packs do not say and the operator does.

use std::collections::BTreeMap;

use super::generation::{BucketPolicy, Emit};
use crate::statsd::Dialect;

/// What is not said by packs: the operator's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The generation(s) that leave.
    pub emit: Emit,
    /// Boundaries of converted histograms.
    pub buckets: BucketPolicy,
    /// Values for labels that the generation read does not have, by label. An empty value is written as
    /// an empty value.
    pub fill: BTreeMap<String, String>,
}

impl Settings {
    /// Every choice but the emitted generation at its default.
    #[must_use]
    pub fn new(emit: Emit) -> Settings {
        Settings { emit, buckets: BucketPolicy::default(), fill: BTreeMap::new() }
    }
}

/// What is not said by packs: the operator's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsdSettings {
    /// The generation(s) that leave.
    pub emit: Emit,
    /// The prefixes that names have, in place of the packs'. `{x}` is a segment that varies.
    pub prefixes: Vec<String>,
    /// Write the new generation with tags where that is exact: a line for a line.
    pub tags: Option<Dialect>,
}

impl StatsdSettings {
    /// Every choice but the emitted generation at its default.
    #[must_use]
    pub fn new(emit: Emit) -> StatsdSettings {
        StatsdSettings { emit, prefixes: Vec::new(), tags: None }
    }
}
