//! A list of `metric_relabel_configs`, for families of which only names and labels change.
//!
//! First, each sample that a rule reads is marked with the number of the rule. Then the labels of
//! marked samples change, and last their names. So no change decides which rule reads a sample, as in
//! the engine.

use super::conditions::{Conditions, equal};
use super::expression::{Matcher, regex_of};
use super::labels::{LabelSteps, Step};
use super::part::Part;
use super::source::Source;
use super::utf8::text;
use crate::mapping::plan::exposition::{Rule, RuleId};

/// The label that marks a sample with the number of its rule.
pub(super) const MARK: &str = "__tmp_crossfade";

/// The mark of samples that stay as they are.
const KEPT: &str = "kept";

/// One item of `metric_relabel_configs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// What it is for, if it begins something new.
    pub(super) comment: Option<String>,
    pub(super) source_labels: Vec<String>,
    /// What is between the values of the source labels.
    pub(super) separator: Separator,
    pub(super) regex: String,
    pub(super) target_label: String,
    pub(super) replacement: String,
}

/// What is between the values of source labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Separator {
    /// `;`
    #[default]
    Default,
    /// A character that no label contains, where `;` in a value could be taken for the end of it.
    Unit,
    /// A text that joins two labels.
    Text(String),
}

impl Separator {
    pub(super) fn text(&self) -> &str {
        match self {
            Separator::Default => ";",
            Separator::Unit => "\u{1f}",
            Separator::Text(text) => text,
        }
    }
}

/// The names of a rule, as regular expression and replacement.
#[derive(Clone, Debug)]
struct Names {
    regex: String,
    replacement: String,
}

/// The entries of one rule of a plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Relabelling {
    /// They keep samples that no rule of the family reads.
    pub(super) kept: Vec<Entry>,
    /// They mark the samples.
    pub(super) marks: Vec<Entry>,
    /// They change marked samples.
    pub(super) changes: Vec<Entry>,
    /// A rename of all samples of a family, which needs no mark.
    pub(super) rename: Option<Entry>,
}

impl Relabelling {
    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.marks.len() + self.changes.len() + usize::from(self.rename.is_some())
    }

    /// The entries of a rule whose samples only change their labels and names.
    ///
    /// # Errors
    ///
    /// Relabeling cannot do something.
    pub(super) fn new(source: &Source<'_>, id: RuleId) -> Result<Relabelling, String> {
        let rule = source.plan.rule(id);
        let names = names(source, rule)?;
        let steps = LabelSteps::new(&rule.labels);
        let mut conditions = Conditions::of(&rule.when)?;
        conditions.free_of(&steps.added());
        let (first, last) = (steps.make()?, steps.finish());
        let removed = steps.removed();
        let is_rename = first.is_empty() && last.is_empty() && removed.is_empty();
        if is_rename && conditions.is_empty() && is_alone(source, rule) {
            let rename = Entry {
                comment: Some(rule.title.clone()),
                source_labels: vec!["__name__".to_owned()],
                separator: Separator::Default,
                regex: names.regex,
                target_label: "__name__".to_owned(),
                replacement: names.replacement,
            };
            return Ok(Relabelling { rename: Some(rename), ..Relabelling::default() });
        }
        let mark = id.0.to_string();
        let kept = kept(source, rule, &names);
        let marks = marks(source, (id, rule), &conditions, &names)?;
        let mut changes = vec![];
        changes.extend(first.iter().map(|step| change(&mark, step)));
        changes.extend(removed.iter().map(|label| change(&mark, &Step::fixed(label, ""))));
        changes.extend(last.iter().map(|step| change(&mark, step)));
        if text(&rule.from) != text(&source.plan.output(rule.to).name) {
            let Names { regex, replacement } = names;
            let (target, from) = ("__name__".to_owned(), "__name__".to_owned());
            changes
                .push(change(&mark, &Step::Replace { target, replacement, source: from, regex }));
        }
        if let Some(first) = changes.first_mut() {
            first.comment = Some(format!("{mark}: {}", rule.title));
        }
        Ok(Relabelling { kept, marks, changes, rename: None })
    }
}

/// Whether a family has one rule, and no rule writes the family.
fn is_alone(source: &Source<'_>, rule: &Rule) -> bool {
    let family = source.plan.families.get(&rule.from);
    family.is_some_and(|it| it.rules.len() == 1 && !it.written && it.not_counted.is_empty())
}

