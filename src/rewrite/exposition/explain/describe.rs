//! Makes explanations of what was recorded.

use super::explanation::{Absent, ExplainedSeries, Fate, Joined, LabelStep, Line, Reading, Then};
use super::merged_lines::MergedLines;
use super::outline::StageOutline;
use super::trace::{Effect, MalformedTrace, SampleTrace, Written};
use crate::exposition::{Format, Scan, Scanner, write_number};
use crate::mapping::Merge;
use crate::mapping::plan::exposition::{Kind, LabelEdits, RuleId};
use crate::mapping::plan::label_text::LabelText;
use crate::rewrite::exposition::gathered::SeriesRef;
use crate::rewrite::exposition::reason::DropReason;
use crate::rewrite::exposition::resolved_plan::ResolvedPlan;
use crate::rewrite::printable;

/// Describes lines.
#[derive(Debug)]
pub(super) struct LineDescriber {
    scanner: Scanner,
    /// Lines that Prometheus would refuse are output.
    malformed_pass: bool,
}

impl LineDescriber {
    pub(super) fn new(malformed_pass: bool) -> Self {
        let scanner = Scanner::new(usize::MAX, usize::MAX, Format::OpenMetrics);
        LineDescriber { scanner, malformed_pass }
    }

    pub(super) fn malformed(&self, line: &MalformedTrace) -> Line {
        let reason = DropReason::Malformed(line.flaw);
        Line {
            number: line.number,
            text: printable_line(&line.line),
            family: printable(first_name(&line.line)).into_owned(),
            is_output: false,
            fate: if self.malformed_pass { Fate::Refused(reason) } else { Fate::Dropped(reason) },
            read_by: Vec::new(),
            not_read_by: Vec::new(),
        }
    }

    pub(super) fn sample(
        &mut self,
        plan: &ResolvedPlan,
        outline: &StageOutline,
        sample: &SampleTrace,
    ) -> Line {
        let read_by = self.readings(plan, outline, sample);
        let fate = match (sample.dropped, sample.forwarded, sample.was_read()) {
            (Some(reason), ..) => Fate::Dropped(reason),
            (None, true, false) => Fate::Passed,
            (None, true, true) => Fate::Kept,
            (None, false, _) => sample.dropped_by_rule().map_or(Fate::Rewritten, Fate::Dropped),
        };
        let is_passed = read_by.is_empty() && fate == Fate::Passed;
        let others = if is_passed { plan.rules_of(&sample.family) } else { Vec::new() };
        let others = others.into_iter().map(|id| plan.rule(id));
        Line {
            number: sample.number,
            text: printable_line(&sample.line),
            family: printable_line(&sample.family),
            is_output: plan.writes(&sample.family),
            fate,
            read_by,
            not_read_by: others.map(|rule| format!("{} ({})", rule.title, rule.source)).collect(),
        }
    }

    /// The rules that read a sample, and what they did.
    fn readings(
        &mut self,
        plan: &ResolvedPlan,
        outline: &StageOutline,
        sample: &SampleTrace,
    ) -> Vec<Reading> {
        if sample.effects.is_empty() && sample.refused.is_empty() {
            return Vec::new();
        }
        let names = label_names(&mut self.scanner, &sample.line);
        let index = |series: &SeriesRef| outline.index_of.get(series).copied();
        let mut read_by: Vec<Reading> = Vec::new();
        for effect in &sample.effects {
            match effect {
                Effect::Renamed(rule, text) => {
                    let then = Then::Line { text: printable_line(text) };
                    read_by.push(reading(plan, *rule, &names, then));
                }
                Effect::Gathered(rule, series) => {
                    let then = Then::Gathered { series: index(series), part_of: None };
                    read_by.push(reading(plan, *rule, &names, then));
                }
                Effect::SubtractedFrom(total) => {
                    if let Some(Reading { then: Then::Gathered { part_of, .. }, .. }) =
                        read_by.last_mut()
                    {
                        *part_of = index(total);
                    }
                }
            }
        }
        let refused = sample.refused.iter();
        read_by.extend(
            refused.map(|&(rule, reason)| reading(plan, rule, &names, Then::Nothing { reason })),
        );
        read_by
    }
}

fn reading(plan: &ResolvedPlan, rule: RuleId, names: &[Vec<u8>], then: Then) -> Reading {
    let rule = plan.rule(rule);
    Reading {
        title: rule.title.clone(),
        source: rule.source.clone(),
        labels: label_steps(&rule.labels, names),
        then,
    }
}

/// What edits do with labels of these names.
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
    let rewritten = edits
        .values
        .iter()
        .filter(|edit| edit.read.iter().any(|text| has(&text.label)) || edit.adds_label());
    let rewritten = rewritten.map(|edit| LabelStep::Rewritten {
        label: label_list(&edit.read),
        to: label_list(&edit.written),
    });
    dropped.chain(renamed).chain(rewritten).chain(added).chain(filled).collect()
}

fn label_list(texts: &[LabelText]) -> String {
    let labels: Vec<String> = texts.iter().map(|text| printable_line(&text.label)).collect();
    labels.join(", ")
}

fn label_names(scanner: &mut Scanner, line: &[u8]) -> Vec<Vec<u8>> {
    scanner.forget();
    let Scan::Sample(_) = scanner.scan(line) else { return Vec::new() };
    scanner.labels().iter().map(|span| span.name.of(line).to_vec()).collect()
}

/// Describes a series that was written, or left out.
pub(super) fn describe_series(
    plan: &ResolvedPlan,
    written: Written,
    lines: &MergedLines,
) -> ExplainedSeries {
    let rule = plan.rule(written.rule);
    let text: Vec<String> = written
        .text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(printable_line)
        .collect();
    let joined = match &rule.kind {
        _ if written.is_histogram => Joined::Buckets,
        _ if rule.remainder => Joined::Difference,
        Kind::TypedOrGauge(_) => joined_by(written.merge),
        Kind::Gauge(merge) => joined_by(*merge),
        Kind::Typed | Kind::Histogram(_) => Joined::Sum,
    };
    let absent = match (text.is_empty(), written.already_present) {
        (false, _) => None,
        (true, true) => Some(Absent::AlreadyPresent),
        (true, false) => Some(Absent::NothingLeft),
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
        from: lines.from.to_vec(),
        less: lines.less.to_vec(),
        total: written.total.map(number),
        parts: written.parts.map(number),
        diverted_by: redirect.and_then(|redirect| {
            let reference = Some(redirect.reference);
            let mut families = plan.base().families.iter();
            let family = families.find(|(_, family)| family.reference == reference);
            family.map(|(name, _)| printable_line(name))
        }),
        text,
        estimated: written.estimated,
        absent,
    }
}

fn joined_by(merge: Merge) -> Joined {
    match merge {
        Merge::Max => Joined::Max,
        Merge::Min => Joined::Min,
        Merge::Sum => Joined::Sum,
    }
}

/// The metric name that a line begins with. Empty if there is none.
pub(super) fn first_name(line: &[u8]) -> &[u8] {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_:".contains(byte);
    let end = line.iter().position(|byte| !is_part(byte)).unwrap_or(line.len());
    &line[..end]
}

/// A line for display, without its newline.
pub(super) fn printable_line(line: &[u8]) -> String {
    printable(line.strip_suffix(b"\n").unwrap_or(line)).into_owned()
}
