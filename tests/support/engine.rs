//! Runs the engine under test.

use std::sync::{Arc, OnceLock};

use crossfade::mapping::{self, BucketPolicy, Emit, Pack, Plan};
use crossfade::packs;
use crossfade::rewrite::exposition::{Error, History, Options, Progress, Report, Rewriter};

use super::naive::{self, Exposition};
use super::oracle::{Edition, Leaving};

/// The result of a rewriting.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The output.
    pub(crate) body: Vec<u8>,
    /// The report of the engine.
    pub(crate) report: Report,
    /// The history for the next scrape.
    pub(crate) history: History,
}

impl Outcome {
    /// The output as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the output is UTF-8")
    }

    /// The output, read by the naive parser.
    pub(crate) fn read(&self) -> Exposition {
        naive::parse(&self.body)
    }

    /// The number of lines dropped for this reason.
    pub(crate) fn dropped(&self, reason: &str) -> u64 {
        self.report.dropped.get(reason).copied().unwrap_or(0)
    }
}

/// All directions.
pub(crate) const EMITS: [Emit; 3] = [Emit::Old, Emit::New, Emit::Both];

/// The oracle's word for a direction.
pub(crate) fn leaving(emit: Emit) -> Leaving {
    match emit {
        Emit::Old => Leaving::Old,
        Emit::New => Leaving::New,
        Emit::Both => Leaving::Both,
        Emit::Edition(name) => {
            let mut all = Edition::ALL.into_iter();
            let found = all.find(|(its, _)| *its == name.as_str());
            Leaving::Edition(found.expect("an edition of the shipped pack").1)
        }
    }
}

/// The editions of the shipped pack, the oldest first.
pub(crate) fn editions() -> [Emit; 4] {
    Edition::ALL.map(|(name, _)| name.parse().expect("a valid setting"))
}

/// The shipped packs, compiled once for each direction.
pub(crate) fn plan(emit: Emit) -> Arc<Plan> {
    static PLANS: [OnceLock<Arc<Plan>>; 7] = [const { OnceLock::new() }; 7];
    let slot = match emit {
        Emit::Old => &PLANS[0],
        Emit::New => &PLANS[1],
        Emit::Both => &PLANS[2],
        Emit::Edition(_) => {
            let place = editions().iter().position(|its| *its == emit);
            &PLANS[3 + place.expect("an edition of the shipped pack")]
        }
    };
    Arc::clone(slot.get_or_init(|| plan_with(&mapping::Settings::new(emit))))
}

/// The shipped packs under other settings.
pub(crate) fn plan_with(settings: &mapping::Settings) -> Arc<Plan> {
    compiled(&packs::builtin(), settings)
}

/// The shipped packs under another policy for buckets.
pub(crate) fn plan_with_buckets(emit: Emit, buckets: BucketPolicy) -> Arc<Plan> {
    let mut settings = mapping::Settings::new(emit);
    settings.buckets = buckets;
    plan_with(&settings)
}

/// A pack from YAML, compiled.
#[track_caller]
pub(crate) fn plan_of(yaml: &str, emit: Emit) -> Arc<Plan> {
    let pack = Pack::parse("test.yaml", yaml).unwrap_or_else(|errors| panic!("{errors}"));
    compiled(&[pack], &mapping::Settings::new(emit))
}

#[track_caller]
fn compiled(packs: &[Pack], settings: &mapping::Settings) -> Arc<Plan> {
    let plan = mapping::compile(packs, settings);
    Arc::new(plan.unwrap_or_else(|errors| panic!("{errors}")))
}

/// A plan without rules.
pub(crate) fn empty_plan() -> Arc<Plan> {
    Arc::new(Plan::default())
}

/// Rewrites a body in one chunk, as the first of its target.
#[track_caller]
pub(crate) fn rewrite(plan: &Arc<Plan>, body: &[u8]) -> Outcome {
    rewrite_next(plan, body, History::default())
}

/// Rewrites a body in one chunk, with the history of its target.
#[track_caller]
pub(crate) fn rewrite_next(plan: &Arc<Plan>, body: &[u8], history: History) -> Outcome {
    let rewritten = try_rewrite(plan, Options::default(), history, [body]);
    rewritten.unwrap_or_else(|error| panic!("{error}"))
}

/// Rewrites a body in several chunks.
pub(crate) fn try_rewrite<'a>(
    plan: &Arc<Plan>,
    options: Options,
    history: History,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Outcome, Error> {
    let mut rewriter = Rewriter::new(Arc::clone(plan), options, history);
    let mut body = Vec::new();
    for chunk in chunks {
        rewriter.push(chunk, &mut body)?;
    }
    complete(rewriter, body)
}

/// Rewrites a body in one chunk, and asserts that output and report are the same wherever it is cut in
/// two.
#[track_caller]
pub(crate) fn rewrite_at_every_cut(plan: &Arc<Plan>, options: Options, body: &str) -> Outcome {
    let body = body.as_bytes();
    let pushed = |chunks: &[&[u8]]| {
        let outcome = try_rewrite(plan, options, History::default(), chunks.iter().copied());
        outcome.unwrap_or_else(|error| panic!("{error}"))
    };
    let whole = pushed(&[body]);
    for at in 0..=body.len() {
        let cut = pushed(&[&body[..at], &body[at..]]);
        assert_eq!(whole.text(), cut.text(), "cut at {at}");
        assert_eq!(shown(&whole.report), shown(&cut.report), "cut at {at}");
    }
    whole
}

/// As [`try_rewrite`], for a caller that forwards the unchanged parts of a chunk without a copy.
pub(crate) fn try_rewrite_sparing<'a>(
    plan: &Arc<Plan>,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Outcome, Error> {
    let mut rewriter = Rewriter::new(Arc::clone(plan), Options::default(), History::default());
    let mut body = Vec::new();
    for chunk in chunks {
        if let Some(run) = rewriter.push_uncopied(chunk, 0, &mut body)? {
            body.splice(run.at..run.at, chunk[run.range].iter().copied());
        }
    }
    complete(rewriter, body)
}

fn complete(mut rewriter: Rewriter, mut body: Vec<u8>) -> Result<Outcome, Error> {
    while rewriter.finish(&mut body)? == Progress::More {}
    let report = rewriter.report().clone();
    Ok(Outcome { body, report, history: rewriter.into_history() })
}

/// A report as text for comparisons, without the memory in use.
pub(crate) fn shown(report: &Report) -> String {
    let mut report = report.clone();
    report.held_bytes = 0; // depends on the chunks
    format!("{report:#?}")
}
