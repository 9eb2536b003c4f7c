//! The second of two readings of an exposition, which explains it line by line.

use std::sync::Arc;

use super::chain::{Chain, stages};
use super::describe::{LineDescriber, describe_series};
use super::explanation::{ExplainedSeries, Line, Reading, Then};
use super::merged_lines::MergedLines;
use super::outline::{Outline, StageOutline, is_of_family};
use super::trace::{Effect, SampleTrace, Trace};
use crate::mapping::Plan;
use crate::rewrite::exposition::engine::Engine;
use crate::rewrite::exposition::options::{Error, Malformed, Options};
use crate::rewrite::exposition::writer::{History, Progress};

/// Explains one stage of an exposition while it is read. Its memory does not grow with the number
/// of lines: it holds what the engine holds, and which lines were gathered into each series.
///
/// Call [`push`](Self::push) for each chunk, then [`finish`](Self::finish) until it returns
/// [`Progress::Done`].
#[derive(Debug)]
pub struct Explainer<'a> {
    outline: &'a StageOutline,
    only: Option<&'a str>,
    /// The stages before this one.
    before: Chain<()>,
    engine: Engine<Trace>,
    describer: LineDescriber,
    /// The lines that were gathered into each series of the outline.
    merged: Vec<MergedLines>,
    /// What the stages before have written and this one has not read.
    input: Vec<u8>,
    output: Vec<u8>,
}

impl<'a> Explainer<'a> {
    /// Starts an exposition, for the stage of the outline with this index. The other arguments are
    /// those of the [`Survey`](super::Survey) that has read the same exposition.
    ///
    /// # Panics
    ///
    /// The outline has no such stage.
    #[must_use]
    pub fn new(
        (outline, stage): (&'a Outline, usize),
        plan: &Arc<Plan>,
        options: Options,
        history: &History,
        only: Option<&'a str>,
    ) -> Explainer<'a> {
        let before = Chain::new(stages(plan, options).take(stage), history, || ());
        let (own, its_options) = stages(plan, options).nth(stage).expect("a stage of the outline");
        let outline = &outline.stages[stage];
        Explainer {
            outline,
            only,
            before,
            engine: Engine::new(Arc::clone(own), its_options, history.clone(), Trace::default()),
            describer: LineDescriber::new(options.malformed == Malformed::Pass),
            merged: outline.series.iter().map(|_| MergedLines::default()).collect(),
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Takes the next chunk, and appends the explanations of the lines that are complete.
    ///
    /// # Errors
    ///
    /// As [`Rewriter::push`](crate::rewrite::exposition::Rewriter::push).
    pub fn push(&mut self, chunk: &[u8], lines: &mut Vec<Line>) -> Result<(), Error> {
        self.before.push(chunk, &mut self.input)?;
        self.read(lines)
    }

    /// The input is complete: appends the explanations of the last lines, and of the next series.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn finish(
        &mut self,
        lines: &mut Vec<Line>,
        series: &mut Vec<ExplainedSeries>,
    ) -> Result<Progress, Error> {
        if self.before.finish(&mut self.input)? == Progress::More {
            self.read(lines)?;
            return Ok(Progress::More);
        }
        self.read(lines)?;
        let progress = self.engine.finish(&mut self.output)?;
        self.output.clear();
        self.describe_lines(lines);
        self.describe_series(series);
        Ok(progress)
    }

    /// Reads what the stages before have written.
    fn read(&mut self, lines: &mut Vec<Line>) -> Result<(), Error> {
        self.engine.push_uncopied(&self.input, usize::MAX, &mut self.output)?;
        self.input.clear();
        self.output.clear();
        self.describe_lines(lines);
        Ok(())
    }

    fn describe_lines(&mut self, lines: &mut Vec<Line>) {
        let (trace, plan) = self.engine.recorder();
        let start = lines.len();
        for sample in trace.samples.drain(..) {
            merge(&mut self.merged, self.outline, &sample);
            lines.push(self.describer.sample(plan, self.outline, &sample));
        }
        let malformed = trace.malformed.drain(..);
        lines.extend(malformed.map(|malformed| self.describer.malformed(&malformed)));
        lines[start..].sort_by_key(|line| line.number);
        if let Some(only) = self.only {
            let mut new = lines.split_off(start);
            new.retain(|line| is_related(line, only));
            lines.append(&mut new);
        }
    }

    fn describe_series(&mut self, series: &mut Vec<ExplainedSeries>) {
        let (trace, plan) = self.engine.recorder();
        for written in trace.written.drain(..) {
            // Without an index, the series is unrelated to the family.
            if let Some(index) = self.outline.index_of.get(&written.series) {
                let lines = std::mem::take(&mut self.merged[*index]);
                series.push(describe_series(plan, written, &lines));
            }
        }
    }
}

/// Remembers into which series a sample was gathered.
fn merge(merged: &mut [MergedLines], outline: &StageOutline, sample: &SampleTrace) {
    for effect in &sample.effects {
        match effect {
            Effect::Renamed(..) => {}
            Effect::Gathered(_, series) => {
                if let Some(index) = outline.index_of.get(series) {
                    merged[*index].from.push(sample.number);
                }
            }
            Effect::SubtractedFrom(total) => {
                if let Some(index) = outline.index_of.get(total) {
                    merged[*index].less.push(sample.number);
                }
            }
        }
    }
}

/// Whether a line belongs to a family, or is rewritten as one of its lines, or is gathered into a
/// series that the outline has.
fn is_related(line: &Line, family: &str) -> bool {
    let is_wanted = |reading: &Reading| match &reading.then {
        Then::Gathered { series, part_of } => series.is_some() || part_of.is_some(),
        Then::Line { text } => {
            is_of_family(text.split(['{', ' ']).next().unwrap_or_default(), family)
        }
        Then::Nothing { .. } => false,
    };
    is_of_family(&line.family, family) || line.read_by.iter().any(is_wanted)
}
