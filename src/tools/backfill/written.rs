//! The series that a portion of the source has become.

use std::collections::HashMap;

use super::labels::LabelSet;
use super::output::WrittenSeries;
use super::table::Source;
use super::target::stored;
use crate::exposition::MetricType;

/// Every series that the engine has written.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The index of a series, by its text as the engine writes it, for each target.
    by_target: Vec<HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>>,
    series: Vec<Known>,
    /// The time at which each series of the source had a sample last.
    present: Vec<i64>,
}

/// A series that the engine has written.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) series: WrittenSeries,
    /// Its number in the source, if it is stored there.
    pub(super) in_source: Option<u32>,
    /// The time of the last sample written.
    pub(super) last: Option<i64>,
}

/// A `# TYPE` line of the engine.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) family: Box<[u8]>,
    pub(super) metric_type: MetricType,
}

impl Declared {
    /// Whether a sample of this name is of the family, and its labels depend on the type.
    fn is_of(&self, name: &[u8]) -> bool {
        let is_typed = matches!(self.metric_type, MetricType::Histogram | MetricType::Summary);
        let suffix = name.strip_prefix(&*self.family);
        is_typed && matches!(suffix, Some(b"" | b"_bucket" | b"_sum" | b"_count"))
    }
}

impl Written {
    pub(super) fn new(source: &Source) -> Written {
        Written {
            by_target: vec![HashMap::default(); source.targets.len()],
            series: Vec::new(),
            present: vec![i64::MIN; source.series.len()],
        }
    }

    /// These series of the source have a sample at this time.
    pub(super) fn begin_scrape(&mut self, samples: &[(u32, f64)], time: i64) {
        for (number, _) in samples {
            self.present[*number as usize] = time;
        }
    }

    /// The index of a series, as the engine writes it.
    #[inline]
    pub(super) fn index(&self, target: usize, text: &[u8]) -> Option<usize> {
        self.by_target[target].get(text).copied()
    }

    /// Adds a series. Returns its index.
    pub(super) fn add(
        &mut self,
        source: &Source,
        (target, text): (usize, &[u8]),
        exposed: &LabelSet,
        declared: Option<&Declared>,
    ) -> usize {
        let of = &source.targets[target];
        let labels = stored(exposed, &of.labels, &of.honored);
        let declared = declared.filter(|declared| declared.is_of(&labels.name));
        let family = declared.map(|it| (it.family.clone(), it.metric_type));
        let number = self.series.len();
        let in_source = source.number(&labels);
        let series = WrittenSeries { number, text: labels.text().into(), family, labels };
        self.series.push(Known { series, in_source, last: None });
        self.by_target[target].insert(text.into(), number);
        number
    }

    /// A series, and the time at which each series of the source had a sample last.
    pub(super) fn known(&mut self, index: usize) -> (&mut Known, &[i64]) {
        (&mut self.series[index], &self.present)
    }
}
