//! The plan for expositions: packs compiled for one emitted generation.
//!
//! A [`Plan`] says how the samples of each family are rewritten. Only
//! [`compile`](crate::mapping::compile()) builds it, so it cannot be invalid: the output of every
//! rule exists, bucket boundaries are ascending, label names are legal.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

pub use super::patterns::{LabelSigns, PatternMatch, PatternRule, Patterns};
pub use super::rule_id::RuleId;
use crate::exposition::MetricType;
use crate::mapping::boundary::Boundary;
use crate::mapping::edition::EditionName;
use crate::mapping::family_pattern::FamilyPattern;
use crate::mapping::generation::{BucketPolicy, Generation, Merge};
use crate::mapping::plan::label_text::LabelText;
use crate::mapping::plan::value_edit::ValueEdit;
use crate::mapping::scale::Scale;

/// Index into [`Plan::outputs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutputId(pub u32);

/// Index into [`Plan::references`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReferenceId(pub u32);

/// Packs compiled for one emitted generation.
#[derive(Debug, Default)]
pub struct Plan {
    /// How each family named by a rule is rewritten, by the family's name in the input.
    pub families: HashMap<Box<[u8]>, FamilyPlan>,
    /// Every rule, in the order of the packs.
    pub rules: Vec<Rule>,
    /// Every family that rules write. Gathered families are written in this order.
    pub outputs: Vec<Output>,
    /// Every family that decides how others are rewritten (`only_with`).
    pub references: Vec<ReferenceFamily>,
    /// What a target exposes according to the packs, for each generation.
    pub expected: Vec<ExpectedMetric>,
    /// The packs that it was compiled from.
    pub packs: Vec<PackFamilies>,
    /// The editions of each family that has several layouts in its generation.
    pub editions: Vec<FamilyEditions>,
    /// Rules for families that no rule names. The rules and outputs that they refer to are listed
    /// after all others; they have patterns in place of names.
    pub patterns: Patterns,
    /// Samples that are not written, of families that are given by patterns.
    pub dropped: Vec<(FamilyPattern, Match)>,
    /// The generation that is emitted. `None`: both, or there is no generation.
    pub emitted: Option<Generation>,
    /// The plan of the next stage, which rewrites the output of this one.
    pub next: Option<Arc<Plan>>,
    /// This stage drops and aggregates what the stages before it have written. Its rules read and
    /// write the same families.
    pub is_reduction: bool,
}

/// The bucket layouts of a family whose editions differ.
#[derive(Debug)]
pub struct FamilyEditions {
    /// The generation that they are editions of.
    pub generation: Generation,
    /// The edition that is written for samples of the other generation. `None` if the written
    /// buckets are not those of an edition.
    pub written: Option<EditionName>,
    /// Each edition with its layout, the oldest first.
    pub layouts: Vec<(EditionName, Vec<Boundary>)>,
}

/// A pack, and the families by which its targets are recognised.
#[derive(Debug, Default)]
pub struct PackFamilies {
    /// The pack's name.
    pub name: String,
    /// Families of either generation that the pack names.
    pub families: BTreeSet<Box<[u8]>>,
    /// Rules of [`Plan::patterns`] that are the pack's, by index.
    pub patterns: Vec<usize>,
}

/// How one family of the input is rewritten.
#[derive(Clone, Debug, Default)]
pub struct FamilyPlan {
    /// Rules that may match a sample, in the order to try them. The first match applies; after a
    /// rule with [`Rule::also`], later rules are tried too. A sample that no rule matches is
    /// unchanged.
    pub rules: Vec<RuleId>,
    /// The target exposes the family more than once: only the first of equal series is written.
    pub deduplicated: bool,
    /// The family's label sets decide how other families are rewritten.
    pub reference: Option<ReferenceId>,
    /// A rule writes a family of this name, so a written series must not repeat one of the input.
    pub written: bool,
    /// The family is a histogram according to a pack, whether or not it has a `# TYPE`.
    pub histogram: bool,
    /// Samples that the written generation does not count: those that have all labels of one of
    /// these lists, with exactly these values. No rule is applied to them.
    pub not_counted: Vec<Vec<Pair>>,
    /// Samples that are not written. No rule is applied to them.
    pub dropped: Vec<Match>,
    /// The generation, if the family's name identifies it.
    pub generation: Option<Generation>,
    /// Index into [`Plan::patterns`] of the pattern of the family, if labels tell the generation of
    /// its samples.
    pub told_by_labels: Option<usize>,
    /// Index into [`Plan::editions`], if the family has several layouts in its generation.
    pub editions: Option<usize>,
}

