//! Rewrites the samples that a target had at one time, as a scrape of it is rewritten.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::Arc;

use super::labels::{LabelSet, MAX_LABELS};
use super::options::{Error, Existing};
use super::output::Output;
use super::table::{Source, Target};
use super::target::TargetLabels;
use super::written::{Declared, Written};
use crate::exposition::{Format, HeaderKind, Scan, Scanner, write_number};
use crate::mapping::Plan;
use crate::rewrite::exposition::{
    DropReason, History, Limits, Options, Progress, RefusedBecause, Rewriter,
};

/// What was read and written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Scrapes: samples that one target had at one time.
    pub scrapes: u64,
    /// Samples of families that a pack names.
    pub samples_in: u64,
    /// Samples written.
    pub samples_out: u64,
    /// Series written, by this run.
    pub series_out: u64,
    /// Samples that were not written, because they are stored: those that no rule changes, and those
    /// whose series has a sample at the same time.
    pub stored: u64,
    /// Samples that the engine did not write.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Series of a scrape that a rule should have rewritten.
    pub unrewritten: BTreeMap<RefusedBecause, u64>,
}

/// The engine, with what it remembers of each target.
#[derive(Debug)]
pub(super) struct Converter {
    plan: Arc<Plan>,
    existing: Existing,
    /// What each target's next scrape must know.
    pub(super) histories: HashMap<TargetLabels, History>,
    pub(super) totals: Totals,
    /// The hashes of the series written: each portion of the source has its own table.
    series: HashSet<u64>,
    hasher: foldhash::fast::RandomState,
    /// When each series of the source, by its hash, had its first sample.
    first_samples: HashMap<u64, i64>,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Converter {
    pub(super) fn new(plan: Arc<Plan>, existing: Existing) -> Converter {
        Converter {
            plan,
            existing,
            histories: HashMap::new(),
            totals: Totals::default(),
            series: HashSet::new(),
            hasher: foldhash::fast::RandomState::default(),
            first_samples: HashMap::new(),
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    /// These series are stored.
    pub(super) fn add_first_samples(&mut self, source: &Source) {
        for (text, time) in source.first_samples() {
            let first = self.first_samples.entry(self.hasher.hash_one(text)).or_insert(time);
            *first = time.min(*first);
        }
    }

    /// Rewrites a scrape: series with their values, in the order of their ranks.
    ///
    /// # Errors
    ///
    /// The engine refuses the scrape, a series exists, or the output cannot be written.
    pub(super) fn scrape(
        &mut self,
        source: &Source,
        written: &mut Written,
        (target, time): (usize, i64),
        samples: &[(u32, f64)],
        to: &mut dyn Output,
    ) -> Result<(), Error> {
        self.write_input(source, samples);
        if self.input.is_empty() {
            // The scrape failed: there is only `up`.
            return Ok(());
        }
        written.begin_scrape(samples, time);
        self.rewrite(&source.targets[target], time)?;
        let output = std::mem::take(&mut self.output);
        let result = self.write_output(source, written, (target, time), &output, to);
        self.output = output;
        result
    }

    fn write_input(&mut self, source: &Source, samples: &[(u32, f64)]) {
        self.input.clear();
        let mut family: &[u8] = b"";
        for &(number, value) in samples {
            let series = &source.series[number as usize];
            if series.is_up {
                continue;
            }
            if *series.family != *family {
                family = &series.family;
                if let Some(metric_type) = source.metric_type(family) {
                    self.input.extend_from_slice(b"# TYPE ");
                    self.input.extend_from_slice(family);
                    self.input.push(b' ');
                    self.input.extend_from_slice(metric_type.as_str().as_bytes());
                    self.input.push(b'\n');
                }
            }
            self.input.extend_from_slice(&series.text);
            self.input.push(b' ');
            write_number(value, &mut self.input);
            self.input.push(b'\n');
        }
    }

    /// Rewrites the input to the output.
    fn rewrite(&mut self, target: &Target, time: i64) -> Result<(), Error> {
        let limits = Limits { body_bytes: u64::MAX, labels: MAX_LABELS, ..Limits::default() };
        let options = Options { limits, repeated_types: true, ..Options::default() };
        let history = self.histories.remove(&target.labels).unwrap_or_default();
        let mut rewriter = Rewriter::new(Arc::clone(&self.plan), options, history);
        self.output.clear();
        let refused = |source| Error::Scrape { target: shown(target), time, source };
        rewriter.push(&self.input, &mut self.output).map_err(refused)?;
        while rewriter.finish(&mut self.output).map_err(refused)? == Progress::More {}
        let report = rewriter.report();
        self.totals.scrapes += 1;
        self.totals.samples_in += report.samples_in;
        for (reason, count) in &report.dropped {
            *self.totals.dropped.entry(*reason).or_default() += count;
        }
        for (reason, count) in &report.unrewritten {
            *self.totals.unrewritten.entry(*reason).or_default() += count;
        }
        self.histories.insert(target.labels.clone(), rewriter.into_history());
        Ok(())
    }

    fn write_output(
        &mut self,
        source: &Source,
        written: &mut Written,
        (target, time): (usize, i64),
        mut output: &[u8],
        to: &mut dyn Output,
    ) -> Result<(), Error> {
        let mut scanner = Scanner::new(usize::MAX, MAX_LABELS, Format::Text);
        let mut declared = None;
        while !output.is_empty() {
            let length = match scanner.scan(output) {
                Scan::Sample(sample) => {
                    let text = &output[..scanner.labels_end()];
                    let index = written.index(target, text).unwrap_or_else(|| {
                        let exposed = LabelSet::of_sample(&scanner, output);
                        written.add(source, (target, text), &exposed, declared.as_ref())
                    });
                    let value = scanner.value().of(output);
                    self.write_sample(written, index, (time, value), to)?;
                    sample.len
                }
                Scan::Header { header, len } => {
                    if let HeaderKind::Type(metric_type) = header.kind {
                        let family = header.name.of(output).into();
                        declared = Some(Declared { family, metric_type });
                    }
                    len
                }
                Scan::Comment { len } | Scan::Flawed { len, .. } => len,
                Scan::Incomplete | Scan::TooLong | Scan::TooManyLabels => {
                    unreachable!("the engine writes whole lines that can be read")
                }
            };
            output = &output[length..];
        }
        Ok(())
    }

    fn write_sample(
        &mut self,
        written: &mut Written,
        index: usize,
        (time, value): (i64, &[u8]),
        to: &mut dyn Output,
    ) -> Result<(), Error> {
        let (known, present) = written.known(index);
        if known.in_source.is_some_and(|number| present[number as usize] == time) {
            self.totals.stored += 1;
            return Ok(());
        }
        if self.existing == Existing::Refuse {
            // In earlier portions of the source too.
            let first = self.first_samples.get(&self.hasher.hash_one(&known.series.text)).copied();
            if let Some(first) = first.filter(|first| *first <= time) {
                let series = String::from_utf8(known.series.text.to_vec());
                let series = series.expect("an exposition is UTF-8");
                return Err(Error::Exists { series, first, time });
            }
        }
        if known.last == Some(time) {
            // Prometheus refuses a second sample of a series at one time.
            self.totals.stored += 1;
            return Ok(());
        }
        if known.last.is_none() && self.series.insert(self.hasher.hash_one(&known.series.text)) {
            self.totals.series_out += 1;
        }
        known.last = Some(time);
        self.totals.samples_out += 1;
        to.sample(&known.series, time, value).map_err(Error::Write)
    }
}

/// A target in messages.
fn shown(target: &Target) -> String {
    let pair = |(name, value): &(Box<[u8]>, Box<[u8]>)| {
        format!("{}=\"{}\"", name.escape_ascii(), value.escape_ascii())
    };
    let pairs: Vec<String> = target.labels.iter().map(pair).collect();
    format!("{{{}}}", pairs.join(", "))
}
