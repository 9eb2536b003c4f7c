//! Reads what the engine writes, and keeps it.

use super::collection::{Collection, HeldId};
use super::held_samples::NewSample;
use super::names::{NAME_BYTES, NameId};
use super::suffix::{Dimension, Suffix, split};
use super::text::{write_help, write_quoted};
use crate::exposition::{
    Format, Header, HeaderKind, LabelHasher, Sample, Scan, Scanner, write_value,
};
use crate::mapping::plan::exposition::LabelEdits;
use crate::rewrite::exposition::gathered::SeriesSlot;
use crate::rewrite::exposition::label_hashes::LabelHashes;
use crate::rewrite::exposition::label_transform::{LabelTransform, RenderedLabels};
use crate::rewrite::exposition::labels::{LE, QUANTILE};
use crate::rewrite::exposition::limits::{Budget, LimitExceeded};
use crate::rewrite::exposition::options::Limits;
use crate::rewrite::exposition::reason::DropReason;
use crate::rewrite::exposition::report::Report;
use crate::rewrite::exposition::sample_line::SampleLine;

const EOF: &[u8] = b"# EOF\n";

/// Reads whole lines and keeps them in a [`Collection`].
#[derive(Debug)]
pub(super) struct Reader {
    format: Format,
    scanner: Scanner,
    hashes: LabelHashes,
    hasher: LabelHasher,
    rendered: RenderedLabels,
    budget: Budget,
    limit: usize,
    current: Option<Current>,
}

/// How the samples are kept that have the name and the label names of the last one.
#[derive(Debug)]
struct Current {
    name: NameId,
    label_names: Vec<Box<[u8]>>,
    held: HeldId,
    suffix: Suffix,
    /// The label that is kept apart, and its index.
    dimension: Option<(Dimension, usize)>,
    transform: LabelTransform,
    /// The label set of the last sample.
    slot: SeriesSlot,
}

impl Reader {
    pub(super) fn new(format: Format, limits: Limits) -> Self {
        let hasher = LabelHasher::numbered(0);
        Reader {
            format,
            // The engine has applied the limits to the input; its output can be longer.
            scanner: Scanner::new(usize::MAX, usize::MAX, format),
            hashes: LabelHashes::new(hasher.clone()),
            hasher,
            rendered: RenderedLabels::default(),
            budget: Budget::new(limits),
            limit: limits.held_bytes,
            current: None,
        }
    }

    /// Reads whole lines.
    ///
    /// # Errors
    ///
    /// More would have to be kept than the limits allow.
    pub(super) fn read(
        &mut self,
        mut input: &[u8],
        kept: &mut Collection,
        report: &mut Report,
    ) -> Result<(), LimitExceeded> {
        while !input.is_empty() {
            let len = if let Some(sample) = self.scanner.scan_alike(input) {
                self.sample(&input[..sample.len], sample, kept, report)?;
                sample.len
            } else {
                match self.scanner.scan(input) {
                    Scan::Sample(sample) => {
                        self.sample(&input[..sample.len], sample, kept, report)?;
                        sample.len
                    }
                    Scan::Header { header, len } => {
                        self.header(header, &input[..len], kept, report)?;
                        len
                    }
                    // Comments are left out, except the last line of OpenMetrics.
                    Scan::Comment { len } => {
                        kept.has_eof = input[..len] == *EOF;
                        len
                    }
                    Scan::Flawed { len, flaw } => {
                        report.drop(DropReason::Malformed(flaw));
                        len
                    }
                    // The engine writes whole lines, and no limit applies to them.
                    Scan::Incomplete | Scan::TooLong | Scan::TooManyLabels => input.len(),
                }
            };
            input = &input[len..];
        }
        Ok(())
    }

    fn add_bytes(&self, bytes: usize, report: &mut Report) -> Result<(), LimitExceeded> {
        // What the engine itself has gathered is counted there too.
        report.held_bytes += bytes;
        if report.held_bytes > self.limit { Err(LimitExceeded::Bytes(self.limit)) } else { Ok(()) }
    }

    fn sample(
        &mut self,
        text: &[u8],
        sample: Sample,
        kept: &mut Collection,
        report: &mut Report,
    ) -> Result<(), LimitExceeded> {
        if !self.is_same_set(sample) {
            self.enter_set(text, sample, kept, report)?;
        }
        let scanner = &self.scanner;
        let Some(current) = &self.current else { return Ok(()) };
        let mut unescaped = Vec::new();
        let dimension = current.dimension.map(|(dimension, index)| {
            let span = scanner.labels()[index];
            let raw = span.value.of(text);
            if span.odd {
                write_value(raw, &mut unescaped);
                return (dimension, &unescaped[..]);
            }
            (dimension, raw)
        });
        let new = NewSample {
            slot: current.slot,
            suffix: current.suffix,
            dimension,
            timestamp: scanner.timestamp(),
        };
        let value = scanner.value();
        let bytes = kept.held_mut(current.held).push(new, |tail| {
            tail.extend_from_slice(value.of(text));
            let rest = &text[value.end()..text.len() - 1];
            if !rest.is_empty() {
                write_rest(rest, tail);
            }
        });
        self.add_bytes(bytes, report)
    }

    /// Whether a sample differs from the last one at most in the label of the dimension.
    fn is_same_set(&mut self, sample: Sample) -> bool {
        let count = self.scanner.labels().len();
        let Some(current) = &self.current else { return false };
        let is_last = current.dimension.is_some_and(|(_, index)| index + 1 == count);
        let is_same = is_last && current.label_names.len() == count && sample.shared >= count;
        if is_same {
            self.hashes.changed(count - 1);
        }
        is_same
    }

