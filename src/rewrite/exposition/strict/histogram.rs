//! Writes one group: a histogram with everything that strict readers require, or another group.

use std::collections::HashMap;

use super::families::Family;
use super::group::{Entry, Rank};
use super::held_samples::HeldSamples;
use super::layout::KnownLayouts;
use super::suffix::{FamilyKind, Suffix};
use super::text::begin;
use crate::rewrite::exposition::reason::DropReason;
use crate::rewrite::exposition::report::Report;

/// Writes the groups of one family.
#[derive(Debug)]
pub(super) struct GroupWriter {
    layouts: KnownLayouts,
    /// Of each boundary, by its bits: a sample that spells it. A missing bucket is spelled alike.
    spellings: HashMap<u64, usize, foldhash::fast::RandomState>,
    /// The parts of the current group.
    parts: Vec<Entry>,
    prefix: BucketPrefix,
}

/// What the lines of buckets begin with.
#[derive(Debug)]
struct BucketPrefix {
    text: Vec<u8>,
    suffix: Suffix,
}

impl BucketPrefix {
    fn set(&mut self, family: &Family, suffix: Suffix, labels: &[u8]) {
        self.text.clear();
        let begun = begin(&family.name, suffix, labels, &mut self.text);
        self.text.extend_from_slice(begun.before_label());
        self.text.extend_from_slice(b"le=\"");
        self.suffix = suffix;
    }

    /// Writes the line of a bucket up to its value.
    fn write(&self, le: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text);
        out.extend_from_slice(le);
        out.extend_from_slice(b"\"} ");
    }
}

/// A family, and where its groups are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) family: &'a Family,
    pub(super) held: &'a HeldSamples,
}

impl GroupWriter {
    pub(super) fn new(layouts: KnownLayouts, entries: &[Entry]) -> Self {
        let prefix = BucketPrefix { text: Vec::new(), suffix: Suffix::Bucket };
        let mut spellings = HashMap::default();
        if !layouts.is_empty() {
            for entry in entries.iter().filter(|entry| entry.rank == Rank::Buckets) {
                spellings.entry(entry.bound.to_bits()).or_insert(entry.index);
            }
        }
        GroupWriter { layouts, spellings, parts: Vec::new(), prefix }
    }

    /// Writes a group; returns the number of samples.
    pub(super) fn write(
        &mut self,
        source: Source<'_>,
        group: &[Entry],
        report: &mut Report,
        out: &mut Vec<u8>,
    ) -> u64 {
        self.choose(group, report);
        match source.family.kind.sum_and_count() {
            Some((sum, count)) => self.write_histogram(source, sum, count, report, out),
            None => self.write_others(source, report, out),
        }
    }

    /// Chooses the samples of a group that are written: the first of equal ones. All have the same
    /// timestamp, the latest, so that they are one histogram. A creation time needs none.
    fn choose(&mut self, group: &[Entry], report: &mut Report) {
        let is_created = |entry: &&Entry| entry.rank == Rank::Created;
        let others = group.iter().filter(|entry| !is_created(entry));
        let latest = others.map(|entry| entry.timestamp).max();
        let is_chosen = |entry: &&Entry| is_created(entry) || Some(entry.timestamp) == latest;
        let key = |entry: &Entry| (entry.rank, entry.bound.to_bits());
        let is_same = |a: &Entry, b: &Entry| key(a) == key(b);
        self.parts.clear();
        self.parts.extend(group.iter().filter(is_chosen));
        self.parts.dedup_by(|b, a| is_same(a, b));
        for samples in group.chunk_by(is_same) {
            let (reason, dropped) = if samples.iter().any(|sample| is_chosen(&sample)) {
                (DropReason::RepeatedSeries, samples.len() - 1)
            } else {
                (DropReason::OtherTimestamp, samples.len())
            };
            report.drop_all(reason, dropped as u64);
        }
    }

    fn write_others(&self, source: Source<'_>, report: &mut Report, out: &mut Vec<u8>) -> u64 {
        let Source { family, held } = source;
        let has = |rank| self.parts.iter().any(|part| part.rank == rank);
        if family.kind == FamilyKind::Summary && !(has(Rank::Sum) && has(Rank::Count)) {
            report.incomplete += 1;
        }
        for part in &self.parts {
            let sample = held.sample(part.index);
            let begun = begin(&family.name, sample.suffix, held.labels(sample.slot), out);
            let mut before_value = begun.before_value();
            if let Some(dimension) = sample.dimension {
                out.extend_from_slice(begun.before_label());
                out.extend_from_slice(dimension.label());
                out.extend_from_slice(b"=\"");
                out.extend_from_slice(held.dimension(part.index));
                before_value = b"\"} ";
            }
            out.extend_from_slice(before_value);
            out.extend_from_slice(held.tail(part.index));
            out.push(b'\n');
        }
        self.parts.len() as u64
    }

