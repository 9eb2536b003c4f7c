//! Engines of which each reads the output of the one before.

use std::sync::Arc;

use crate::mapping::Plan;
use crate::rewrite::exposition::engine::Engine;
use crate::rewrite::exposition::options::{Error, Options};
use crate::rewrite::exposition::recorder::Recorder;
use crate::rewrite::exposition::stages::options_of_next;
use crate::rewrite::exposition::writer::{History, Progress};

/// The engines of the first stages of a plan.
#[derive(Debug)]
pub(super) struct Chain<R> {
    pub(super) engines: Vec<Engine<R>>,
    /// Number of engines, from the first, whose output is complete.
    complete: usize,
}

impl<R: Recorder> Chain<R> {
    /// The engines of these stages: [`stages`] or the first of them.
    pub(super) fn new<'a>(
        stages: impl Iterator<Item = (&'a Arc<Plan>, Options)>,
        history: &History,
        recorder: impl Fn() -> R,
    ) -> Chain<R> {
        let engine =
            |(plan, options)| Engine::new(Arc::clone(plan), options, history.clone(), recorder());
        Chain { engines: stages.map(engine).collect(), complete: 0 }
    }

    /// Reads a piece of the input, and appends to `out` what the last engine writes.
    pub(super) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        push(&mut self.engines, chunk, out)
    }

    /// The input is complete: appends the next piece of the output. [`Progress::Done`] if there is
    /// no more.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<Progress, Error> {
        let Some((engine, rest)) = self.engines[self.complete..].split_first_mut() else {
            return Ok(Progress::Done);
        };
        let mut written = Vec::new();
        if engine.finish(&mut written)? == Progress::Done {
            self.complete += 1;
        }
        push(rest, &written, out)?;
        let is_done = self.complete == self.engines.len();
        Ok(if is_done { Progress::Done } else { Progress::More })
    }
}

fn push<R: Recorder>(
    engines: &mut [Engine<R>],
    chunk: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    match engines {
        [] => out.extend_from_slice(chunk),
        [engine] => {
            engine.push_uncopied(chunk, usize::MAX, out)?;
        }
        [engine, rest @ ..] => {
            let mut written = Vec::new();
            engine.push_uncopied(chunk, usize::MAX, &mut written)?;
            push(rest, &written, out)?;
        }
    }
    Ok(())
}

/// The stages of a plan, with the options of each.
pub(super) fn stages(
    plan: &Arc<Plan>,
    options: Options,
) -> impl Iterator<Item = (&Arc<Plan>, Options)> {
    std::iter::successors(Some((plan, options)), |(plan, options)| {
        Some((plan.next.as_ref()?, options_of_next(*options)))
    })
}