    /// The name or the labels have changed.
    fn enter_set(
        &mut self,
        text: &[u8],
        sample: Sample,
        kept: &mut Collection,
        report: &mut Report,
    ) -> Result<(), LimitExceeded> {
        let line = SampleLine { number: 0, text, sample, scanner: &self.scanner };
        let changed = line.first_changed();
        self.hashes.changed(changed);
        let labels = line.labels();
        let name_may_differ = sample.shared == 0 || self.scanner.has_quoted_name();
        let known = self.current.take().filter(|current| {
            let names = &current.label_names;
            let from = if name_may_differ { 0 } else { changed };
            (!name_may_differ || *kept.names.get(current.name).text == *line.name())
                && names.len() == labels.spans.len()
                && names
                    .iter()
                    .zip(labels.spans)
                    .skip(from)
                    .all(|(name, span)| **name == *span.name.of(text))
        });
        let mut added = 0;
        let names = kept.names.len();
        let mut current = known.unwrap_or_else(|| start(&self.hasher, self.format, &line, kept));
        if kept.names.len() > names {
            self.budget.add_series(0)?;
            added += line.name().len() + NAME_BYTES;
        }
        let rendered = current.transform.render(labels, &mut self.hashes, &mut self.rendered);
        debug_assert!(rendered.is_ok(), "without edits, no label is written twice");
        // An empty one is none, and other samples of this label set have one of their own.
        self.rendered.remove_empty(&[LE, QUANTILE]);
        let (slot, new_bytes) = kept.held_mut(current.held).slot(&self.rendered);
        if let Some(bytes) = new_bytes {
            self.budget.add_series(0)?;
            added += bytes;
        }
        current.slot = slot;
        self.current = Some(current);
        self.add_bytes(added, report)
    }

    fn header(
        &mut self,
        header: Header,
        line: &[u8],
        kept: &mut Collection,
        report: &mut Report,
    ) -> Result<(), LimitExceeded> {
        let id = self.name_of_header(header.name.of(line), kept, report)?;
        let headers = &mut kept.names.get_mut(id).headers;
        let text = header.text.of(line);
        let place = match header.kind {
            HeaderKind::Help => &mut headers.help,
            HeaderKind::Type(_) => &mut headers.metric_type,
            HeaderKind::Unit => &mut headers.unit,
        };
        if place.is_some() {
            report.drop(DropReason::RepeatedHeader);
            return Ok(());
        }
        let mut written = Vec::new();
        match header.kind {
            HeaderKind::Help => write_help(text, self.format, &mut written),
            HeaderKind::Type(_) | HeaderKind::Unit => written.extend_from_slice(text),
        }
        let bytes = written.len();
        *place = Some(written.into());
        self.add_bytes(bytes, report)
    }

    fn name_of_header(
        &mut self,
        raw: &[u8],
        kept: &mut Collection,
        report: &mut Report,
    ) -> Result<NameId, LimitExceeded> {
        let mut text = Vec::new();
        write_quoted(raw, &mut text);
        let known = kept.names.len();
        let id = kept.names.id(&text);
        if kept.names.len() > known {
            self.budget.add_series(0)?;
            self.add_bytes(text.len() + NAME_BYTES, report)?;
        }
        Ok(id)
    }
}

/// How to keep the samples that have the name and the label names of this one.
fn start(
    hasher: &LabelHasher,
    format: Format,
    line: &SampleLine<'_>,
    kept: &mut Collection,
) -> Current {
    let mut name = Vec::new();
    write_quoted(line.name(), &mut name);
    let labels = line.labels();
    let label_names: Vec<Box<[u8]>> =
        labels.spans.iter().map(|span| span.name.of(line.text).into()).collect();
    let index = |wanted: &[u8]| label_names.iter().position(|name| **name == *wanted);
    let with_index = |dimension: Dimension| Some((dimension, index(dimension.label())?));
    let (base, suffix) = split(&name, format);
    let (boundary, quantile) = (with_index(Dimension::Boundary), with_index(Dimension::Quantile));
    let headers = kept.names.find(&name).map(|id| &kept.names.get(id).headers);
    let is_summary =
        headers.is_some_and(|headers| headers.metric_type.as_deref() == Some(b"summary"));
    let (base, suffix, dimension) = match suffix {
        Suffix::Bucket => (base, suffix, boundary),
        // The name of a summary can end like that of a part.
        _ if quantile.is_some() && is_summary => (&name[..], Suffix::None, quantile),
        // Some targets write the buckets of a histogram under its own name.
        Suffix::None => (base, suffix, boundary.or(quantile)),
        _ => (base, suffix, None),
    };
    let held = kept.held_id(base);
    let without: &[Box<[u8]>] = match dimension {
        Some((dimension, _)) => &[dimension.label().into()],
        None => &[],
    };
    let transform = LabelTransform::new(hasher, labels, &LabelEdits::default(), without, false);
    let name = kept.names.id(&name);
    kept.names.get_mut(name).is_sampled = true;
    let slot = SeriesSlot::default();
    Current { name, label_names, held, suffix, dimension, transform, slot }
}

/// Writes what follows a value: the timestamp and the exemplar, after one blank each.
#[cold]
fn write_rest(rest: &[u8], out: &mut Vec<u8>) {
    let rest = rest.trim_ascii();
    let (timestamp, exemplar) = match rest.iter().position(|&byte| byte == b'#') {
        Some(at) => (rest[..at].trim_ascii(), Some(&rest[at..])),
        None => (rest, None),
    };
    if !timestamp.is_empty() {
        out.push(b' ');
        out.extend_from_slice(timestamp);
    }
    if let Some(exemplar) = exemplar {
        out.push(b' ');
        // Backslashes and newlines are only in its label values.
        write_value(exemplar, out);
    }
}
