//! How a rule rewrites label sets.

use std::sync::Arc;

use super::label_hashes::LabelHashes;
use super::labels::{LE, Labels, QUANTILE};
use super::written_labels::{named, without_empty};
use crate::exposition::{LabelHasher, parse_number, write_escaped, write_number, write_value};
use crate::mapping::Scale;
use crate::mapping::plan::exposition::LabelEdits;
use crate::mapping::plan::label_text::LabelText;
use crate::mapping::plan::value_edit::ValueEdit;

/// The sample already has a label that the rule adds, with a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DuplicateLabel;

/// A label set as written: `a="b",c="d"`, values escaped.
#[derive(Debug, Default)]
pub(super) struct RenderedLabels {
    text: Vec<u8>,
    hash: u64,
}

impl RenderedLabels {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// Replaces what comes after the first `start` bytes, and the hash.
    pub(super) fn replace_end(&mut self, start: usize, end: [&[u8]; 2], hash: u64) {
        self.text.truncate(start);
        for part in end {
            self.text.extend_from_slice(part);
        }
        self.hash = hash;
    }

    /// Removes the labels of these names that are empty. The set, and so its hash, stays the same.
    pub(super) fn remove_empty(&mut self, names: &[&[u8]]) {
        if let Some(text) = without_empty(&self.text, names) {
            self.text = text;
        }
    }
}

/// A rule's label edits, compiled for one sequence of label names. Usually all samples of a family
/// have the same names in the same order, and only values change from line to line.
#[derive(Debug)]
pub(super) struct LabelTransform {
    steps: Vec<Step>,
    /// Labels that the rule adds: `type="x",other="y"`.
    added: Vec<u8>,
    added_hash: u64,
    /// Labels with a name that the rule also writes. They must be empty.
    clashes: Vec<usize>,
    /// Number of leading labels that the result depends on.
    pub(super) depends_on: usize,
}

#[derive(Debug)]
enum Step {
    /// Copy the labels of this range of indices.
    Keep(usize, usize),
    /// Write the label of this index with another name: `name="`.
    Rename(usize, Box<[u8]>),
    /// Write the label of this index of an edit with this name (`name="`), unless it is absent.
    Edit(Arc<ValueEdit>, usize, Box<[u8]>),
    /// Write the label of this index, whose value is a number, times this.
    Scale(usize, Scale),
}

impl LabelTransform {
    /// Compiles `edits` for the names of `labels`, without those in `without` and, for the label
    /// set of a histogram, without `le`.
    pub(super) fn new(
        hasher: &LabelHasher,
        labels: Labels<'_>,
        edits: &LabelEdits,
        without: &[Box<[u8]>],
        of_histogram: bool,
    ) -> Self {
        let mut transform = LabelTransform {
            depends_on: 0,
            steps: Vec::new(),
            added: Vec::new(),
            added_hash: 0,
            clashes: Vec::new(),
        };
        let present = |wanted: &[u8]| labels.iter().any(|(name, _)| name == wanted);
        for (index, (name, _)) in labels.iter().enumerate() {
            if is_removed(edits, name) || named(without, name) || (of_histogram && name == LE) {
                continue;
            }
            transform.depends_on = index + 1;
            if let Some((_, to)) = edits.rename.iter().find(|(from, _)| **from == *name) {
                transform.steps.push(Step::Rename(index, [to, &b"=\""[..]].concat().into()));
                continue;
            }
            if let Some(edit) = edits.values.iter().find(|edit| reads(edit, name)) {
                transform.write_edited(edit, |at| at == Some(name), present);
                continue;
            }
            let written = edits.append.iter().any(|(added, _)| **added == *name)
                || edits.rename.iter().any(|(_, to)| **to == *name)
                || edits.values.iter().any(|edit| writes(edit, name));
            match transform.steps.last_mut() {
                _ if written => transform.clashes.push(index),
                Some(Step::Keep(_, to)) if *to == index => *to = index + 1,
                _ => transform.steps.push(Step::Keep(index, index + 1)),
            }
        }
        for edit in &edits.values {
            transform.write_edited(edit, |at| at.is_none() && edit.adds_label(), present);
        }
        // Labels of the input take precedence over labels that the operator configured.
        let filled = edits.fill.iter().filter(|(name, _)| !present(name));
        for (name, value) in edits.append.iter().chain(filled) {
            if !transform.added.is_empty() {
                transform.added.push(b',');
            }
            let start = transform.added.len();
            transform.added.extend_from_slice(name);
            transform.added.extend_from_slice(b"=\"");
            write_escaped(value, &mut transform.added);
            let hash = hasher.label(&transform.added[start..]);
            transform.added_hash = transform.added_hash.wrapping_add(hash);
            transform.added.push(b'"');
        }
        transform
    }

