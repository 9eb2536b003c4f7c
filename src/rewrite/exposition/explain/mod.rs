//! Explains how an exposition is rewritten: runs the same engine with a recorder.
//!
//! An exposition is read twice. Into which series a sample is gathered depends on lines after it:
//! whether the series also arrives in the emitted generation, or another family has the same
//! labels. So a [`Survey`] reads it first, and an [`Explainer`] then explains each line when it
//! arrives. Neither holds lines.

mod chain;
mod describe;
mod explainer;
mod explanation;
mod merged_lines;
mod outline;
mod survey;
mod trace;

use std::sync::Arc;

pub use explainer::Explainer;
pub use explanation::{
    Absent, ExplainedSeries, Explanation, Fate, Joined, LabelStep, Line, Reading, Then,
};

pub use outline::{Outline, SeriesName, StageOutline};
pub use survey::Survey;

use super::options::{Error, Options};
use super::writer::{History, Progress};
use crate::mapping::Plan;

/// Rewrites an exposition, and explains what was done with each line.
///
/// `only` is the name of a family of either generation: unrelated lines and series are left out
/// of the explanation. The output is complete in any case.
///
/// All is in memory. For long expositions, use [`Survey`] and [`Explainer`].
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
#[expect(clippy::needless_pass_by_value, reason = "as of `Rewriter::new`")]
pub fn explain(
    plan: &Arc<Plan>,
    options: Options,
    history: History,
    exposition: &[u8],
    only: Option<&str>,
) -> Result<Explanation, Error> {
    let mut output = Vec::new();
    let mut survey = Survey::new(plan, options, &history, only);
    survey.push(exposition, &mut output)?;
    while survey.finish(&mut output)? == Progress::More {}
    let outline = survey.into_outline();
    let mut next = None;
    for stage in (0..outline.stages().len()).rev() {
        let mut explained = Explanation { next, ..Explanation::default() };
        let Explanation { lines, series, .. } = &mut explained;
        let mut explainer = Explainer::new((&outline, stage), plan, options, &history, only);
        explainer.push(exposition, lines)?;
        while explainer.finish(lines, series)? == Progress::More {}
        next = Some(Box::new(explained));
    }
    let first = next.map(|first| *first).unwrap_or_default();
    Ok(Explanation { output, ..first })
}