/// A pack rule, compiled for one direction.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent properties, in any combination")]
pub struct Rule {
    /// The rule as shown to users, read → written: `time{type="x"} -> x_time{zone}`.
    pub title: String,
    /// The location of the pack rule: `pack name:line`.
    pub source: String,
    /// The family that it reads.
    pub from: Box<[u8]>,
    /// The family that it writes.
    pub to: OutputId,
    /// Which samples of the family it matches.
    pub when: Match,
    /// How the labels are rewritten.
    pub labels: LabelEdits,
    /// How series that become equal are merged.
    pub kind: Kind,
    /// The factor from values read to values written. Counts of histograms have none; their sums and
    /// boundaries have it.
    pub scale: Option<Scale>,
    /// The type read and the type written, if they differ. Input of any other type keeps it.
    pub types: Option<(MetricType, MetricType)>,
    /// Samples can be written before the end of the input: nothing is merged, converted or shared.
    pub stream: bool,
    /// Series that differ when they are read differ when they are written, also from those of other
    /// rules. So gauges need no method of merging.
    pub distinct: bool,
    /// The sample is also written unchanged (`emit: both`).
    pub keep: bool,
    /// The samples read are of the written generation already. Only their buckets are converted,
    /// from those of another edition.
    pub same_generation: bool,
    /// Later rules are tried too, because another pack rule reads the same samples on purpose.
    pub also: bool,
    /// The rule only adds a family. Without another rule that applies, the sample passes too.
    pub derived: bool,
    /// The samples read are also counted in another rule's input, which is written as the
    /// difference.
    pub part_of: Option<PartOf>,
    /// The output is the total minus its parts ([`Rule::part_of`] of other rules refers to this
    /// rule), and never decreases.
    pub remainder: bool,
    /// Gathered label sets that a reference family contains have another output. The first match
    /// wins.
    pub redirects: Vec<Redirect>,
}

/// A label's name with its value, or with another name.
pub type Pair = (Box<[u8]>, Box<[u8]>);

/// Conditions on a sample's labels. A label with an empty value counts as absent, as it does in
/// Prometheus.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// `label="text"`: present with exactly this value, escaped as in an exposition.
    pub equal: Vec<Pair>,
    /// `label=$x`: present and not empty.
    pub present: Vec<Box<[u8]>>,
    /// At least one of these is present, unless the list is empty. If both sides have the same
    /// family name, these labels show that the sample has the shape that is read.
    pub any_of: Vec<Box<[u8]>>,
    /// None of these is present: they show that the sample already has the emitted shape.
    pub none_of: Vec<Box<[u8]>>,
    /// `label="text$x"`, a `$x` of several labels, or one that is translated: with values that are
    /// accepted.
    pub values: Vec<Arc<ValueEdit>>,
    /// None of these labels has such a value: they show that the sample has the emitted shape.
    pub not_values: Vec<LabelText>,
}

impl Match {
    /// Whether it depends on the value of this label, and not only on whether it is empty.
    #[must_use]
    pub fn depends_on_value(&self, label: &[u8]) -> bool {
        let values = self.values.iter().flat_map(|edit| &edit.read);
        self.equal.iter().any(|(name, _)| **name == *label)
            || values.chain(&self.not_values).any(|text| *text.label == *label)
    }
}

