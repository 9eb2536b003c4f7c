//! What happens to an exposition, and why: the same walk as [`Rewriter`]'s, watched.

pub(super) mod trace;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::{Error, History, Options, Progress, Rewriter};
use crate::exposition::{Scan, Scanner, write_number};
use crate::mapping::Merge;
use crate::mapping::Plan;
use crate::mapping::plan::exposition::{Kind, LabelEdits, RuleId};
use crate::rewrite::exposition::explain::trace::{SampleTrace, Trace, Used, Written};
use crate::rewrite::printable;

/// What happened to an exposition, line by line and series by series. Text that is not UTF-8 is shown escaped.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Explanation {
    /// What came: samples, and lines that Prometheus would refuse, in order.
    pub lines: Vec<Line>,
    /// What was gathered, in the order in which it leaves at the end.
    pub series: Vec<ExplainedSeries>,
    /// Everything that leaves.
    #[serde(serialize_with = "as_text")]
    pub output: Vec<u8>,
}

/// One line that came.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// The line, without its newline.
    pub text: String,
    /// The family it belongs to; empty for a line that could not be read.
    pub family: String,
    /// What became of it.
    pub fate: Fate,
    /// The entries that read it, and what they did.
    pub read_by: Vec<Reading>,
    /// Where no entry reads it: those that read other samples of its family.
    pub not_read_by: Vec<String>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "reason")]
pub enum Fate {
    /// It left as it came, and nothing else did.
    Passed,
    /// It left as it came, beside what entries made of it.
    Kept,
    /// It left as what entries made of it.
    Rewritten,
    /// It did not leave, for this reason.
    Dropped(&'static str),
    /// Prometheus would refuse it, for this reason, and it left all the same.
    Refused(&'static str),
}

/// What one entry did with a sample.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// The entry for people, read → written.
    pub title: String,
    /// Where it stands: `pack:line`.
    pub source: String,
    /// What it did with the sample's labels.
    pub labels: Vec<LabelStep>,
    /// What came of the sample.
    pub then: Then,
}

/// What an entry did with a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "did")]
pub enum LabelStep {
    /// Left it out.
    Dropped {
        /// The label.
        label: String,
    },
    /// Gave it another name.
    Renamed {
        /// The label.
        label: String,
        /// The name.
        to: String,
    },
    /// Added it, because the entry says so.
    Added {
        /// The label.
        label: String,
        /// Its value.
        value: String,
    },
    /// Added it, because the settings say so under `fill`.
    Filled {
        /// The label.
        label: String,
        /// Its value.
        value: String,
    },
}

/// What came of a sample in one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "became")]
pub enum Then {
    /// This line, at once.
    Line {
        /// The line.
        text: String,
    },
    /// A part of what leaves at the end.
    Gathered {
        /// The place in [`Explanation::series`]; `None` where nothing was left to write.
        series: Option<usize>,
        /// The place of the total that it is a part of, and is taken from.
        part_of: Option<usize>,
    },
    /// Nothing: the entry could not be carried out, for this reason, and the sample left as it came.
    Nothing {
        /// `label_conflict` or `not_joinable`.
        reason: &'static str,
    },
}

/// What samples were gathered into.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedSeries {
    /// The family written.
    pub family: String,
    /// The labels, as they are written.
    pub labels: String,
    /// The entry for people, read → written.
    pub title: String,
    /// Where it stands: `pack:line`.
    pub source: String,
    /// How the samples were joined: `sum`, `max`, `min`, `buckets` or `difference`.
    pub joined: &'static str,
    /// Lines that were joined.
    pub from: Vec<u64>,
    /// Lines that were taken from the total.
    pub less: Vec<u64>,
    /// Of a difference: the total, and what was taken from it. What leaves never goes down between two scrapes.
    pub total: Option<String>,
    /// See [`total`](Self::total).
    pub parts: Option<String>,
    /// The family whose label sets decided that it goes here (`only_with`).
    pub diverted_by: Option<String>,
    /// The lines that left.
    pub text: Vec<String>,
    /// Boundaries in them that the source lacks.
    pub estimated: Vec<String>,
    /// Why nothing left: `already_present` (the series came in this shape too), or `nothing_left`.
    pub absent: Option<&'static str>,
}