/// The names of all series that a rule reads, and those that it writes.
fn names(source: &Source<'_>, rule: &Rule) -> Result<Names, String> {
    let parts = source.parts(rule);
    let suffixes: Vec<&str> =
        parts.iter().filter(|part| **part != Part::Value).map(|part| part.suffix()).collect();
    let optional = if parts.contains(&Part::Value) { "?" } else { "" };
    let suffix = if suffixes.is_empty() {
        String::new()
    } else {
        format!("({}){optional}", suffixes.join("|"))
    };
    let (from, to) = (text(&rule.from), text(&source.plan.output(rule.to).name));
    let Some((before, after)) = around_placeholder(from) else {
        let group = if suffix.is_empty() { "" } else { "$1" };
        // A name ends with a letter or digit, so a `$` after it begins a group.
        let replacement = format!("{to}{group}");
        return Ok(Names { regex: format!("{}{suffix}", regex_of(from)), replacement });
    };
    let (written_before, written_after) =
        around_placeholder(to).ok_or("its names have no pattern")?;
    if !after.is_empty() || !written_after.is_empty() {
        return Err("a name does not tell where the pattern of a histogram's name ends".to_owned());
    }
    let overlap = before.starts_with(written_before) || written_before.starts_with(before);
    if from != to && overlap {
        return Err("a name can be one of either generation".to_owned());
    }
    let regex = format!("{}(.+)", regex_of(before));
    Ok(Names { regex, replacement: format!("{written_before}${{1}}") })
}

/// The texts before and after the placeholder of a pattern.
fn around_placeholder(name: &str) -> Option<(&str, &str)> {
    let (before, rest) = name.split_once('{')?;
    let (placeholder, after) = rest.split_once('}')?;
    placeholder.ends_with('*').then_some((before, after))
}

/// The entries that keep samples of the family that a rule reads, before any rule marks others: those
/// that the written generation does not count, and those of families that a pattern does not read.
fn kept(source: &Source<'_>, rule: &Rule, names: &Names) -> Vec<Entry> {
    let family = source.plan.families.get(&rule.from);
    let not_counted = family.into_iter().flat_map(|it| &it.not_counted).map(|samples| {
        let matchers: Vec<Matcher> = samples.iter().map(|pair| equal(pair, "=")).collect();
        marking(KEPT, &names.regex, &matchers)
    });
    let mut entries: Vec<Entry> = not_counted.chain(named_families(source, rule)).collect();
    if let Some(first) = entries.first_mut() {
        first.comment = Some(format!("Not read: samples of {}", text(&rule.from)));
    }
    entries
}

/// The entries that mark the samples of a rule.
fn marks(
    source: &Source<'_>,
    (id, rule): (RuleId, &Rule),
    conditions: &Conditions,
    names: &Names,
) -> Result<Vec<Entry>, String> {
    let mut marks = Vec::new();
    let is_negative = |it: &&Matcher| it.op == "!~" || it.op == "!=" && !it.value.is_empty();
    let (negative, positive): (Vec<&Matcher>, Vec<&Matcher>) =
        conditions.matchers.iter().partition(is_negative);
    let family = source.plan.families.get(&rule.from);
    let is_alone = family.is_none_or(|it| it.rules.len() == 1);
    if !negative.is_empty() && !is_alone {
        return Err("no regular expression excludes a value of a label".to_owned());
    }
    for matcher in negative {
        let op = if matcher.op == "!~" { "=~" } else { "=" };
        let excluded = Matcher { op, ..matcher.clone() };
        marks.push(marking(KEPT, &names.regex, &[excluded]));
    }
    let positive: Vec<Matcher> = positive.into_iter().cloned().collect();
    let alternatives: Vec<Option<&String>> = match &conditions.any_of[..] {
        [] => vec![None],
        any_of => any_of.iter().map(Some).collect(),
    };
    for label in alternatives {
        let present = label.map(|label| Matcher::new(label, "!=", ""));
        let known = positive.iter().filter(|it| Some(&it.label) != label);
        let matchers: Vec<Matcher> = known.cloned().chain(present).collect();
        marks.push(marking(&id.0.to_string(), &names.regex, &matchers));
    }
    if let Some(first) = marks.first_mut() {
        first.comment = Some(format!("{}: {}", id.0, rule.title));
    }
    Ok(marks)
}

