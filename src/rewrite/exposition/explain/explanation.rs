//! What an explanation contains.

use serde::Serialize;

use crate::rewrite::exposition::estimate::EstimatedCount;
use crate::rewrite::exposition::reason::{DropReason, RefusedBecause};

/// What happened to an exposition, line by line and series by series. Text that is not UTF-8 is
/// escaped.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Explanation {
    /// The input: samples, and lines that Prometheus would refuse, in order.
    pub lines: Vec<Line>,
    /// The gathered series, in the order in which they are written at the end.
    pub series: Vec<ExplainedSeries>,
    /// The complete output.
    #[serde(serialize_with = "as_text")]
    pub output: Vec<u8>,
    /// The next stage, if packs follow each other or reduce the output. Its input are the lines that
    /// this one has written, and it has no `output` of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
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
        /// Index in [`Explanation::series`]; `None` if nothing of the series is written.
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

impl Explanation {
    /// Removes lines and series that are unrelated to a family.
    pub(super) fn keep_only(&mut self, family: &str) {
        let of_family = |name: &str| {
            let suffix = name.strip_prefix(family);
            suffix.is_some_and(|suffix| ["", "_bucket", "_sum", "_count"].contains(&suffix))
        };
        let numbers: Vec<u64> = self
            .lines
            .iter()
            .filter(|line| of_family(&line.family))
            .map(|line| line.number)
            .collect();
        let wanted: Vec<bool> = self
            .series
            .iter()
            .map(|series| {
                let mut lines = series.from.iter().chain(&series.less);
                of_family(&series.family)
                    || lines.any(|number| numbers.binary_search(number).is_ok())
            })
            .collect();
        // Lines refer to series by index: compute the new indexes before removing any.
        let mut indexes = Vec::with_capacity(wanted.len());
        let mut next = 0;
        for wanted in &wanted {
            indexes.push(wanted.then_some(next));
            next += usize::from(*wanted);
        }
        self.lines.retain(|line| {
            let is_wanted = |reading: &Reading| match &reading.then {
                Then::Gathered { series, part_of } => {
                    [series, part_of].into_iter().flatten().any(|index| wanted[*index])
                }
                Then::Line { text } => of_family(text.split(['{', ' ']).next().unwrap_or_default()),
                Then::Nothing { .. } => false,
            };
            of_family(&line.family) || line.read_by.iter().any(is_wanted)
        });
        for reading in self.lines.iter_mut().flat_map(|line| &mut line.read_by) {
            if let Then::Gathered { series, part_of } = &mut reading.then {
                *series = series.and_then(|index| indexes[index]);
                *part_of = part_of.and_then(|index| indexes[index]);
            }
        }
        let mut wanted = wanted.into_iter();
        self.series.retain(|_| wanted.next().unwrap_or_default());
    }
}

fn as_text<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => serializer.serialize_str(text),
        Err(_) => serializer.collect_str(&bytes.escape_ascii()),
    }
}
