//! The plan: packs compiled for one emitted generation.
//!
//! A [`Plan`] answers one question quickly: *what becomes of a sample of this family?* It is built by
//! [`compile`](crate::mapping::compile()) and cannot be invalid: every rule's output exists, every ladder is
//! ascending, every label name is legal. The engine walks it and adds nothing of its own.

use std::collections::HashMap;

use crate::mapping::boundary::Boundary;
use crate::mapping::generation::{BucketPolicy, Generation, Merge};

/// Index into [`Plan::rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);

/// Index into [`Plan::outputs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutputId(pub u32);

/// Index into [`Plan::references`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReferenceId(pub u32);

/// Packs compiled for one emitted generation.
#[derive(Debug, Default)]
pub struct Plan {
    /// What becomes of each family that some entry names, by the name it arrives under.
    pub families: HashMap<Box<[u8]>, FamilyPlan>,
    /// Every rule, in the order of the packs' entries.
    pub rules: Vec<Rule>,
    /// Every family that rules write, in the order in which gathered ones leave.
    pub outputs: Vec<Output>,
    /// Every family that decides where others go (`only_with`).
    pub references: Vec<ReferenceFamily>,
    /// What packs know that a source prints, whichever generation it speaks.
    pub expected: Vec<Expected>,
}

/// What becomes of one arriving family.
#[derive(Clone, Debug, Default)]
pub struct FamilyPlan {
    /// Rules that may apply to a sample, in the order to try them. The first that matches applies;
    /// trying goes on behind a rule that says [`Rule::also`]. None matching: the sample passes.
    pub rules: Vec<RuleId>,
    /// The source prints the family more than once: only the first of equal series leaves.
    pub once: bool,
    /// The family's label sets decide where other families go.
    pub reference: Option<ReferenceId>,
    /// Some rule writes a family of this name: a written series must not repeat an arrived one.
    pub written: bool,
    /// A pack says that it is a histogram, whether or not a `# TYPE` does.
    pub histogram: bool,
    /// The generation that the family's name alone betrays.
    pub generation: Option<Generation>,
}

/// One pack entry, seen in one direction.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, in any combination")]
pub struct Rule {
    /// The entry for people, read → written: `time{type="x"} -> x_time{zone}`.
    pub title: String,
    /// Where the entry stands: `pack name:line`.
    pub source: String,
    /// The family it reads.
    pub from: Box<[u8]>,
    /// The family it writes.
    pub to: OutputId,
    /// Which samples of the family it applies to.
    pub when: Match,
    /// What becomes of their labels.
    pub labels: LabelEdits,
    /// How equal series are joined.
    pub kind: Kind,
    /// Samples may leave while the body is still arriving: nothing is joined, split or shared.
    pub stream: bool,
    /// The sample also leaves as it came (`emit: both`).
    pub keep: bool,
    /// Rules behind this one are tried too: another entry reads the same samples on purpose.
    pub also: bool,
    /// Samples read here are already counted in this rule's input too, which therefore leaves as the difference.
    pub part_of: Option<PartOf>,
    /// What leaves is the total less its parts ([`Rule::part_of`] of other rules points here), and never goes down.
    pub remainder: bool,
    /// Held label sets that a reference knows go to another output instead. First match wins.
    pub redirects: Vec<Redirect>,
}

/// A label's name with its value, or with another name.
pub type Pair = (Box<[u8]>, Box<[u8]>);

/// Conditions on a sample's labels. A label with an empty value counts as absent, as it does in Prometheus.
#[derive(Debug, Default)]
pub struct Match {
    /// `label="text"`: present with exactly this (unescaped) value.
    pub equal: Vec<Pair>,
    /// `label=$x`: present and not empty.
    pub present: Vec<Box<[u8]>>,
    /// At least one of these is present (when not empty). Both sides share one family name, and these
    /// labels tell that the sample still has the shape to be left behind.
    pub any_of: Vec<Box<[u8]>>,
    /// None of these is present: they tell that the sample already has the emitted shape.
    pub none_of: Vec<Box<[u8]>>,
}

