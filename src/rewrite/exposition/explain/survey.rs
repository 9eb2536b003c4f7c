//! The first of two readings of an exposition, which finds out where samples are gathered.

use std::collections::HashSet;
use std::sync::Arc;

use super::chain::{Chain, stages};
use super::describe::{first_name, printable_line};
use super::outline::{Outline, SeriesName, StageOutline, is_of_family};
use crate::exposition::Flaw;
use crate::mapping::Plan;
use crate::mapping::plan::exposition::{OutputId, RuleId};
use crate::rewrite::exposition::gathered::SeriesRef;
use crate::rewrite::exposition::options::{Error, Options};
use crate::rewrite::exposition::reason::{DropReason, RefusedBecause};
use crate::rewrite::exposition::recorder::{Recorder, WrittenSeries};
use crate::rewrite::exposition::resolved_plan::ResolvedPlan;
use crate::rewrite::exposition::writer::{History, Progress};

/// Reads an exposition for its [`Outline`]. An [`Explainer`](super::Explainer) then reads it again.
///
/// It holds what the engine holds, and the name of each gathered series.
#[derive(Debug)]
pub struct Survey {
    chain: Chain<Found>,
    outline: Outline,
}

impl Survey {
    /// Starts an exposition. `only` is the name of a family of either generation: lines and series
    /// that are unrelated to it are not explained.
    #[must_use]
    pub fn new(
        plan: &Arc<Plan>,
        options: Options,
        history: &History,
        only: Option<&str>,
    ) -> Survey {
        let only: Option<Arc<str>> = only.map(Arc::from);
        let found = || Found { only: only.clone(), ..Found::default() };
        let chain = Chain::new(stages(plan, options), history, found);
        let outlines = chain.engines.iter().map(|_| StageOutline::default());
        Survey { outline: Outline { stages: outlines.collect() }, chain }
    }

    /// Takes the next chunk, and appends to `out` what is output already.
    ///
    /// # Errors
    ///
    /// As [`Rewriter::push`](crate::rewrite::exposition::Rewriter::push).
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.chain.push(chunk, out)
    }

    /// The input is complete: appends the next piece of what was gathered.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<Progress, Error> {
        let progress = self.chain.finish(out)?;
        for (engine, outline) in self.chain.engines.iter_mut().zip(&mut self.outline.stages) {
            let (found, plan) = engine.recorder();
            found.add_to(outline, plan);
        }
        Ok(progress)
    }

    /// What was found out. Call after [`Progress::Done`].
    #[must_use]
    pub fn into_outline(self) -> Outline {
        self.outline
    }
}

/// What one engine has reported.
#[derive(Debug, Default)]
struct Found {
    /// The family to explain. `None`: all of them.
    only: Option<Arc<str>>,
    /// The current sample is explained.
    is_wanted: bool,
    has_lines: bool,
    /// Where samples of the family were gathered, or subtracted.
    touched: HashSet<SeriesRef>,
    /// Written since they were last moved to the outline.
    written: Vec<Written>,
}

#[derive(Debug)]
struct Written {
    output: OutputId,
    labels: Box<[u8]>,
    /// The series, and those that were merged with it.
    series: Vec<SeriesRef>,
}

impl Found {
    /// Whether a line with this name is explained.
    fn wants(&self, name: &[u8]) -> bool {
        let is_of = |only: &str| std::str::from_utf8(name).is_ok_and(|it| is_of_family(it, only));
        self.only.as_deref().is_none_or(is_of)
    }

    fn gathered_into(&mut self, series: SeriesRef) {
        if self.is_wanted && self.only.is_some() {
            self.touched.insert(series);
        }
    }

    /// Moves what was found to the outline.
    fn add_to(&mut self, outline: &mut StageOutline, plan: &ResolvedPlan) {
        outline.has_lines = self.has_lines;
        for written in std::mem::take(&mut self.written) {
            let name = &plan.output(written.output).name;
            let is_touched = || written.series.iter().any(|it| self.touched.contains(it));
            if !self.wants(name) && !is_touched() {
                continue;
            }
            let family = printable_line(name);
            // The series of one family are written one after another.
            let last = outline.series.last().map(|last| &last.family);
            let family = match last.filter(|last| ***last == *family) {
                Some(last) => Arc::clone(last),
                None => family.into(),
            };
            let index = outline.series.len();
            let labels = printable_line(&written.labels).into();
            outline.series.push(SeriesName { family, labels });
            outline.index_of.extend(written.series.into_iter().map(|series| (series, index)));
        }
    }
}

impl Recorder for Found {
    const RECORDS: bool = true;

    fn sample(&mut self, _: u64, _: &[u8], family: &[u8]) {
        self.is_wanted = self.wants(family);
        self.has_lines |= self.is_wanted;
    }

    fn renamed(&mut self, _: RuleId, line: &[u8]) {
        let end = line.iter().position(|byte| b"{ ".contains(byte)).unwrap_or(line.len());
        self.has_lines |= self.wants(&line[..end]);
    }

    fn gathered(&mut self, _: RuleId, series: SeriesRef) {
        self.gathered_into(series);
    }

    fn subtracted_from(&mut self, total: SeriesRef) {
        self.gathered_into(total);
    }

    fn malformed(&mut self, _: u64, line: &[u8], _: Flaw) {
        self.has_lines |= self.wants(first_name(line));
    }

    fn written(&mut self, written: WrittenSeries<'_>) {
        let series = std::iter::once(written.series).chain(written.merged.iter().copied());
        self.written.push(Written {
            output: written.output,
            labels: written.labels.into(),
            series: series.collect(),
        });
    }

    fn forwarded(&mut self) {}
    fn dropped(&mut self, _: DropReason) {}
    fn refused(&mut self, _: RuleId, _: RefusedBecause) {}
}
