//! Makes an explanation of what was recorded.

use std::collections::HashMap;

use super::explanation::{
    Absent, ExplainedSeries, Explanation, Fate, Joined, LabelStep, Line, Reading, Then,
};
use super::trace::{Effect, SampleTrace, Trace, Written};
use crate::exposition::{Format, Scan, Scanner, write_number};
use crate::mapping::Merge;
use crate::mapping::plan::exposition::{Kind, LabelEdits, RuleId};
use crate::mapping::plan::label_text::LabelText;
use crate::rewrite::exposition::gathered::SeriesRef;
use crate::rewrite::exposition::reason::DropReason;
use crate::rewrite::exposition::resolved_plan::ResolvedPlan;
use crate::rewrite::printable;

/// Where gathered series are in [`Explanation::series`].
type Indexes = HashMap<SeriesRef, usize>;

/// Describes everything that was recorded. `malformed_pass`: malformed lines are output.
pub(super) fn describe(plan: &ResolvedPlan, trace: Trace, malformed_pass: bool) -> Explanation {
    let mut indexes = Indexes::new();
    for (index, written) in trace.written.iter().enumerate() {
        indexes.extend(written.series.iter().map(|series| (*series, index)));
    }
    let mut series: Vec<ExplainedSeries> =
        trace.written.iter().map(|written| describe_series(plan, written)).collect();
    for sample in &trace.samples {
        for effect in &sample.effects {
            let (to, subtracted) = match effect {
                Effect::Renamed(..) => continue,
                Effect::Gathered(_, series) => (series, false),
                Effect::SubtractedFrom(total) => (total, true),
            };
            if let Some(index) = indexes.get(to) {
                let series = &mut series[*index];
                let lines = if subtracted { &mut series.less } else { &mut series.from };
                lines.push(sample.number);
            }
        }
    }
    let mut scanner = Scanner::new(usize::MAX, usize::MAX, Format::OpenMetrics);
    let mut lines: Vec<Line> = trace
        .samples
        .iter()
        .map(|sample| describe_line(plan, &indexes, &mut scanner, sample))
        .collect();
    lines.extend(trace.malformed.into_iter().map(|(number, text, flaw)| {
        let reason = DropReason::Malformed(flaw);
        Line {
            number,
            text: printable_line(&text),
            family: printable(first_name(&text)),
            is_output: false,
            fate: if malformed_pass { Fate::Refused(reason) } else { Fate::Dropped(reason) },
            read_by: Vec::new(),
            not_read_by: Vec::new(),
        }
    }));
    lines.sort_by_key(|line| line.number);
    Explanation { lines, series, output: Vec::new(), next: None }
}

fn describe_line(
    plan: &ResolvedPlan,
    indexes: &Indexes,
    scanner: &mut Scanner,
    sample: &SampleTrace,
) -> Line {
    let names = label_names(scanner, &sample.line);
    let mut read_by: Vec<Reading> = Vec::new();
    for effect in &sample.effects {
        match effect {
            Effect::Renamed(rule, text) => {
                read_by.push(reading(
                    plan,
                    *rule,
                    &names,
                    Then::Line { text: printable_line(text) },
                ));
            }
            Effect::Gathered(rule, series) => {
                let series = indexes.get(series).copied();
                let then = Then::Gathered { series, part_of: None };
                read_by.push(reading(plan, *rule, &names, then));
            }
            Effect::SubtractedFrom(total) => {
                if let Some(Reading { then: Then::Gathered { part_of, .. }, .. }) =
                    read_by.last_mut()
                {
                    *part_of = indexes.get(total).copied();
                }
            }
        }
    }
    read_by.extend(
        sample
            .refused
            .iter()
            .map(|&(rule, reason)| reading(plan, rule, &names, Then::Nothing { reason })),
    );
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

fn describe_series(plan: &ResolvedPlan, written: &Written) -> ExplainedSeries {
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
        from: Vec::new(),
        less: Vec::new(),
        total: written.total.map(number),
        parts: written.parts.map(number),
        diverted_by: redirect.and_then(|redirect| {
            let reference = Some(redirect.reference);
            let mut families = plan.base().families.iter();
            let family = families.find(|(_, family)| family.reference == reference);
            family.map(|(name, _)| printable_line(name))
        }),
        text,
        estimated: written.estimated.clone(),
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
fn first_name(line: &[u8]) -> &[u8] {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_:".contains(byte);
    let end = line.iter().position(|byte| !is_part(byte)).unwrap_or(line.len());
    &line[..end]
}

/// A line for display, without its newline.
fn printable_line(line: &[u8]) -> String {
    printable(line.strip_suffix(b"\n").unwrap_or(line))
}
