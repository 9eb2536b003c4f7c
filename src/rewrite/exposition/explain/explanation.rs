//! What an explanation contains.

use serde::Serialize;

use crate::rewrite::exposition::estimate::EstimatedCount;
use crate::rewrite::exposition::reason::{DropReason, RefusedBecause};

/// What happened to an exposition, line by line and series by series. Text that is not UTF-8 is
/// escaped.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// The input: samples, and lines that Prometheus would refuse, in order.
    pub lines: Vec<Line>,
    /// The gathered series, in the order in which they are written at the end.
    pub series: Vec<ExplainedSeries>,
    /// The complete output.
    pub output: Vec<u8>,
    /// The next stage, if packs follow each other or reduce the output. Its input are the lines that
    /// this one has written, and it has no `output` of its own.
    pub next: Option<Box<Explanation>>,
}

/// One line of the input.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// The line, without its newline.
    pub text: String,
    /// The family it belongs to. For a line that cannot be parsed: the name that it begins with.
    pub family: String,
    /// A rule writes this family, so an unchanged line already has the emitted shape.
    pub is_output: bool,
    /// Whether it is output, and how.
    pub fate: Fate,
    /// The rules that read it, and what they did.
    pub read_by: Vec<Reading>,
    /// If no rule reads it: the rules that read other samples of its family.
    pub not_read_by: Vec<String>,
}

/// Whether a line is output, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "reason")]
pub enum Fate {
    /// Output unchanged, and nothing else.
    Passed,
    /// Output unchanged, and rewritten by rules too.
    Kept,
    /// Output only as rules rewrite it.
    Rewritten,
    /// Not output.
    Dropped(DropReason),
    /// Prometheus would refuse it, and it is output anyway.
    Refused(DropReason),
}

/// What one rule did with a sample.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// The rule for display, read → written.
    pub title: String,
    /// Where the rule is: `pack:line`.
    pub source: String,
    /// What the rule did with the sample's labels.
    pub labels: Vec<LabelStep>,
    /// What the rule did with the sample.
    pub then: Then,
}

/// What a rule did with a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "did")]
pub enum LabelStep {
    /// Dropped it.
    Dropped {
        /// The label.
        label: String,
    },
    /// Renamed it.
    Renamed {
        /// The label.
        label: String,
        /// Its new name.
        to: String,
    },
    /// Gave it another value.
    Rewritten {
        /// The label.
        label: String,
        /// Its name then, often the same.
        to: String,
    },
    /// Added it, as required by the rule.
    Added {
        /// The label.
        label: String,
        /// Its value.
        value: String,
    },
    /// Added it, as set under `fill`.
    Filled {
        /// The label.
        label: String,
        /// Its value.
        value: String,
    },
}

/// What a rule did with a sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "became")]
pub enum Then {
    /// Wrote it at once as this line.
    Line {
        /// The line.
        text: String,
    },
    /// Gathered it into a series that is written at the end.
    Gathered {
        /// Index in the series of the explanation; `None` if nothing of the series is written.
        series: Option<usize>,
        /// Index of the series that contains the total it is subtracted from.
        part_of: Option<usize>,
    },
    /// Nothing: the rule could not be applied.
    Nothing {
        /// Why.
        reason: RefusedBecause,
    },
}

/// A series that samples were gathered into.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedSeries {
    /// The family written.
    pub family: String,
    /// The labels, as they are written.
    pub labels: String,
    /// The rule for display, read → written.
    pub title: String,
    /// Where the rule is: `pack:line`.
    pub source: String,
    /// How the samples were merged.
    pub joined: Joined,
    /// Numbers of the lines that were merged.
    pub from: Vec<u64>,
    /// Numbers of the lines that were subtracted from the total.
    pub less: Vec<u64>,
    /// Of a difference: the total. The difference never decreases between two scrapes.
    pub total: Option<String>,
    /// Of a difference: what was subtracted from the total.
    pub parts: Option<String>,
    /// The reference family (`only_with`) because of which it goes to this family.
    pub diverted_by: Option<String>,
    /// The lines written.
    pub text: Vec<String>,
    /// The bucket counts that are estimates.
    pub estimated: Vec<EstimatedCount>,
    /// Why nothing was written.
    pub absent: Option<Absent>,
}

/// How the samples of a gathered series were merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Joined {
    /// Their sum.
    Sum,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// Bucket by bucket.
    Buckets,
    /// A total minus its parts.
    Difference,
}

/// Why a gathered series was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// The series also arrived in the emitted generation.
    AlreadyPresent,
    /// The parts make up the whole total.
    NothingLeft,
}

impl Joined {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Joined::Sum => "sum",
            Joined::Max => "max",
            Joined::Min => "min",
            Joined::Buckets => "buckets",
            Joined::Difference => "difference",
        }
    }
}

impl Absent {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Absent::AlreadyPresent => "already_present",
            Absent::NothingLeft => "nothing_left",
        }
    }

    /// The reason in words, for reports: a clause without a full stop.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Absent::AlreadyPresent => DropReason::AlreadyPresent.meaning(),
            Absent::NothingLeft => "the parts make up the whole total, now and before",
        }
    }
}