/// What becomes of the labels of a sample. Labels not named here pass through, in place.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LabelEdits {
    /// Left out.
    pub drop: Vec<Box<[u8]>>,
    /// Renamed in place: (from, to).
    pub rename: Vec<Pair>,
    /// Added behind the others (before `le`): (name, unescaped value).
    pub append: Vec<Pair>,
    /// Added likewise, where the sample does not have the label already.
    pub fill: Vec<Pair>,
}

impl LabelEdits {
    /// True when labels leave exactly as they came.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.drop.is_empty()
            && self.rename.is_empty()
            && self.append.is_empty()
            && self.fill.is_empty()
    }
}

/// How series that become equal are joined.
#[derive(Debug, Clone)]
pub enum Kind {
    /// As the family's `# TYPE` says: counters and untyped samples are summed, histograms are summed
    /// bucket by bucket. A gauge is not joined without being told how: it passes, and is reported.
    Typed,
    /// A gauge, joined as told.
    Gauge(Merge),
    /// A histogram with known boundaries on both sides.
    Histogram(BucketLayouts),
}

/// Bucket boundaries of both sides, ascending, without `+Inf`.
#[derive(Debug, Clone, Default)]
pub struct BucketLayouts {
    /// The boundaries that the generation read is known to have.
    pub read: Vec<f64>,
    /// The boundaries that the generation written has, spelled as it spells them.
    pub write: Vec<Boundary>,
    /// What to write.
    pub policy: BucketPolicy,
}

/// A part that is already counted in another rule's input.
#[derive(Debug)]
pub struct PartOf {
    /// The rule that reads the total.
    pub total: RuleId,
    /// Labels (as read) that the total does not have.
    pub without: Vec<Box<[u8]>>,
}

/// A second output, for label sets that a reference knows.
#[derive(Debug)]
pub struct Redirect {
    /// The entry for people, as in [`Rule::title`].
    pub title: String,
    /// Where the entry stands, as in [`Rule::source`].
    pub source: String,
    /// Who knows.
    pub reference: ReferenceId,
    /// Where those label sets go. Their labels and ladders are those of the rule.
    pub to: OutputId,
}

/// A family whose label sets decide where others go.
#[derive(Debug)]
pub struct ReferenceFamily {
    /// The labels that are compared.
    pub on: Vec<Box<[u8]>>,
}

/// What a source prints in one generation or the other. Where one of the two came, nothing is missing.
#[derive(Debug)]
pub struct Expected {
    /// What a source of the older generation prints.
    pub old: Option<Input>,
    /// What a source of the newer generation prints.
    pub new: Option<Input>,
}

/// Samples that packs know a source to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The family.
    pub family: Box<[u8]>,
    /// Which samples of it: `time{type="x"}`, as an entry says it without what it says of other labels.
    pub selector: String,
    /// Rules that read exactly these samples. Where there are none, the family is all that can be told of.
    pub rules: Vec<RuleId>,
    /// Why the family may not occur, and what to do.
    pub without_family: Option<String>,
    /// Why the family may occur without these samples.
    pub without_samples: Option<String>,
}

/// A family that rules write.
#[derive(Debug)]
pub struct Output {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its help text (unescaped), where a pack gives one. Otherwise the text of the family read.
    pub help: Option<Box<str>>,
    /// Rules that write it, redirects included, in the order of the entries.
    pub rules: Vec<RuleId>,
}

impl Expected {
    /// What a source of this generation prints.
    #[must_use]
    pub fn side(&self, generation: Generation) -> Option<&Input> {
        match generation {
            Generation::Old => self.old.as_ref(),
            Generation::New => self.new.as_ref(),
        }
    }
}

impl Plan {
    /// The rule behind an id.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.0 as usize]
    }

    /// The output behind an id.
    #[must_use]
    pub fn output(&self, id: OutputId) -> &Output {
        &self.outputs[id.0 as usize]
    }
}
