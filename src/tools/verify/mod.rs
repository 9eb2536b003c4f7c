//! Do two generations agree? An old and a new exposition of the same traffic, family by family.
//!
//! ```text
//! OLD ──────────────┐ read ── families ─┐
//!                   │                   ├─ compare ── Outcome
//! NEW ── rewrite ───┘ read ── families ─┘
//! ```
//!
//! One side is rewritten by the engine into the generation of the other; then both hold the same families, and what the
//! old generation knew must be found in the new one. The question is asked in that direction only: what the new
//! generation counts beyond that is told, and is no fault unless it is asked for.
//!
//! Everything is read twice, by our own scanner and by an outside parser that shares no code with it. Where the
//! two differ the outside parser is the one that is known to misread, and the outcome says so.

mod compare;
mod cross_check;
mod reading;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::mapping::plan::exposition::Kind;
use crate::mapping::{self, Emit, Faults, Generation, Hint, Pack, Plan};
use crate::rewrite;
use crate::rewrite::exposition::{History, Limits, Progress, Report, Rewriter};

use compare::Exact;
pub use compare::{Difference, Estimated, Family, Verdict};
pub use cross_check::Outsider;
use reading::Exposition;
pub use table::table;

/// How alike the traffic of the two sides was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Traffic {
    /// The same requests: every series must agree.
    #[default]
    Same,
    /// About as many requests of the same kinds: the totals of each family must agree.
    Similar,
}

/// What to compare, and how strictly.
#[derive(Clone, Debug)]
pub struct Options {
    /// The generation in which both are compared; the other one is rewritten.
    pub compared_as: Generation,
    /// How alike the traffic was.
    pub traffic: Traffic,
    /// By which part of the larger number two numbers may differ.
    pub tolerance: f64,
    /// Judge the values of gauges too, rather than only that there are any.
    pub gauges: bool,
    /// What the new side has beyond the old one is a fault.
    pub strict: bool,
    /// Families that are shown and not judged.
    pub ignore: Vec<String>,
    /// Boundaries of converted histograms, values for new labels.
    pub settings: mapping::Settings,
}

/// Whether two generations agree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// All that was judged agrees.
    pub agree: bool,
    /// The generation in which both were compared.
    pub compared_as: &'static str,
    /// How alike the traffic was said to be.
    pub traffic: Traffic,
    /// By which part two numbers may differ.
    pub tolerance: f64,
    /// What was read as the old side.
    pub old: Side,
    /// What was read as the new side.
    pub new: Side,
    /// Family by family, in the order of names.
    pub families: Vec<Family>,
    /// Families of the new side that have no counterpart in the old generation.
    pub only_new: Vec<String>,
}

/// What was read of one side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// What the caller calls it.
    pub name: String,
    /// Series that were read.
    pub series: usize,
    /// The generations that its families betray.
    pub speaks: Vec<&'static str>,
    /// Lines that Prometheus would refuse, by reason.
    pub malformed: BTreeMap<&'static str, u64>,
    /// What the outside parser makes of it.
    pub outsider: Outsider,
}

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A pack is faulty.
    #[error(transparent)]
    Packs(#[from] Faults),
    /// The engine refused a side.
    #[error("{side}: {error}")]
    Rewrite {
        /// Which side.
        side: String,
        /// Why.
        error: rewrite::exposition::Error,
    },
    /// A side holds no sample.
    #[error("{0} has no sample, so it is no exposition; is it what the metrics endpoint answered?")]
    Empty(String),
    /// The sides are the wrong way round.
    #[error("{old} speaks the new generation and {new} the old one; name the old side first")]
    Swapped {
        /// What was named as the old side.
        old: String,
        /// What was named as the new side.
        new: String,
    },
}

/// Compares the expositions of an old and a new source: a name for people, and the body.
///
/// # Errors
///
/// A faulty pack, or a side that is no exposition or cannot be rewritten.
pub fn verify(
    old: (&str, &[u8]),
    new: (&str, &[u8]),
    packs: &[Pack],
    options: &Options,
) -> Result<Outcome, Error> {
    let compile = |emit| {
        let settings = mapping::Settings { emit, ..options.settings.clone() };
        mapping::compile(packs, &settings).map(Arc::new)
    };
    let (to_old, to_new) = (compile(Emit::Old)?, compile(Emit::New)?);
    let old_side = side(old.0, old.1, &to_old)?;
    let new_side = side(new.0, new.1, &to_old)?;
    if old_side.speaks == ["new"] && new_side.speaks == ["old"] {
        return Err(Error::Swapped { old: old_side.name, new: new_side.name });
    }

    let ((rewritten, plan), reference) = match options.compared_as {
        Generation::Old => ((new, &to_old), old),
        Generation::New => ((old, &to_new), new),
    };
    let (body, report) = rewritten_as(plan, rewritten.1)
        .map_err(|error| Error::Rewrite { side: rewritten.0.to_owned(), error })?;
    let mut rewritten = Exposition::read(&body);
    let mut reference = Exposition::read(reference.1);
    if options.compared_as == Generation::New {
        // The old generation does not know all labels of the new one: what it does not know is summed away.
        let unknown = unknown_labels(&to_old, &rewritten, &options.settings.fill);
        rewritten.sum_away(&unknown);
        reference.sum_away(&unknown);
    }
    let (old_read, new_read) = match options.compared_as {
        Generation::Old => (&reference, &rewritten),
        Generation::New => (&rewritten, &reference),
    };
    let compared = compare::Compared {
        old: old_read,
        new: new_read,
        estimated: estimated(&report),
        exact: exact(plan),
        written: plan.outputs.iter().map(|output| text(&output.name)).collect(),
    };
    let hints = |family: &str, lacks| hints(packs, [&to_old, &to_new], family, lacks);
    let (families, only_new) = compare::families(&compared, options, hints);
    Ok(Outcome {
        agree: families.iter().all(|family| family.verdict.agrees()),
        compared_as: word(options.compared_as),
        traffic: options.traffic,
        tolerance: options.tolerance,
        old: old_side,
        new: new_side,
        families,
        only_new,
    })
}