    /// Writes those labels of an edit whose place is accepted: the first label present that has their
    /// first variable.
    fn write_edited(
        &mut self,
        edit: &Arc<ValueEdit>,
        is_here: impl Fn(Option<&[u8]>) -> bool,
        present: impl Fn(&[u8]) -> bool,
    ) {
        for (index, text) in edit.written.iter().enumerate() {
            let has = |its: &&LabelText| {
                text.variables.first().is_some_and(|first| its.variables.contains(first))
            };
            let mut places = edit.read.iter().filter(has).map(|its| &*its.label);
            if is_here(places.find(|label| present(label))) {
                let name = [&text.label, &b"=\""[..]].concat().into();
                self.steps.push(Step::Edit(Arc::clone(edit), index, name));
            }
        }
    }

    /// Also scales the value of `le`, if that is written.
    pub(super) fn scale_boundaries(&mut self, labels: Labels<'_>, scale: Scale) {
        let Some(le) = labels.iter().position(|(name, _)| name == LE) else { return };
        let mut steps = Vec::with_capacity(self.steps.len() + 2);
        for step in self.steps.drain(..) {
            match step {
                Step::Keep(from, to) if (from..to).contains(&le) => {
                    steps.extend((from < le).then_some(Step::Keep(from, le)));
                    steps.push(Step::Scale(le, scale));
                    steps.extend((le + 1 < to).then_some(Step::Keep(le + 1, to)));
                }
                other => steps.push(other),
            }
        }
        self.steps = steps;
    }

    /// True if the labels are copied unchanged, except for escapes in values.
    pub(super) fn keeps_all(&self, labels: Labels<'_>) -> bool {
        self.added.is_empty()
            && match self.steps[..] {
                [] => labels.spans.is_empty(),
                [Step::Keep(0, to)] => to == labels.spans.len(),
                _ => false,
            }
    }

    /// True if the output ends with the label of this index, with its own name.
    pub(super) fn ends_with(&self, index: usize) -> bool {
        self.added.is_empty() && self.keeps_last(index)
    }

    /// What follows the value of the label of this index, if it is copied and only labels follow that
    /// the rule adds.
    pub(super) fn after(&self, index: usize) -> Option<Vec<u8>> {
        let mut after = b"\"".to_vec();
        if !self.added.is_empty() {
            after.push(b',');
            after.extend_from_slice(&self.added);
        }
        self.keeps_last(index).then_some(after)
    }

    /// True if the label of this index is copied, and no other label of the input follows it.
    fn keeps_last(&self, index: usize) -> bool {
        matches!(self.steps.last(), Some(Step::Keep(_, to)) if *to == index + 1)
    }

    /// Renders a label set with the names that the transform was compiled for.
    ///
    /// # Errors
    ///
    /// [`DuplicateLabel`] if the output would have two labels with the same name.
    pub(super) fn render(
        &self,
        labels: Labels<'_>,
        hashes: &mut LabelHashes,
        out: &mut RenderedLabels,
    ) -> Result<(), DuplicateLabel> {
        let Labels { line, spans } = labels;
        if self.clashes.iter().any(|&index| !spans[index].value.of(line).is_empty()) {
            return Err(DuplicateLabel);
        }
        let (hasher, hashes) = hashes.first(labels, self.depends_on);
        let mut hash = self.added_hash;
        out.text.clear();
        for step in &self.steps {
            match *step {
                Step::Keep(from, to) => {
                    for label in &hashes[from..to] {
                        hash = hash.wrapping_add(*label);
                    }
                    keep(labels, from, to, &mut out.text);
                }
                Step::Rename(index, ref name) => {
                    separate(&mut out.text);
                    let start = out.text.len();
                    out.text.extend_from_slice(name);
                    push_value(labels, index, &mut out.text);
                    hash = hash.wrapping_add(hasher.label(&out.text[start..]));
                    out.text.push(b'"');
                }
                Step::Edit(ref edit, index, ref name) => {
                    let mut value = Vec::new();
                    edit.write(index, |name| labels.value(name), &mut value);
                    if value.is_empty() {
                        continue;
                    }
                    separate(&mut out.text);
                    let start = out.text.len();
                    out.text.extend_from_slice(name);
                    out.text.append(&mut value);
                    hash = hash.wrapping_add(hasher.label(&out.text[start..]));
                    out.text.push(b'"');
                }
                Step::Scale(index, scale) => {
                    // The hash of a series is the same for all its buckets, so that of the value
                    // read is taken out again.
                    hash = hash.wrapping_add(hashes[index]);
                    separate(&mut out.text);
                    out.text.extend_from_slice(b"le=\"");
                    match parse_number(spans[index].value.of(line)) {
                        Some(bound) => write_number(scale.of(bound), &mut out.text),
                        None => push_value(labels, index, &mut out.text),
                    }
                    out.text.push(b'"');
                }
            }
        }
        if !self.added.is_empty() {
            separate(&mut out.text);
            out.text.extend_from_slice(&self.added);
        }
        out.hash = hash;
        Ok(())
    }
}