/// How the labels of a sample are rewritten. Labels not named here are copied, in place.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LabelEdits {
    /// Removed.
    pub drop: Vec<Box<[u8]>>,
    /// If there is a list, all labels that are not in it are removed. `le` and `quantile` are kept.
    pub keep_only: Option<Vec<Box<[u8]>>>,
    /// Renamed in place: (from, to).
    pub rename: Vec<Pair>,
    /// Labels whose values are rewritten. They are written in place of those that they are made of.
    pub values: Vec<Arc<ValueEdit>>,
    /// Added after the others (before `le`): (name, unescaped value).
    pub append: Vec<Pair>,
    /// Added likewise, unless the sample already has the label.
    pub fill: Vec<Pair>,
}

impl Rule {
    /// The type that is written for input of a type.
    #[must_use]
    pub fn written_type(&self, declared: Option<MetricType>) -> Option<MetricType> {
        match self.types {
            Some((read, written)) if declared == Some(read) => Some(written),
            _ => declared,
        }
    }
}

impl LabelEdits {
    /// True if labels are copied unchanged.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.drop.is_empty()
            && self.keep_only.is_none()
            && self.rename.is_empty()
            && self.values.is_empty()
            && self.append.is_empty()
            && self.fill.is_empty()
    }
}

/// How series that become equal are merged.
#[derive(Debug, Clone)]
pub enum Kind {
    /// By the family's `# TYPE`: counters and untyped samples are summed, histograms are summed
    /// bucket by bucket. A gauge is not merged without a method: it is written unchanged and
    /// reported.
    Typed,
    /// A gauge, merged by this method.
    Gauge(Merge),
    /// By the family's `# TYPE`. Gauges, and samples without a type, are merged by this method.
    TypedOrGauge(Merge),
    /// A histogram with known bucket boundaries on both sides.
    Histogram(BucketLayouts),
}

/// Bucket boundaries of both sides, ascending, without `+Inf`.
#[derive(Debug, Clone, Default)]
pub struct BucketLayouts {
    /// The boundaries of the generation read, of all its editions.
    pub read: Vec<f64>,
    /// The boundaries of each of its editions. A histogram has those of one of them.
    pub read_by_edition: Vec<Vec<f64>>,
    /// The boundaries of the generation written, spelled as it spells them.
    pub write: Vec<Boundary>,
    /// Which of them to write.
    pub policy: BucketPolicy,
}

/// A rule whose samples are also counted in another rule's input.
#[derive(Debug)]
pub struct PartOf {
    /// The rule that reads the total.
    pub total: RuleId,
    /// Labels, as read, that the total does not have.
    pub without: Vec<Box<[u8]>>,
}

/// Another output, for label sets that a reference family contains.
#[derive(Debug)]
pub struct Redirect {
    /// The rule as shown to users, see [`Rule::title`].
    pub title: String,
    /// The location of the pack rule, see [`Rule::source`].
    pub source: String,
    /// The reference family.
    pub reference: ReferenceId,
    /// The output of those label sets. Label edits and buckets are those of the rule.
    pub to: OutputId,
}

/// A family whose label sets decide how other families are rewritten.
#[derive(Debug)]
pub struct ReferenceFamily {
    /// The labels that are compared.
    pub on: Vec<Box<[u8]>>,
}

/// Samples that a target exposes in one generation or the other. They are missing if neither
/// occurs.
#[derive(Debug)]
pub struct ExpectedMetric {
    /// Index into [`Plan::packs`] of the pack that expects it.
    pub pack: usize,
    /// What a target of the older generation exposes.
    pub old: Option<ExpectedSamples>,
    /// What a target of the newer generation exposes.
    pub new: Option<ExpectedSamples>,
    /// How the samples are recognised.
    pub by: Evidence,
}

