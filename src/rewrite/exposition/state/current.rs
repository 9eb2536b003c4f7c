//! The family and label set at hand, and what was decided of them.

use crate::mapping::plan::exposition::RuleId;
use crate::rewrite::exposition::families::FamilyId;
use crate::rewrite::exposition::gathered::series::{HistogramPart, SeriesSlot};
use crate::rewrite::exposition::labels::LabelTransform;

/// The family and label set at hand: decided once, good for all samples that share them.
#[derive(Debug, Default)]
pub(in crate::rewrite::exposition) struct Current {
    /// Empty where the next sample's name has to be looked up whatever it is.
    pub(in crate::rewrite::exposition) name: Vec<u8>,
    pub(in crate::rewrite::exposition) family: FamilyId,
    pub(in crate::rewrite::exposition) part: Option<HistogramPart>,
    /// No pack names the family: its samples pass.
    pub(in crate::rewrite::exposition) plain: bool,
    pub(in crate::rewrite::exposition) deduplicated: bool,
    /// The label names, in order; what follows is made for them.
    pub(in crate::rewrite::exposition) names: Vec<Box<[u8]>>,
    pub(in crate::rewrite::exposition) renderings: Vec<Rendering>,
    /// How many labels, from the first, make the label set that was decided on.
    pub(in crate::rewrite::exposition) labels: usize,
    /// The sample leaves as it came.
    pub(in crate::rewrite::exposition) keep: bool,
    /// The sample leaves in no shape at all, for this reason.
    pub(in crate::rewrite::exposition) dropped: Option<&'static str>,
    /// Rules that read the sample and could not be carried out, and why.
    pub(in crate::rewrite::exposition) refused: Vec<(RuleId, &'static str)>,
    pub(in crate::rewrite::exposition) actions: Vec<Action>,
    /// What the next sample may do without a decision of its own.
    pub(in crate::rewrite::exposition) fast_path: FastPath,
    /// What the samples of a ladder that leaves under another name begin with, up to the value of `le`.
    pub(in crate::rewrite::exposition) rendered_prefix: Vec<u8>,
}

/// What a sample that shares enough with the one before (`Sample::shared`) does like it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::rewrite::exposition) enum FastPath {
    /// Everything has to be looked at again.
    #[default]
    Unknown,
    /// With as much as this in common, it passes.
    Passes(usize),
    /// It is the next bucket of the ladder that one rule reads, into this hold.
    Bucket(RuleId, usize),
    /// It is the next bucket of a ladder that leaves at once: behind [`Current::head`].
    Renamed(RuleId),
}

/// How label sets of one sequence of names are rendered by one rule.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Rendering {
    pub(in crate::rewrite::exposition) rule: RuleId,
    pub(in crate::rewrite::exposition) target: RenderTarget,
    pub(in crate::rewrite::exposition) transform: LabelTransform,
    /// Where the label set that was rendered last is held.
    pub(in crate::rewrite::exposition) place: Option<(usize, SeriesSlot)>,
    /// The first label that has changed since.
    pub(in crate::rewrite::exposition) changed: usize,
}

/// What a label set is rendered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rewrite::exposition) enum RenderTarget {
    /// A line that leaves at once.
    Line,
    /// A label set that is held.
    Series,
    /// The label set of another rule's total, of which this sample is a part.
    Total,
}

/// What one rule does with a sample.
#[derive(Clone, Copy, Debug)]
pub(in crate::rewrite::exposition) enum Action {
    /// It leaves at once under another name: that of this family, its labels rendered so.
    Rename(RuleId, FamilyId, usize),
    /// It is held.
    Scalar(RuleId, usize, SeriesSlot),
    /// It is held as part of a ladder.
    Histogram(RuleId, usize, SeriesSlot),
    /// It is held as a part of another rule's total.
    PartOfTotal(usize, SeriesSlot),
}
