//! What the first reading of an exposition has found out.

use std::collections::HashMap;
use std::sync::Arc;

use crate::rewrite::exposition::gathered::SeriesRef;

/// Into which series the samples of an exposition are gathered. That is known only at the end of
/// the exposition, and the explanation of a line names the series.
#[derive(Debug, Default)]
pub struct Outline {
    /// One for each stage of the plan: packs that follow each other, and what packs reduce.
    pub(super) stages: Vec<StageOutline>,
}

/// The outline of one stage.
#[derive(Debug, Default)]
pub struct StageOutline {
    /// The gathered series, in the order in which they are written.
    pub(super) series: Vec<SeriesName>,
    /// Where the series that samples are gathered into is in that list.
    pub(super) index_of: HashMap<SeriesRef, usize>,
    /// There are lines to explain.
    pub(super) has_lines: bool,
}

/// The name of a series that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesName {
    /// The family.
    pub family: Arc<str>,
    /// The labels, as they are written.
    pub labels: Box<str>,
}

impl Outline {
    /// The stages, from the one that reads the exposition. There is at least one.
    #[must_use]
    pub fn stages(&self) -> &[StageOutline] {
        &self.stages
    }
}

impl StageOutline {
    /// The gathered series that are explained, in the order in which they are written.
    /// [`Then::Gathered`](super::Then::Gathered) has indexes in this list.
    #[must_use]
    pub fn series(&self) -> &[SeriesName] {
        &self.series
    }

    /// True if there is no line and no series to explain.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.has_lines && self.series.is_empty()
    }
}

/// Whether a metric name is that of a family, or of a part of it.
pub(super) fn is_of_family(name: &str, family: &str) -> bool {
    let suffix = name.strip_prefix(family);
    suffix.is_some_and(|suffix| ["", "_bucket", "_sum", "_count"].contains(&suffix))
}