/// By what expected samples are known to have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// One of their rules has read a sample. Without rules, a sample of the family.
    Rules,
    /// A sample of the family.
    Family,
    /// A family of the pattern with this index in [`Plan::patterns`].
    Pattern(usize),
}

/// Samples that a target exposes according to the packs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedSamples {
    /// The family.
    pub family: Box<[u8]>,
    /// The samples as a `PromQL` selector: `time{type="x", service!=""}`.
    pub selector: String,
    /// Rules that read these samples.
    pub rules: Vec<RuleId>,
    /// Why the family can be missing, and what to do.
    pub without_family: Option<MissingHint>,
    /// Why the family can occur without these samples.
    pub without_samples: Option<MissingHint>,
}

/// A pack's explanation for missing samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingHint {
    /// Why they can be missing, and what to do.
    pub say: String,
    /// The option of the target that enables them.
    pub option: Option<String>,
    /// A healthy target can lack them.
    pub optional: bool,
}

/// A family that rules write.
#[derive(Debug)]
pub struct Output {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its help text (unescaped), if a pack defines one. Otherwise that of the family read is
    /// written.
    pub help: Option<Box<str>>,
    /// Rules that write it, redirects included, in the order of the packs.
    pub rules: Vec<RuleId>,
}

impl ExpectedMetric {
    /// What a target of this generation exposes.
    #[must_use]
    pub fn side(&self, generation: Generation) -> Option<&ExpectedSamples> {
        match generation {
            Generation::Old => self.old.as_ref(),
            Generation::New => self.new.as_ref(),
        }
    }
}

impl Plan {
    /// This stage and those after it.
    pub fn stages(&self) -> impl Iterator<Item = &Plan> {
        std::iter::successors(Some(self), |plan| plan.next.as_deref())
    }

    /// The rule with this id.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.0 as usize]
    }

    /// Of several editions that are emitted, the newest one that all targets can be converted to
    /// without estimates: whose boundaries all others have. If there is none, the oldest.
    #[must_use]
    pub fn exact_edition(&self, among: &BTreeSet<EditionName>) -> Option<EditionName> {
        let families = || self.stages().flat_map(|stage| &stage.editions);
        let all = || families().flat_map(|family| family.layouts.iter());
        let has = |layout: &[Boundary], bound: f64| {
            layout.iter().any(|it| it.bound.total_cmp(&bound).is_eq())
        };
        let is_exact = |name: &&EditionName| {
            families().all(|family| {
                let others = || family.layouts.iter().filter(|(its, _)| among.contains(its));
                let own = family.layouts.iter().find(|(its, _)| its == *name);
                own.is_none_or(|(_, own)| {
                    own.iter().all(|it| others().all(|(_, other)| has(other, it.bound)))
                })
            })
        };
        // In the order of the packs, which need not be that of the names.
        let mut order: Vec<EditionName> = Vec::new();
        for (name, _) in all().filter(|(name, _)| among.contains(name)) {
            if !order.contains(name) {
                order.push(*name);
            }
        }
        let exact = order.iter().rev().find(is_exact).copied();
        exact.or_else(|| order.first().copied())
    }

    /// Identifies the value of a rule that writes a difference ([`Rule::remainder`]): what it reads and
    /// writes, what is subtracted, and what is not counted. The same text in another plan means the same
    /// value.
    #[must_use]
    pub fn remainder_identity(&self, id: RuleId) -> String {
        let mut text = self.rule(id).title.clone();
        for part in &self.rules {
            if let Some(PartOf { without, .. }) = part.part_of.as_ref().filter(|it| it.total == id)
            {
                write!(text, " minus {} without {without:?}", part.title)
                    .expect("a String takes everything");
            }
        }
        if let Some(family) = self.families.get(&self.rule(id).from) {
            write!(text, " except {:?}", family.not_counted).expect("a String takes everything");
        }
        text
    }

    /// The output with this id.
    #[must_use]
    pub fn output(&self, id: OutputId) -> &Output {
        &self.outputs[id.0 as usize]
    }
}
