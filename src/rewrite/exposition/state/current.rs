//! The family and label set of the current sample, and the verdict on them.

use crate::mapping::plan::exposition::RuleId;
use crate::rewrite::exposition::families::FamilyId;
use crate::rewrite::exposition::family::HistogramPart;
use crate::rewrite::exposition::gathered::{GatheredId, SeriesRef};
use crate::rewrite::exposition::label_transform::LabelTransform;
use crate::rewrite::exposition::reason::{DropReason, RefusedBecause};

/// The family and label set of the current sample. Decided once, for all samples that share them.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one family")]
pub(super) struct Current {
    /// The sample name. Empty if the next sample's name must be looked up even if it is equal.
    pub(super) name: Vec<u8>,
    pub(super) family: FamilyId,
    /// The hash of the family's name, which is a part of the keys of its series.
    pub(super) family_hash: u64,
    pub(super) part: Option<HistogramPart>,
    /// No pack names the family: its samples pass.
    pub(super) plain: bool,
    /// No rule reads the family: its samples pass, unless a rule has written an equal series.
    pub(super) not_read: bool,
    /// Series are remembered, and only the first of equal ones is output.
    pub(super) deduplicated: bool,
    /// The timestamp of the current sample, in milliseconds.
    pub(super) timestamp: Option<i64>,
    /// The hash of its labels; of a bucket, without `le`.
    pub(super) source: u64,
    /// Number of labels.
    pub(super) labels: usize,
    /// The label names, in order, if rules read the family. The renderings are compiled for them.
    pub(super) label_names: Vec<Box<[u8]>>,
    pub(super) renderings: Vec<Rendering>,
    /// Number of leading labels covered by the current verdict. `usize::MAX`: all of them.
    pub(super) decided_labels: usize,
    pub(super) verdict: Verdict,
    /// Rules whose conditions match the label set and that could not be applied.
    pub(super) refused: Vec<(RuleId, RefusedBecause)>,
    pub(super) fast_path: FastPath,
    /// Samples of the family that are gathered as numbers have differed only in the value of their
    /// last label.
    pub(super) has_runs: bool,
    /// What the buckets of a renamed histogram begin with, up to the value of `le`.
    pub(super) rendered_prefix: Vec<u8>,
}

impl Current {
    /// The action of this index that the verdict asks for.
    #[inline]
    pub(super) fn action(&self, index: usize) -> Option<Action> {
        match &self.verdict {
            Verdict::Apply(decision) => decision.actions.get(index).copied(),
            Verdict::Pass | Verdict::Drop(_) => None,
        }
    }
}

/// What to do with the samples of a label set.
#[derive(Debug, Default)]
pub(super) enum Verdict {
    /// Output them unchanged.
    #[default]
    Pass,
    /// Do not output them in any form.
    Drop(DropReason),
    /// Apply the actions of rules.
    Apply(Decision),
}

/// The actions of rules.
#[derive(Debug)]
pub(super) struct Decision {
    /// The sample is also output unchanged.
    pub(super) forward: bool,
    pub(super) actions: Vec<Action>,
}

/// What one rule does with a sample.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// Write it at once under the name of this family.
    Rename(RuleId, FamilyId, RenderingId),
    /// Add it to a number.
    Scalar(RuleId, SeriesRef),
    /// Add it to a histogram.
    Histogram(RuleId, SeriesRef),
    /// Add it to the parts that are subtracted from another rule's total.
    PartOfTotal(RuleId, SeriesRef),
}

impl Action {
    /// The rule whose action it is.
    #[inline]
    pub(super) fn rule(self) -> RuleId {
        match self {
            Action::Rename(rule, ..)
            | Action::Scalar(rule, _)
            | Action::Histogram(rule, _)
            | Action::PartOfTotal(rule, _) => rule,
        }
    }
}

/// What to do with the next samples if they differ from the current one only in the value of their
/// last label, see [`Scanner::alike`](crate::exposition::Scanner::alike).
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum FastPath {
    /// Decide in full.
    #[default]
    None,
    /// They pass.
    Pass,
    /// They are buckets of a histogram that one rule gathers.
    Bucket { rule: RuleId, id: GatheredId, forward: bool },
    /// They are buckets of a histogram that is renamed: write them after
    /// [`Current::rendered_prefix`].
    Renamed(RuleId),
    /// They are sums or counts of the histograms whose buckets arrived before.
    SumOrCount,
    /// They are gathered as numbers: see [`ScalarRun`](super::scalar_run::ScalarRun).
    Scalars,
}

/// Index in [`Current::renderings`].
#[derive(Clone, Copy, Debug)]
pub(super) struct RenderingId(pub(super) usize);

/// How one rule renders label sets with the current label names.
#[derive(Debug)]
pub(super) struct Rendering {
    pub(super) rule: RuleId,
    pub(super) target: RenderTarget,
    pub(super) transform: LabelTransform,
    /// Where the label set that was rendered last is gathered.
    pub(super) series: Option<SeriesRef>,
    /// Index of the first label that has changed since.
    pub(super) changed: usize,
}

/// What a label set is rendered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RenderTarget {
    /// A line that is written at once.
    Line,
    /// A gathered series.
    Series,
    /// Another rule's total that the sample is subtracted from.
    Total,
}
