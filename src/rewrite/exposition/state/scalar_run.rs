//! What is done with a run of samples: see [`runs`](super::runs).

use super::current::{Action, RenderingId};
use crate::mapping::plan::exposition::RuleId;
use crate::rewrite::exposition::gathered::{GatheredId, SeriesSlot};
use crate::rewrite::exposition::label_transform::RenderedLabels;

/// What is done with samples that differ only in the value of their last label.
#[derive(Debug, Default)]
pub(super) struct ScalarRun {
    /// The fields below are those of the current label names.
    pub(super) is_known: bool,
    /// Where they are gathered. Empty if they only pass.
    pub(super) additions: Vec<Addition>,
    /// They are output unchanged.
    pub(super) forward: bool,
    /// The hash of their family's name, if rules write that family too and must not repeat a series.
    pub(super) written: Option<u64>,
    /// Where the last label begins in their lines.
    pub(super) label_at: usize,
    /// The hash of the other labels.
    pub(super) others: u64,
    /// At most how many bytes are needed to remember one of them, in addition to the value of its
    /// last label in each label set.
    pub(super) bytes: usize,
}

/// A number that is added to.
#[derive(Debug)]
pub(super) struct Addition {
    pub(super) rule: RuleId,
    /// The rule that is reported. `None`: the number is a part of the rule's total.
    pub(super) reported: Option<RuleId>,
    pub(super) id: GatheredId,
    /// Where the current sample is added.
    pub(super) slot: SeriesSlot,
    /// How the label set of each sample is rendered. `None` if all have the same.
    pub(super) each: Option<LabelsOfEach>,
}

/// The label set of each sample, with another value of the last label.
#[derive(Debug)]
pub(super) struct LabelsOfEach {
    pub(super) rendering: RenderingId,
    pub(super) labels: RenderedLabels,
    /// Where the value begins.
    pub(super) value_at: usize,
    /// What follows the value.
    pub(super) after: Vec<u8>,
    /// The hash without the last label.
    pub(super) others: u64,
}

impl ScalarRun {
    /// The samples that follow have other label names, or belong to another family.
    pub(super) fn forget(&mut self) {
        self.is_known = false;
    }

    /// Whether a verdict asks for the same.
    pub(super) fn is_for(&self, forward: bool, actions: &[Action]) -> bool {
        let same = |(addition, action): (&Addition, &Action)| match *action {
            Action::Scalar(rule, _) => addition.rule == rule && addition.reported.is_some(),
            Action::PartOfTotal(rule, _) => addition.rule == rule && addition.reported.is_none(),
            Action::Rename(..) | Action::Histogram(..) => false,
        };
        self.is_known
            && self.forward == forward
            && self.additions.len() == actions.len()
            && self.additions.iter().zip(actions).all(same)
    }
}

impl LabelsOfEach {
    pub(super) fn new(rendering: RenderingId, after: Vec<u8>) -> LabelsOfEach {
        let labels = RenderedLabels::default();
        LabelsOfEach { rendering, labels, value_at: 0, after, others: 0 }
    }
}