/// Keeps the families that a pattern does not read, because a rule names them.
fn named_families(source: &Source<'_>, rule: &Rule) -> Option<Entry> {
    let (before, after) = around_placeholder(text(&rule.from))?;
    let mut named: Vec<&str> = source
        .correspondences
        .iter()
        .flat_map(|it| [&*it.old.family, &*it.new.family])
        .filter(|name| name.strip_prefix(before).is_some_and(|rest| rest.ends_with(after)))
        .collect();
    named.sort_unstable();
    named.dedup();
    let names: Vec<String> = named.into_iter().map(regex_of).collect();
    let regex = format!("({})(_bucket|_sum|_count)?", names.join("|"));
    (!names.is_empty()).then(|| marking(KEPT, &regex, &[]))
}

/// Marks samples of these names that meet all conditions, unless they are marked already.
fn marking(mark: &str, names: &str, matchers: &[Matcher]) -> Entry {
    let is_text = |it: &&Matcher| it.op == "=";
    let (texts, others): (Vec<&Matcher>, Vec<&Matcher>) = matchers.iter().partition(is_text);
    // A `;` in a value can be taken for the end of the value only if another value varies too.
    let separator = if others.len() > 1 { Separator::Unit } else { Separator::Default };
    let mut source_labels = vec![MARK.to_owned(), "__name__".to_owned()];
    let mut regex = vec![String::new(), alone(names)];
    for matcher in texts.into_iter().chain(others) {
        source_labels.push(matcher.label.clone());
        regex.push(match matcher.op {
            "=" => regex_of(&matcher.value),
            "=~" => alone(&matcher.value),
            _ => ".+".to_owned(),
        });
    }
    Entry {
        comment: None,
        source_labels,
        regex: regex.join(separator.text()),
        separator,
        target_label: MARK.to_owned(),
        replacement: mark.to_owned(),
    }
}

/// Changes one label of marked samples.
fn change(mark: &str, step: &Step) -> Entry {
    let entry = |source: Vec<&str>, regex: String, target: &str, replacement: &str| Entry {
        comment: None,
        source_labels: source.into_iter().map(str::to_owned).collect(),
        separator: Separator::Default,
        regex,
        target_label: target.to_owned(),
        replacement: replacement.to_owned(),
    };
    match step {
        Step::Replace { target, replacement, source, regex } if source.is_empty() => {
            debug_assert!(regex.is_empty(), "a constant has no regex");
            entry(vec![MARK], mark.to_owned(), target, replacement)
        }
        Step::Replace { target, replacement, source, regex } => {
            let regex = format!("{mark};{}", alone(regex));
            entry(vec![MARK, source], regex, target, replacement)
        }
        Step::Join { target, separator, sources } => {
            let mut joined = vec![MARK];
            joined.extend(sources.iter().map(String::as_str));
            let regex = format!("{mark}{}(.*)", regex_of(separator));
            let entry = entry(joined, regex, target, "$1");
            Entry { separator: Separator::Text(separator.clone()), ..entry }
        }
    }
}

/// Changes one label of all samples.
pub(super) fn unmarked(step: &Step) -> Entry {
    let entry = |source: &[String], separator, regex: &str, target: &String, replacement: &str| {
        let (source_labels, target_label) = (source.to_vec(), target.clone());
        let (regex, replacement) = (regex.to_owned(), replacement.to_owned());
        Entry { comment: None, source_labels, separator, regex, target_label, replacement }
    };
    match step {
        Step::Replace { target, replacement, source, .. } if source.is_empty() => {
            entry(&[], Separator::Default, "", target, replacement)
        }
        Step::Replace { target, replacement, source, regex } => {
            entry(std::slice::from_ref(source), Separator::Default, regex, target, replacement)
        }
        Step::Join { target, separator, sources } => {
            let separator = Separator::Text(separator.clone());
            entry(sources, separator, "(.*)", target, "$1")
        }
    }
}

/// A regular expression that can be a part of another one.
fn alone(regex: &str) -> String {
    if has_top_level_alternative(regex) { format!("(?:{regex})") } else { regex.to_owned() }
}

fn has_top_level_alternative(regex: &str) -> bool {
    let (mut depth, mut escaped) = (0_usize, false);
    regex.chars().any(|c| {
        let is_alternative = c == '|' && depth == 0 && !escaped;
        match c {
            '(' if !escaped => depth += 1,
            ')' if !escaped => depth = depth.saturating_sub(1),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        is_alternative
    })
}
