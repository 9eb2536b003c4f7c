//! Explains how an exposition is rewritten: runs the same engine with a recorder.

mod describe;
mod explanation;
mod trace;

use std::sync::Arc;

pub use explanation::{
    Absent, ExplainedSeries, Explanation, Fate, Joined, LabelStep, Line, Reading, Then,
};

use super::engine::Engine;
use super::options::{Error, Options};
use super::stages::options_of_next;
use super::writer::{History, Progress};
use crate::mapping::Plan;
use trace::Trace;

/// Rewrites an exposition, and explains what was done with each line.
///
/// `only` is the name of a family of either generation: unrelated lines and series are left out
/// of the explanation. The output is complete in any case.
///
/// # Errors
///
/// As [`Rewriter::push`](crate::rewrite::exposition::Rewriter::push).
///
/// ```
/// use std::sync::Arc;
/// use crossfade::mapping::{Emit, Pack, Settings, compile};
/// use crossfade::rewrite::exposition::{Fate, History, Options, explain};
///
/// let pack = "name: demo\nprometheus: [{ old: hits, new: hits_total }]";
/// let pack = Pack::parse("demo.yaml", pack)?;
/// let plan = Arc::new(compile(&[pack], &Settings::new(Emit::New))?);
/// let input = b"hits 1\nup 1\n";
/// let explanation = explain(&plan, Options::default(), History::default(), input, None)?;
/// assert_eq!(explanation.lines[0].fate, Fate::Rewritten);
/// assert_eq!(explanation.lines[0].read_by[0].title, "hits -> hits_total");
/// assert_eq!(explanation.lines[1].fate, Fate::Passed);
/// assert_eq!(explanation.output, b"hits_total 1\nup 1\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn explain(
    plan: &Arc<Plan>,
    options: Options,
    history: History,
    exposition: &[u8],
    only: Option<&str>,
) -> Result<Explanation, Error> {
    let mut explanation = explain_stage(plan, options, history.clone(), exposition, only)?;
    if let Some(plan) = &plan.next {
        let options = options_of_next(options);
        let mut next = explain(plan, options, history, &explanation.output, only)?;
        explanation.output = std::mem::take(&mut next.output);
        explanation.next = Some(Box::new(next));
    }
    Ok(explanation)
}

/// Explains the work of one engine.
fn explain_stage(
    plan: &Arc<Plan>,
    options: Options,
    history: History,
    exposition: &[u8],
    only: Option<&str>,
) -> Result<Explanation, Error> {
    let mut engine = Engine::new(Arc::clone(plan), options, history, Trace::default());
    let mut output = Vec::new();
    engine.push_uncopied(exposition, usize::MAX, &mut output)?;
    while engine.finish(&mut output)? == Progress::More {}
    let malformed_pass = engine.report().malformed_passed > 0;
    let (trace, plan) = engine.into_recorder();
    let mut explanation = describe::describe(&plan, trace, malformed_pass);
    explanation.output = output;
    if let Some(family) = only {
        explanation.keep_only(family);
    }
    Ok(explanation)
}
