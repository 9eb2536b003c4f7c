//! The engines of a plan: one for each stage, which reads the output of the one before.
//!
//! Most plans have one stage. There are several if packs follow each other, and one more if packs
//! reduce the output.

use std::sync::Arc;

use super::engine::Engine;
use super::options::{Error, Limits, Options};
use super::output::UncopiedRange;
use super::report::Report;
use super::writer::{History, Progress};
use super::written_headers::WrittenHeaders;
use crate::mapping::Plan;

/// Rewrites one exposition, stage by stage.
#[derive(Debug)]
pub(super) struct Stages {
    engine: Engine<()>,
    next: Option<Box<Next>>,
}

/// The stages after the first.
#[derive(Debug)]
struct Next {
    stages: Stages,
    /// What the stage before has written and these have not read.
    input: Vec<u8>,
    phase: Phase,
    /// The bytes held by these stages that are in the report of the first.
    reported_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The stage before still writes.
    Reading,
    Writing,
    Done,
}

impl Stages {
    pub(super) fn new(plan: Arc<Plan>, options: Options, history: History) -> Self {
        let next = plan.next.as_ref().map(|plan| {
            let (plan, options) = (Arc::clone(plan), options_of_next(options));
            Box::new(Next {
                stages: Stages::new(plan, options, history.clone()),
                input: Vec::new(),
                phase: Phase::Reading,
                reported_bytes: 0,
            })
        });
        Stages { engine: Engine::new(plan, options, history, ()), next }
    }

    /// See `Rewriter::push_uncopied`.
    pub(super) fn push_uncopied(
        &mut self,
        chunk: &[u8],
        longer_than: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<UncopiedRange>, Error> {
        let Some(next) = &mut self.next else {
            return self.engine.push_uncopied(chunk, longer_than, out);
        };
        self.engine.push_uncopied(chunk, usize::MAX, &mut next.input)?;
        next.read(&mut self.engine, out)?;
        Ok(None)
    }

    /// See `Rewriter::finish`.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<Progress, Error> {
        let Stages { engine, next } = self;
        let Some(next) = next else {
            return engine.finish(out);
        };
        if next.phase == Phase::Reading {
            let progress = engine.finish(&mut next.input)?;
            next.read(engine, out)?;
            if progress == Progress::Done {
                engine.report_mut().complete = false;
                next.phase = Phase::Writing;
            }
            return Ok(Progress::More);
        }
        let line = engine.line_number();
        let progress = next.stages.finish(out).map_err(|error| error.in_line(line))?;
        next.report_held(engine.report_mut());
        if progress == Progress::Done && next.phase == Phase::Writing {
            next.phase = Phase::Done;
            let (first, plan) = (engine.plan(), next.stages.plan());
            let (emitted, is_reduction) = (first.emitted, plan.is_reduction);
            let expected = first.expected.len();
            let report = engine.report_mut();
            if is_reduction {
                report.add_reduction(next.stages.report());
            } else {
                report.add_stage(next.stages.report(), emitted, expected);
            }
        }
        Ok(progress)
    }

    /// The report of all stages, once the last one is done.
    pub(super) fn report(&self) -> &Report {
        self.engine.report()
    }

    pub(super) fn report_mut(&mut self) -> &mut Report {
        self.engine.report_mut()
    }

    /// The plan of the first stage.
    pub(super) fn plan(&self) -> &Arc<Plan> {
        self.engine.plan()
    }

    /// Bytes allocated for lines that have not ended.
    pub(super) fn unfinished_line_bytes(&self) -> usize {
        let next = self.next.as_ref().map_or(0, |next| next.stages.unfinished_line_bytes());
        self.engine.unfinished_line_bytes() + next
    }

    /// Number of the last line of the input that was read.
    pub(super) fn line_number(&self) -> u64 {
        self.engine.line_number()
    }

    /// See `Engine::headers_read`.
    pub(super) fn headers_read(&self) -> Vec<WrittenHeaders> {
        let mut headers = self.engine.headers_read();
        headers.extend(self.next.iter().flat_map(|next| next.stages.headers_read()));
        headers
    }

    /// See `Rewriter::into_history`.
    pub(super) fn into_history(self) -> History {
        let history = self.engine.into_history();
        match self.next {
            None => history,
            Some(next) => history.with_stage(&next.stages.into_history()),
        }
    }
}

impl Next {
    /// Reads what the stage before has written.
    fn read(&mut self, before: &mut Engine<()>, out: &mut Vec<u8>) -> Result<(), Error> {
        let line = before.line_number();
        let read = self.stages.push_uncopied(&self.input, usize::MAX, out);
        read.map_err(|error| error.in_line(line))?;
        self.input.clear();
        self.report_held(before.report_mut());
        Ok(())
    }

    /// Adds what these stages hold to the report of the one before.
    fn report_held(&mut self, report: &mut Report) {
        let held = self.stages.report().held_bytes;
        report.held_bytes += held - self.reported_bytes;
        self.reported_bytes = held;
    }
}

/// The first stage has checked the input. Lines that it writes can be longer than those it reads.
pub(super) fn options_of_next(options: Options) -> Options {
    let Limits { line_bytes, held_series, held_bytes, .. } = options.limits;
    let limits = Limits {
        line_bytes: line_bytes.saturating_mul(2),
        held_series,
        held_bytes,
        labels: usize::MAX,
        body_bytes: u64::MAX,
    };
    Options { limits, ..options }
}