/// Copies unchanged labels, at once if they are already written as in the output.
fn keep(labels: Labels<'_>, from: usize, to: usize, out: &mut Vec<u8>) {
    let Labels { line, spans } = labels;
    separate(out);
    // Prometheus also reads labels with a blank in place of the comma.
    let joined = |index: usize| {
        let end = spans[index - 1].value.end();
        spans[index].name.start() == end + 2 && line[end + 1] == b','
    };
    if (from..to).all(|index| labels.is_tight(index) && (index == from || joined(index))) {
        out.extend_from_slice(&line[spans[from].name.start()..=spans[to - 1].value.end()]);
        return;
    }
    for (index, span) in spans.iter().enumerate().take(to).skip(from) {
        if index > from {
            out.push(b',');
        }
        out.extend_from_slice(span.name.of(line));
        out.extend_from_slice(b"=\"");
        push_value(labels, index, out);
        out.push(b'"');
    }
}

fn push_value(labels: Labels<'_>, index: usize, out: &mut Vec<u8>) {
    let span = &labels.spans[index];
    if span.odd {
        write_value(span.value.of(labels.line), out);
    } else {
        out.extend_from_slice(span.value.of(labels.line));
    }
}

fn separate(out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b',');
    }
}

/// Whether a label is not written.
fn is_removed(edits: &LabelEdits, name: &[u8]) -> bool {
    named(&edits.drop, name)
        || edits
            .keep_only
            .as_ref()
            .is_some_and(|kept| !named(kept, name) && name != LE && name != QUANTILE)
}

fn reads(edit: &ValueEdit, name: &[u8]) -> bool {
    edit.read.iter().any(|text| *text.label == *name)
}

fn writes(edit: &ValueEdit, name: &[u8]) -> bool {
    edit.written.iter().any(|text| *text.label == *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::{Format, Scan, Scanner};
    use crate::rewrite::exposition::written_labels::hash_text;

    fn bytes(text: &str) -> Box<[u8]> {
        text.as_bytes().into()
    }

    fn rendered(line: &str, edits: &LabelEdits) -> Result<String, DuplicateLabel> {
        let mut scanner = Scanner::new(1000, 20, Format::OpenMetrics);
        assert!(matches!(scanner.scan(line.as_bytes()), Scan::Sample(_)), "{line}");
        let labels = Labels { line: line.as_bytes(), spans: scanner.labels() };
        let hasher = LabelHasher::numbered(0);
        let mut hashes = LabelHashes::new(hasher.clone());
        let mut text = RenderedLabels::default();
        let transform = LabelTransform::new(&hasher, labels, edits, &[], true);
        transform.render(labels, &mut hashes, &mut text)?;
        // All ways to compute the hash agree.
        assert_eq!(text.hash(), hash_text(&hasher, text.bytes()));
        if edits.is_identity() {
            assert_eq!(text.hash(), hashes.of_histogram(labels));
        }
        Ok(String::from_utf8(text.bytes().to_vec()).unwrap())
    }

    #[test]
    fn labels_are_rewritten_by_a_rule() {
        let edits = LabelEdits {
            keep_only: None,
            drop: vec![bytes("c")],
            rename: vec![(bytes("t"), bytes("direction"))],
            values: Vec::new(),
            append: vec![(bytes("type"), bytes("k\"1\""))],
            fill: vec![(bytes("a"), bytes("filled")), (bytes("w"), bytes("filled"))],
        };
        assert_eq!(
            rendered("x{a=\"1\",c=\"2\",t=\"in\",le=\"5\"} 1\n", &edits).as_deref(),
            Ok(r#"a="1",direction="in",type="k\"1\"",w="filled""#)
        );
        let clash = "x{t=\"in\",type=\"other\"} 1\n";
        assert_eq!(rendered(clash, &edits), Err(DuplicateLabel));
        let clash = "x{t=\"in\",direction=\"other\"} 1\n";
        assert_eq!(rendered(clash, &edits), Err(DuplicateLabel));
    }

    #[test]
    fn spacing_and_escapes_do_not_make_another_series() {
        let edits = LabelEdits::default();
        assert_eq!(
            rendered("x{ a = \"two\nlines\" , le=\"5\", b=\"odd\\q\",} 1\n", &edits).as_deref(),
            Ok(r#"a="two\nlines",b="odd\\q""#)
        );
        let missing_comma = rendered("x{a=\"1\" b=\"2\"c=\"3\"} 1\n", &edits);
        assert_eq!(missing_comma.as_deref(), Ok(r#"a="1",b="2",c="3""#));
    }
}
