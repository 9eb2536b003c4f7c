//! One backfill: samples come in in any order, windows go out.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::converter::{Converter, Totals};
use super::families::Families;
use super::labels::LabelSet;
use super::options::{Error, Options};
use super::output::Output;
use super::record::Record;
use super::sorter::{Sorted, Sorter};
use super::table::{SeriesTable, Source, Types};
use super::target;
use super::written::Written;
use crate::exposition::MetricType;
use crate::mapping::Plan;
use crate::rewrite::exposition::History;

/// The last moment that can be written: the first day of 2100.
const LAST_TIME: i64 = 4_102_444_800_000;

/// Rewrites stored samples. See the [module](super).
#[derive(Debug)]
pub struct Backfill {
    plan: Arc<Plan>,
    options: Options,
    table: SeriesTable,
    /// The types of families that the source tells.
    types: Types,
    sorter: Sorter,
    converter: Converter,
    /// Samples before this time have been written.
    done_until: i64,
    /// The time of the latest sample of the portion that is being read.
    latest: i64,
}

/// Samples that are sorted, of one portion of the source.
#[derive(Debug)]
pub struct Portion {
    sorted: Sorted,
    next: Option<Record>,
    source: Source,
    written: Written,
    latest: i64,
}

impl Backfill {
    /// Rewrites with a plan.
    #[must_use]
    pub fn new(plan: Arc<Plan>, options: Options) -> Backfill {
        let table = table(&options);
        let sorter = Sorter::new(options.spill_folder.clone(), options.memory);
        let converter = Converter::new(Arc::clone(&plan), options.existing);
        let types = Types::default();
        Backfill { plan, options, table, types, sorter, converter, done_until: 0, latest: 0 }
    }

    /// A regular expression that matches the names of all series that are needed.
    #[must_use]
    pub fn names(&self) -> String {
        format!("up|{}", Families::of(&self.plan).regex())
    }

    /// The number of a series, if its family is needed.
    pub(super) fn series(&mut self, set: &LabelSet) -> Option<u32> {
        self.needs(&set.name).then(|| self.table.number(set))
    }

    /// Whether series of this name are needed.
    pub(super) fn needs(&self, name: &[u8]) -> bool {
        name == b"up" || Families::of(&self.plan).has(name)
    }

    /// The type of a family, which samples do not tell.
    pub fn declare(&mut self, family: &[u8], metric_type: MetricType) {
        self.types.insert(family.into(), metric_type);
    }

    /// From now on, samples at other times are not read. Milliseconds since 1970.
    pub fn set_range(&mut self, range: Range<i64>) {
        self.options.range = range;
    }

    /// Samples before this time have been written by the run that this one continues.
    #[must_use]
    pub fn done_until(&self) -> i64 {
        self.done_until
    }

    /// Adds a sample of a series, at a time in milliseconds since 1970.
    pub(super) fn sample(&mut self, series: u32, time: i64, value: f64) -> Result<(), Error> {
        if !(0..LAST_TIME).contains(&time) {
            return Err(Error::Time(time));
        }
        if !self.options.range.contains(&time) {
            return Ok(());
        }
        let instance = self.table.saw(series, time);
        if time < self.done_until {
            return Ok(());
        }
        self.latest = self.latest.max(time);
        let window = i64::from(self.options.window);
        let number = |number: i64| u32::try_from(number).expect("it is less than 2^32");
        let (index, offset) = (number(time / window), number(time % window));
        let record = Record::new(index, instance, offset, series, value);
        self.sorter.push(record).map_err(|source| self.sort_error(source))
    }

    fn sort_error(&self, source: io::Error) -> Error {
        Error::Sort { folder: self.options.spill_folder.clone(), source }
    }

    /// A portion of the source has been read: sorts it. Later samples are of the next portion, and
    /// later than these.
    ///
    /// # Errors
    ///
    /// The spill folder cannot be used.
    pub fn portion(&mut self) -> Result<Portion, Error> {
        let table = std::mem::replace(&mut self.table, table(&self.options));
        let source = table.complete(self.types.clone(), &Families::of(&self.plan));
        let sorted = self.sorter.sorted();
        let mut sorted = sorted.map_err(|source| self.sort_error(source))?;
        let next = sorted.next().map_err(|source| self.sort_error(source))?;
        self.converter.add_first_samples(&source);
        let written = Written::new(&source);
        let latest = std::mem::take(&mut self.latest);
        Ok(Portion { sorted, next, source, written, latest })
    }

    /// Rewrites the next window of a portion.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn window(&mut self, portion: &mut Portion, to: &mut dyn Output) -> Result<(), Error> {
        let Some(first) = portion.next else { return Ok(()) };
        let mut scrape = Vec::new();
        let mut last = first;
        while let Some(record) = portion.next.filter(|next| next.window() == first.window()) {
            if record.scrape() != last.scrape() {
                self.scrape(portion, last, &mut scrape, to)?;
            }
            // The source may have a sample twice.
            if scrape.last().is_none_or(|(series, _)| *series != record.series()) {
                scrape.push((record.series(), record.value()));
            }
            last = record;
            let next = portion.sorted.next();
            portion.next = next.map_err(|source| self.sort_error(source))?;
        }
        self.scrape(portion, last, &mut scrape, to)?;
        to.finish().map_err(Error::Write)
    }

    /// Rewrites what one job and instance had at one time.
    fn scrape(
        &mut self,
        portion: &mut Portion,
        of: Record,
        samples: &mut Vec<(u32, f64)>,
        to: &mut dyn Output,
    ) -> Result<(), Error> {
        let Portion { source, written, .. } = portion;
        let series = |number: u32| &source.series[number as usize];
        let time = i64::from(of.window()) * i64::from(self.options.window) + i64::from(of.offset());
        // Usually it is one target.
        samples.sort_unstable_by_key(|(number, _)| (series(*number).target, series(*number).rank));
        for of_target in samples.chunk_by(|(a, _), (b, _)| series(*a).target == series(*b).target) {
            let target = series(of_target[0].0).target;
            self.converter.scrape(source, written, (target, time), of_target, to)?;
        }
        samples.clear();
        Ok(())
    }

    /// What was read and written until now.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.converter.totals
    }

    /// Continues after a run that has written all samples before a time.
    pub fn resume(
        &mut self,
        done_until: i64,
        totals: Totals,
        histories: impl IntoIterator<Item = (String, History)>,
    ) {
        self.done_until = done_until;
        self.converter.totals = totals;
        for (target, history) in histories {
            self.converter.histories.insert(target::from_text(&target), history);
        }
    }

    /// What the next scrape of each target must know.
    pub fn histories(&self) -> impl Iterator<Item = (String, &History)> {
        let histories = self.converter.histories.iter();
        histories.map(|(target, history)| (target::to_text(target), history))
    }
}

impl Portion {
    /// The time of its latest sample, in milliseconds since 1970.
    #[must_use]
    pub fn latest(&self) -> i64 {
        self.latest
    }

    /// The start of the next window, in milliseconds since 1970. `None` at the end.
    #[must_use]
    pub fn next_window(&self, window: u32) -> Option<i64> {
        self.next.map(|record| i64::from(record.window()) * i64::from(window))
    }
}

fn table(options: &Options) -> SeriesTable {
    SeriesTable::new(options.target_labels.iter().map(|name| name.as_bytes().into()).collect())
}