/// Rewrites an exposition, and says what happened to it.
///
/// `only` names a family, of either side: lines and series that have nothing to do with it are left out of what is
/// said, but not of the walk, nor of the output.
///
/// # Errors
///
/// As [`Rewriter::push`].
pub fn explain(
    plan: &Arc<Plan>,
    options: Options,
    history: History,
    exposition: &[u8],
    only: Option<&str>,
) -> Result<Explanation, Error> {
    let mut rewriter = Rewriter::new(Arc::clone(plan), options, history);
    rewriter.reader.body.trace = Some(Box::default());
    let mut output = Vec::new();
    rewriter.push(exposition, &mut output)?;
    while rewriter.finish(&mut output)? == Progress::More {}
    let trace = rewriter.reader.body.trace.take().unwrap_or_default();
    let refused_pass = rewriter.report().malformed_passed > 0;
    let mut explanation = told(plan, *trace, refused_pass);
    explanation.output = output;
    if let Some(family) = only {
        explanation.keep_only(family);
    }
    Ok(explanation)
}

fn told(plan: &Plan, trace: Trace, refused_pass: bool) -> Explanation {
    // Where label sets were held, and the series they left in.
    let mut places = HashMap::new();
    for (index, written) in trace.written.iter().enumerate() {
        places.extend(written.held.iter().map(|held| (*held, index)));
    }
    let mut series: Vec<ExplainedSeries> =
        trace.written.iter().map(|written| gathered(plan, written)).collect();
    for sample in &trace.samples {
        for used in &sample.actions {
            match used {
                Used::Held(_, hold, slot) => {
                    if let Some(index) = places.get(&(*hold, *slot)) {
                        series[*index].from.push(sample.number);
                    }
                }
                Used::PartOfTotal(hold, slot) => {
                    if let Some(index) = places.get(&(*hold, *slot)) {
                        series[*index].less.push(sample.number);
                    }
                }
                Used::Streamed(..) => {}
            }
        }
    }
    let mut scanner = Scanner::new(usize::MAX, usize::MAX, true);
    let mut lines: Vec<Line> =
        trace.samples.iter().map(|sample| line(plan, &places, &mut scanner, sample)).collect();
    lines.extend(trace.flawed.into_iter().map(|(number, text, reason)| Line {
        number,
        text: printable_line(&text),
        family: String::new(),
        fate: if refused_pass { Fate::Refused(reason) } else { Fate::Dropped(reason) },
        read_by: Vec::new(),
        not_read_by: Vec::new(),
    }));
    lines.sort_by_key(|line| line.number);
    Explanation { lines, series, output: Vec::new() }
}

fn line(
    plan: &Plan,
    places: &HashMap<(usize, usize), usize>,
    scanner: &mut Scanner,
    sample: &SampleTrace,
) -> Line {
    let names = label_names(scanner, &sample.line);
    let mut read_by: Vec<Reading> = Vec::new();
    for used in &sample.actions {
        match used {
            Used::Streamed(rule, text) => {
                read_by.push(reading(
                    plan,
                    *rule,
                    &names,
                    Then::Line { text: printable_line(text) },
                ));
            }
            Used::Held(rule, hold, slot) => {
                let series = places.get(&(*hold, *slot)).copied();
                let then = Then::Gathered { series, part_of: None };
                read_by.push(reading(plan, *rule, &names, then));
            }
            Used::PartOfTotal(hold, slot) => {
                let total = places.get(&(*hold, *slot)).copied();
                if let Some(Reading { then: Then::Gathered { part_of, .. }, .. }) =
                    read_by.last_mut()
                {
                    *part_of = total;
                }
            }
        }
    }
    let refused = sample.refused.iter();
    read_by.extend(
        refused.map(|(rule, reason)| reading(plan, *rule, &names, Then::Nothing { reason })),
    );
    let fate = match (sample.dropped, sample.keep, sample.used) {
        (Some(reason), ..) => Fate::Dropped(reason),
        (None, true, false) => Fate::Passed,
        (None, true, true) => Fate::Kept,
        (None, false, _) => Fate::Rewritten,
    };
    let others =
        plan.families.get(&sample.family).filter(|_| read_by.is_empty() && fate == Fate::Passed);
    let others = others.into_iter().flat_map(|family| &family.rules).map(|id| plan.rule(*id));
    Line {
        number: sample.number,
        text: printable_line(&sample.line),
        family: printable_line(&sample.family),
        fate,
        read_by,
        not_read_by: others.map(|rule| format!("{} ({})", rule.title, rule.source)).collect(),
    }
}

fn reading(plan: &Plan, rule: RuleId, names: &[Vec<u8>], then: Then) -> Reading {
    let rule = plan.rule(rule);
    Reading {
        title: rule.title.clone(),
        source: rule.source.clone(),
        labels: label_steps(&rule.labels, names),
        then,
    }
}

