//! The family and label set at hand, and what was decided of them.

use crate::mapping::plan::exposition::RuleId;
use crate::rewrite::exposition::families::FamilyId;
use crate::rewrite::exposition::gathered::series::{Part, Slot};
use crate::rewrite::exposition::labels::LabelProgram;

/// The family and label set at hand: decided once, good for all samples that share them.
#[derive(Debug, Default)]
pub(in crate::rewrite::exposition) struct Now {
    /// Empty where the next sample's name has to be looked up whatever it is.
    pub(in crate::rewrite::exposition) name: Vec<u8>,
    pub(in crate::rewrite::exposition) family: FamilyId,
    pub(in crate::rewrite::exposition) part: Option<Part>,
    /// No pack names the family: its samples pass.
    pub(in crate::rewrite::exposition) plain: bool,
    pub(in crate::rewrite::exposition) once: bool,
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
    pub(in crate::rewrite::exposition) uses: Vec<Use>,
    /// What the next sample may do without a decision of its own.
    pub(in crate::rewrite::exposition) next: Next,
    /// What the samples of a ladder that leaves under another name begin with, up to the value of `le`.
    pub(in crate::rewrite::exposition) head: Vec<u8>,
}

/// What a sample that shares enough with the one before (`Sample::shared`) does like it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::rewrite::exposition) enum Next {
    /// Everything has to be looked at again.
    #[default]
    Unknown,
    /// With as much as this in common, it passes.
    Passes(usize),
    /// It is the next bucket of the ladder that one rule reads, into this hold.
    Bucket(RuleId, usize),
    /// It is the next bucket of a ladder that leaves at once: behind [`Now::head`].
    Renamed(RuleId),
}

/// How label sets of one sequence of names are rendered by one rule.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Rendering {
    pub(in crate::rewrite::exposition) rule: RuleId,
    pub(in crate::rewrite::exposition) role: Role,
    pub(in crate::rewrite::exposition) program: LabelProgram,
    /// Where the label set that was rendered last is held.
    pub(in crate::rewrite::exposition) place: Option<(usize, Slot)>,
    /// The first label that has changed since.
    pub(in crate::rewrite::exposition) changed: usize,
}

/// What a label set is rendered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rewrite::exposition) enum Role {
    /// A line that leaves at once.
    Line,
    /// A label set that is held.
    Set,
    /// The label set of another rule's total, of which this sample is a part.
    Total,
}

/// What one rule does with a sample.
#[derive(Clone, Copy, Debug)]
pub(in crate::rewrite::exposition) enum Use {
    /// It leaves at once under another name: that of this family, its labels rendered so.
    Stream(RuleId, FamilyId, usize),
    /// It is held.
    Value(RuleId, usize, Slot),
    /// It is held as part of a ladder.
    Ladder(RuleId, usize, Slot),
    /// It is held as a part of another rule's total.
    Part(usize, Slot),
}