fn word(generation: Generation) -> &'static str {
    match generation {
        Generation::Old => "old",
        Generation::New => "new",
    }
}

fn text(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}

fn side(name: &str, body: &[u8], plan: &Plan) -> Result<Side, Error> {
    let read = Exposition::read(body);
    if read.families.is_empty() {
        return Err(Error::Empty(name.to_owned()));
    }
    let speaks: BTreeSet<Generation> = read
        .families
        .keys()
        .filter_map(|family| plan.families.get(family.as_bytes())?.generation)
        .collect();
    Ok(Side {
        name: name.to_owned(),
        series: read.series(),
        speaks: speaks.into_iter().map(word).collect(),
        malformed: read.malformed.clone(),
        outsider: cross_check::compare(&read, body),
    })
}

/// What the engine makes of a body in one piece, however long it is.
fn rewritten_as(
    plan: &Arc<Plan>,
    body: &[u8],
) -> Result<(Vec<u8>, Report), rewrite::exposition::Error> {
    let limits = Limits { body_bytes: u64::MAX, ..Limits::default() };
    let options =
        rewrite::exposition::Options { limits, ..rewrite::exposition::Options::default() };
    let mut rewriter = Rewriter::new(Arc::clone(plan), options, History::default());
    let mut out = Vec::new();
    rewriter.push(body, &mut out)?;
    while rewriter.finish(&mut out)? == Progress::More {}
    Ok((out, rewriter.report().clone()))
}

fn estimated(report: &Report) -> BTreeMap<String, Vec<f64>> {
    let numbers =
        |texts: &BTreeSet<String>| texts.iter().filter_map(|le| le.parse().ok()).collect();
    report.estimated.iter().map(|(family, texts)| (family.clone(), numbers(texts))).collect()
}

/// Boundaries that both generations have, by the family written and the labels that tell its parts apart: the report names
/// estimated boundaries by family, and what is estimated for one part may be exact for another.
fn exact(plan: &Plan) -> Vec<Exact> {
    let mut exact = Vec::new();
    for rule in &plan.rules {
        let Kind::Histogram(ladders) = &rule.kind else { continue };
        let read = |bound: &f64| ladders.read.iter().any(|its| its.total_cmp(bound).is_eq());
        let bounds = ladders.write.iter().map(|boundary| boundary.bound).filter(read);
        let labels = rule.labels.append.iter().map(|(label, value)| (text(label), text(value)));
        let families = rule.redirects.iter().map(|redirect| redirect.to).chain([rule.to]);
        exact.push(Exact {
            families: families.map(|to| text(&plan.output(to).name)).collect(),
            labels: labels.collect(),
            bounds: bounds.collect(),
        });
    }
    exact
}

/// Labels by family that only the new generation has and that a rewritten old one therefore lacks, or has by a setting.
fn unknown_labels(
    to_old: &Plan,
    rewritten: &Exposition,
    fill: &BTreeMap<String, String>,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut unknown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rule in &to_old.rules {
        let family = text(&rule.from);
        let fixed = |label: &[u8]| rule.when.equal.iter().any(|(its, _)| **its == *label);
        let known = |label: &str| !fill.contains_key(label) && rewritten.has_label(&family, label);
        let dropped =
            rule.labels.drop.iter().filter(|label| !fixed(label)).map(|label| text(label));
        let dropped = dropped.filter(|label| !known(label)).collect::<Vec<_>>();
        unknown.entry(family).or_default().extend(dropped);
    }
    unknown
}

/// What the packs say of a family that a generation lacks, or of those that it would be made from.
fn hints(packs: &[Pack], plans: [&Plan; 2], family: &str, lacks: Generation) -> Vec<String> {
    // Families, with the labels that tell which of their samples are meant.
    let mut meant: Vec<(String, Vec<String>)> = vec![(family.to_owned(), Vec::new())];
    for plan in plans {
        for output in plan.outputs.iter().filter(|output| *output.name == *family.as_bytes()) {
            meant.extend(output.rules.iter().map(|id| {
                let rule = plan.rule(*id);
                let fixed = rule.when.equal.iter();
                let fixed =
                    fixed.map(|(label, value)| format!("{}={:?}", text(label), text(value)));
                (text(&rule.from), fixed.collect())
            }));
        }
    }
    // What the other generation's families lack is not the question.
    meant.retain(|(name, _)| {
        let family = plans[0].families.get(name.as_bytes());
        family.and_then(|family| family.generation) != Some(lacks.other())
    });
    let said = |hint: &&Hint| {
        let (name, labels) = hint.when_missing.split_once('{').unwrap_or((&hint.when_missing, ""));
        let labels = labels.trim_end_matches('}').split(',').map(str::trim);
        let labels: Vec<&str> = labels.filter(|label| !label.is_empty()).collect();
        let speaks = |(its, fixed): &(String, Vec<String>)| {
            // Whatever a variable is called.
            let same =
                |it: &str, label: &str| it == label || (it.ends_with('$') && label.starts_with(it));
            its == name.trim() && labels.iter().all(|label| fixed.iter().any(|it| same(it, label)))
        };
        meant.iter().any(speaks)
    };
    let mut hints: Vec<String> = Vec::new();
    for hint in packs.iter().flat_map(Pack::hints).filter(said) {
        if !hints.contains(&hint.say) {
            hints.push(hint.say.clone());
        }
    }
    hints
}