/// What edits did with labels of these names.
fn label_steps(edits: &LabelEdits, names: &[Vec<u8>]) -> Vec<LabelStep> {
    let has = |label: &[u8]| names.iter().any(|name| name == label);
    let dropped = edits.drop.iter().filter(|label| has(label));
    let dropped = dropped.map(|label| LabelStep::Dropped { label: printable_line(label) });
    let renamed = edits.rename.iter().filter(|(label, _)| has(label));
    let renamed = renamed.map(|(label, to)| LabelStep::Renamed {
        label: printable_line(label),
        to: printable_line(to),
    });
    let added = edits.append.iter();
    let added = added.map(|(label, value)| LabelStep::Added {
        label: printable_line(label),
        value: printable_line(value),
    });
    let filled = edits.fill.iter().filter(|(label, _)| !has(label));
    let filled = filled.map(|(label, value)| LabelStep::Filled {
        label: printable_line(label),
        value: printable_line(value),
    });
    dropped.chain(renamed).chain(added).chain(filled).collect()
}

fn label_names(scanner: &mut Scanner, line: &[u8]) -> Vec<Vec<u8>> {
    scanner.forget();
    let Scan::Sample(_) = scanner.scan(line) else { return Vec::new() };
    scanner.labels().iter().map(|span| span.name.of(line).to_vec()).collect()
}

fn gathered(plan: &Plan, written: &Written) -> ExplainedSeries {
    let rule = plan.rule(written.rule);
    let text: Vec<String> = written
        .text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(printable_line)
        .collect();
    let joined = match &rule.kind {
        _ if written.is_ladder => "buckets",
        _ if rule.remainder => "difference",
        Kind::Gauge(Merge::Max) => "max",
        Kind::Gauge(Merge::Min) => "min",
        Kind::Gauge(Merge::Sum) | Kind::Typed | Kind::Histogram(_) => "sum",
    };
    let absent = match (text.is_empty(), written.already_present) {
        (false, _) => None,
        (true, true) => Some("already_present"),
        (true, false) => Some("nothing_left"),
    };
    let redirect = written.redirect.map(|at| &rule.redirects[at]);
    let number = |value: f64| {
        let mut text = Vec::new();
        write_number(value, &mut text);
        printable_line(&text)
    };
    ExplainedSeries {
        family: printable_line(&plan.output(written.output).name),
        labels: printable_line(&written.labels),
        title: redirect.map_or(&rule.title, |redirect| &redirect.title).clone(),
        source: redirect.map_or(&rule.source, |redirect| &redirect.source).clone(),
        joined,
        from: Vec::new(),
        less: Vec::new(),
        total: written.total.map(number),
        parts: written.parts.map(number),
        diverted_by: redirect.and_then(|redirect| {
            let reference = Some(redirect.reference);
            let mut families = plan.families.iter();
            families
                .find(|(_, family)| family.reference == reference)
                .map(|(name, _)| printable_line(name))
        }),
        text,
        estimated: written.estimated.clone(),
        absent,
    }
}

impl Explanation {
    /// Leaves out what has nothing to do with a family.
    fn keep_only(&mut self, family: &str) {
        let of_family = |name: &str| {
            let suffix = name.strip_prefix(family);
            suffix.is_some_and(|suffix| ["", "_bucket", "_sum", "_count"].contains(&suffix))
        };
        // Series are referred to by their place, so they stay where they are until all is known.
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
        let mut places = Vec::with_capacity(wanted.len());
        let mut next = 0;
        for wanted in &wanted {
            places.push(wanted.then_some(next));
            next += usize::from(*wanted);
        }
        self.lines.retain(|line| {
            let leads = |reading: &Reading| match reading.then {
                Then::Gathered { series, part_of } => {
                    [series, part_of].into_iter().flatten().any(|place| wanted[place])
                }
                Then::Line { ref text } => {
                    let name = text.split(['{', ' ']).next().unwrap_or_default();
                    of_family(name)
                }
                Then::Nothing { .. } => false,
            };
            of_family(&line.family) || line.read_by.iter().any(leads)
        });
        for reading in self.lines.iter_mut().flat_map(|line| &mut line.read_by) {
            if let Then::Gathered { series, part_of } = &mut reading.then {
                *series = series.and_then(|place| places[place]);
                *part_of = part_of.and_then(|place| places[place]);
            }
        }
        let mut keep = wanted.into_iter();
        self.series.retain(|_| keep.next().unwrap_or_default());
    }
}

/// A line as text, without its newline.
fn printable_line(line: &[u8]) -> String {
    printable(line.strip_suffix(b"\n").unwrap_or(line))
}

fn as_text<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => serializer.serialize_str(text),
        Err(_) => serializer.collect_str(&bytes.escape_ascii()),
    }
}
