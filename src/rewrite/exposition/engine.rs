//! Rewrites an exposition, from its first chunk to the end of the output, with a recorder.

use std::sync::Arc;

use super::line_buffer::LineBuffer;
use super::line_reader::LineReader;
use super::options::{Error, Limits, Options};
use super::output::{Output, UncopiedRange};
use super::recorder::Recorder;
use super::report::Report;
use super::resolved_plan::ResolvedPlan;
use super::writer::{History, Progress, Writer};
use super::written_headers::WrittenHeaders;
use crate::mapping::Plan;

/// Rewrites one exposition, and reports each step to a recorder.
#[derive(Debug)]
pub(super) struct Engine<R> {
    plan: ResolvedPlan,
    line_buffer: LineBuffer,
    reader: LineReader<R>,
    phase: Phase,
    limits: Limits,
}

#[derive(Debug)]
enum Phase {
    Reading(History),
    Writing(Box<Writer>),
    Done(History),
}

impl<R: Recorder> Engine<R> {
    pub(super) fn new(plan: Arc<Plan>, options: Options, history: History, recorder: R) -> Self {
        Engine {
            line_buffer: LineBuffer::default(),
            reader: LineReader::new(&plan, options, recorder),
            phase: Phase::Reading(history),
            limits: options.limits,
            plan: ResolvedPlan::new(plan),
        }
    }

    /// See `Rewriter::push_uncopied`.
    pub(super) fn push_uncopied(
        &mut self,
        chunk: &[u8],
        longer_than: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<UncopiedRange>, Error> {
        let Engine { plan, line_buffer, reader, limits, .. } = self;
        let bytes_in = &mut reader.state.report.bytes_in;
        *bytes_in += chunk.len() as u64;
        if *bytes_in > limits.body_bytes {
            return Err(Error::BodyTooLong { limit: limits.body_bytes });
        }
        let rest =
            line_buffer.complete_with(chunk, |bytes| reader.read_short(plan, bytes, false, out))?;
        let mut rest_out = Output::new(rest, out).with_uncopied(longer_than);
        reader.read(plan, &mut rest_out, false)?;
        let (read, uncopied) = rest_out.finish();
        line_buffer.keep(&rest[read..]);
        if line_buffer.len() > limits.line_bytes {
            line_buffer.reparse(|bytes| reader.read_short(plan, bytes, false, out))?;
        }
        if line_buffer.len() > limits.line_bytes {
            return Err(reader.too_long());
        }
        let before = chunk.len() - rest.len();
        Ok(uncopied.map(|range| range.after(before)))
    }

    /// See `Rewriter::finish`.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<Progress, Error> {
        let Engine { plan, reader, .. } = self;
        if let Phase::Reading(history) = &mut self.phase {
            let history = std::mem::take(history);
            let last = self.line_buffer.take_last();
            reader.read_short(plan, &last, true, out)?;
            reader.complete()?;
            let writer = Writer::new(plan.base(), history, &reader.state.gathered);
            self.phase = Phase::Writing(Box::new(writer));
        }
        let Phase::Writing(writer) = &mut self.phase else {
            return Ok(Progress::Done);
        };
        let progress = writer.write_piece(plan, &mut reader.state, out);
        if progress == Progress::Done {
            out.extend_from_slice(reader.last_line());
            reader.state.find_editions(plan.base());
            let families = &reader.state.families;
            reader.state.report.complete(plan.base(), families);
            self.phase = Phase::Done(writer.take_history());
        }
        Ok(progress)
    }

    pub(super) fn report(&self) -> &Report {
        &self.reader.state.report
    }

    pub(super) fn report_mut(&mut self) -> &mut Report {
        &mut self.reader.state.report
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        self.plan.base()
    }

    /// Bytes allocated for a line that has not ended.
    pub(super) fn unfinished_line_bytes(&self) -> usize {
        self.line_buffer.allocated()
    }

    /// Number of the last line read.
    pub(super) fn line_number(&self) -> u64 {
        self.reader.line_number()
    }

    /// The headers of the families that rules have read, for the families that they have written.
    pub(super) fn headers_read(&self) -> Vec<WrittenHeaders> {
        let state = &self.reader.state;
        let read = self.plan.rules().filter_map(|(id, rule)| {
            let source = state.gathered.source_of(id);
            let name = &self.plan.output(rule.to).name;
            state.families.headers_for(name, source, rule)
        });
        read.collect()
    }

    /// The recorder, and the plan that its ids refer to.
    pub(super) fn recorder(&mut self) -> (&mut R, &ResolvedPlan) {
        (&mut self.reader.state.recorder, &self.plan)
    }

    /// See `Rewriter::into_history`.
    pub(super) fn into_history(self) -> History {
        match self.phase {
            Phase::Reading(history) | Phase::Done(history) => history,
            Phase::Writing(writer) => writer.into_before(),
        }
    }
}