    fn write_histogram(
        &mut self,
        source: Source<'_>,
        sum: Suffix,
        count: Suffix,
        report: &mut Report,
        out: &mut Vec<u8>,
    ) -> u64 {
        let held = source.held;
        let find = |rank| self.parts.iter().find(|part| part.rank == rank).copied();
        let (summed, counted, created) = (find(Rank::Sum), find(Rank::Count), find(Rank::Created));
        let buckets = self.parts.partition_point(|part| part.rank == Rank::Buckets);
        let is_infinite = |part: &&Entry| part.bound == f64::INFINITY;
        let infinite = self.parts[..buckets].last().filter(is_infinite).copied();
        let Some(total) = infinite.or(counted) else {
            // Without either, readers cannot even tell how many observations there are.
            report.drop_all(DropReason::IncompleteHistogram, self.parts.len() as u64);
            return 0;
        };
        let labels = held.labels(total.slot);
        let mut filled = self.write_buckets(source, buckets, labels, out);
        let mut samples = buckets as u64;
        if infinite.is_none() {
            self.prefix.write(b"+Inf", out);
            write_number_of(held, total, out);
            filled += 1;
        }
        if let Some(part) = summed {
            write_part(source, sum, part, out);
            samples += 1;
        } else {
            // It cannot be known.
            report.incomplete += 1;
        }
        if let Some(part) = counted {
            write_part(source, count, part, out);
            samples += 1;
        } else {
            let begun = begin(&source.family.name, count, labels, out);
            out.extend_from_slice(begun.before_value());
            write_number_of(held, total, out);
            filled += 1;
        }
        if let Some(part) = created {
            write_part(source, Suffix::Created, part, out);
            samples += 1;
        }
        report.filled += filled;
        samples + filled
    }

    /// Writes the buckets that arrived and those that are missing among them. Returns how many were
    /// missing.
    fn write_buckets(
        &mut self,
        source: Source<'_>,
        buckets: usize,
        labels: &[u8],
        out: &mut Vec<u8>,
    ) -> u64 {
        let held = source.held;
        let first = self.parts[..buckets].first();
        let suffix = first.map_or(Suffix::Bucket, |part| held.sample(part.index).suffix);
        self.prefix.set(source.family, suffix, labels);
        let buckets = &self.parts[..buckets];
        // A layout may end anywhere: what is missing above the last boundary is not a hole. A
        // histogram with nothing but `+Inf` has all its observations above the last one.
        let last = buckets.iter().rfind(|part| part.bound < f64::INFINITY).or(buckets.last());
        let last = last.map_or(f64::NEG_INFINITY, |part| part.bound);
        let bounds: Vec<f64> =
            buckets.iter().map(|part| part.bound).filter(|bound| bound.is_finite()).collect();
        let known = self.layouts.boundaries(labels, &bounds);
        let mut known = known.into_iter().take_while(|boundary| boundary.bound < last).peekable();
        let mut below: Option<Entry> = None;
        let mut filled = 0;
        for part in buckets {
            while let Some(boundary) = known.next_if(|boundary| boundary.bound <= part.bound) {
                #[allow(clippy::float_cmp, reason = "the same number is the same boundary")]
                if boundary.bound == part.bound {
                    continue;
                }
                let spelled = self.spellings.get(&boundary.bound.to_bits());
                let le = spelled.map_or(boundary.text.as_bytes(), |&index| held.dimension(index));
                self.prefix.write(le, out);
                match below {
                    Some(below) => write_number_of(held, below, out),
                    None => write_zero(held, *part, out),
                }
                filled += 1;
            }
            let suffix = held.sample(part.index).suffix;
            if suffix != self.prefix.suffix {
                self.prefix.set(source.family, suffix, labels);
            }
            let is_infinite = part.bound == f64::INFINITY;
            self.prefix.write(if is_infinite { b"+Inf" } else { held.dimension(part.index) }, out);
            out.extend_from_slice(held.tail(part.index));
            out.push(b'\n');
            below = Some(*part);
        }
        filled
    }
}

/// Writes a sample that is no bucket as it arrived.
fn write_part(source: Source<'_>, suffix: Suffix, part: Entry, out: &mut Vec<u8>) {
    let Source { family, held } = source;
    let begun = begin(&family.name, suffix, held.labels(part.slot), out);
    out.extend_from_slice(begun.before_value());
    out.extend_from_slice(held.tail(part.index));
    out.push(b'\n');
}

/// Ends a line with the value and the timestamp of another sample. An exemplar is not repeated.
fn write_number_of(held: &HeldSamples, part: Entry, out: &mut Vec<u8>) {
    out.extend_from_slice(held.value(part.index));
    write_end(held, part, out);
}

/// Ends a line with the value 0 and the timestamp of another sample.
fn write_zero(held: &HeldSamples, part: Entry, out: &mut Vec<u8>) {
    out.push(b'0');
    write_end(held, part, out);
}

fn write_end(held: &HeldSamples, part: Entry, out: &mut Vec<u8>) {
    if let Some(timestamp) = held.timestamp(part.index) {
        out.push(b' ');
        out.extend_from_slice(timestamp);
    }
    out.push(b'\n');
}
