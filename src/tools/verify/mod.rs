//! Compares an old and a new exposition of the same traffic, family by family.
//!
//! ```text
//! OLD ────────────┐ ParsedExposition ─┐
//!                 │                   ├─ compare ── Outcome
//! NEW ── rewrite ─┘ ParsedExposition ─┘
//! ```
//!
//! The rewriter converts one side to the generation of the other, so that both have the same
//! families. Every series of the old side must be in the new side. What only the new side has is
//! reported, and is a difference only with [`Options::strict`].
//!
//! Both sides are also read by a parser that shares no code with this crate. Its known mistakes are
//! reported in [`CrossCheck`].
//!
//! ```
//! use crossfade::mapping::Pack;
//! use crossfade::tools::verify::{Options, Verdict, table, verify};
//!
//! let pack = "name: p\nprometheus:\n- old: jobs{state=$s}\n  new: jobs_total{status=$s}\n";
//! let packs = [Pack::parse("p.yaml", pack).expect("a valid pack")];
//! let old = ("old", &b"# TYPE jobs counter\njobs{state=\"done\"} 7\n"[..]);
//! let new = ("new", &b"# TYPE jobs_total counter\njobs_total{status=\"done\"} 8\n"[..]);
//!
//! let outcome = verify(old, new, &packs, &Options::default())?;
//! assert!(!outcome.agree);
//! assert_eq!(outcome.families[0].name, "jobs");
//! assert_eq!(outcome.families[0].verdict, Verdict::Different);
//! assert!(table(&outcome).contains("OLD 7, NEW 8"));
//!
//! let tolerant = Options { tolerance: 0.2, ..Options::default() };
//! assert!(verify(old, new, &packs, &tolerant)?.agree);
//! # Ok::<(), crossfade::tools::verify::Error>(())
//! ```

mod boundaries;
mod compare;
mod comparison;
mod cross_check;
mod hints;
mod histogram;
mod labels;
mod name;
mod options;
mod outcome;
mod parsed;
mod table;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use crate::exposition::Format;
use crate::mapping::{self, Emit, Generation, Pack, Plan};
use crate::rewrite;
use crate::rewrite::exposition::{History, Limits, Progress, Report, Rewriter};

pub use cross_check::CrossCheck;
pub use options::{Options, Traffic};
pub use outcome::{Difference, Error, Estimated, FamilyResult, Outcome, Side, Verdict};
pub use table::table;

use boundaries::EstimatedBoundaries;
use hints::RewrittenSide;
use parsed::{ParsedExposition, ParsedFamily};

/// Compares two expositions. Each is a name for messages, and the body.
///
/// # Errors
///
/// See [`Error`].
pub fn verify(
    old: (&str, &[u8]),
    new: (&str, &[u8]),
    packs: &[Pack],
    options: &Options,
) -> Result<Outcome, Error> {
    let (to_old, to_new) = plans(packs, options)?;
    // The reference is the side that has the compared generation already.
    let (plan, other_plan) = in_order(options.compared_as, &to_old, &to_new);
    let (reference, other) = in_order(options.compared_as, old, new);
    // Reading with two parsers takes most of the time.
    let ((reference, other_report), other) = thread::scope(|scope| {
        let reference = scope.spawn(|| {
            let its_plan = options.edition.is_some().then_some(plan);
            let read = read_side(reference, its_plan, &to_old);
            // Only for its report: this side is compared as it is.
            let report = rewrite_whole(other_plan, reference.1).map(|(_, report)| report);
            (read, report.unwrap_or_default())
        });
        let other = read_side(other, Some(plan), &to_old);
        (reference.join().unwrap_or_else(|panic| resume_unwind(panic)), other)
    });
    let (old_read, new_read) = in_order(options.compared_as, reference, other);
    let ((old_side, old_read), (new_side, new_read)) = (old_read?, new_read?);
    let (reference, other) = in_order(options.compared_as, old_read, new_read);
    check_generations(&old_side, &new_side, options)?;
    let Compared { reference, rewritten, estimated, report } =
        in_one_generation(other?, reference?, &to_old, options);
    let hints = |family: &str, lacks: Generation| {
        let side = if lacks == options.compared_as {
            RewrittenSide { plan: other_plan, report: &other_report }
        } else {
            RewrittenSide { plan, report: &report }
        };
        hints::hints(packs, &side, family, lacks)
    };
    // The families that hints name are those of the input. It is read again if it was rewritten.
    let old_is_reference = options.compared_as == Generation::Old && options.edition.is_none();
    let read_again = OnceCell::new();
    let old_input = || {
        if old_is_reference {
            &reference
        } else {
            read_again.get_or_init(|| ParsedExposition::read(old.1))
        }
    };
    let series_hints = |family: &str, old_family: &ParsedFamily, new_family: &ParsedFamily| {
        hints::series_hints(packs, old_input(), family, (old_family, new_family))
    };
    let (old_parsed, new_parsed) = in_order(options.compared_as, &reference, &rewritten);
    let outputs = outputs(plan, [old_parsed, new_parsed]);
    let sides = compare::Sides { old: old_parsed, new: new_parsed, estimated, outputs };
    let (families, only_new) = compare::compare_families(&sides, options, hints, series_hints);
    free((reference, rewritten, read_again));
    Ok(Outcome {
        agree: families.iter().all(|family| family.verdict.agrees()),
        compared_as: options.compared_as.as_str(),
        traffic: options.traffic,
        tolerance: options.tolerance,
        old: old_side,
        new: new_side,
        families,
        only_new,
    })
}

/// What is of the reference and of the other side, as what is of the old and of the new one; or the
/// other way round.
fn in_order<T>(compared_as: Generation, reference: T, other: T) -> (T, T) {
    match compared_as {
        Generation::Old => (reference, other),
        Generation::New => (other, reference),
    }
}

/// Fails if the sides cannot agree because of their generations.
fn check_generations(old: &Side, new: &Side, options: &Options) -> Result<(), Error> {
    let names = || (old.name.clone(), new.name.clone());
    if old.generations == ["new"] && new.generations == ["old"] {
        let (old, new) = names();
        return Err(Error::Swapped { old, new });
    }
    // The side that is not rewritten would have other families than the one that is.
    let generation = options.compared_as.other().as_str();
    if options.edition.is_none() && [old, new].iter().all(|side| side.generations == [generation]) {
        let (old, new) = names();
        return Err(Error::SameGeneration { old, new, generation });
    }
    Ok(())
}

/// One side as it is compared.
struct Converted {
    parsed: ParsedExposition,
    estimated: EstimatedBoundaries,
    /// The report about the rewriting, if it was rewritten.
    report: Report,
}

/// Reads one side. With a plan, it is compared as the plan rewrites it.
///
/// # Errors
///
/// It has no series. The inner error: it cannot be rewritten, which matters only if the sides are of
/// the right generations.
fn read_side(
    (name, body): (&str, &[u8]),
    plan: Option<&Arc<Plan>>,
    to_old: &Plan,
) -> Result<(Side, Result<Converted, Error>), Error> {
    let Some(plan) = plan else {
        let (side, parsed) = side(name, body, to_old)?;
        let (estimated, report) = (EstimatedBoundaries::default(), Report::default());
        return Ok((side, Ok(Converted { parsed, estimated, report })));
    };
    let (side, converted) = thread::scope(|scope| {
        let converted = scope.spawn(|| {
            rewrite_whole(plan, body).map(|(body, report)| Converted {
                parsed: ParsedExposition::read(&body),
                estimated: EstimatedBoundaries::new(plan, &report),
                report,
            })
        });
        let side = side(name, body, to_old).map(|(side, parsed)| {
            free(parsed);
            side
        });
        (side, converted.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    Ok((side?, converted.map_err(|error| Error::Rewrite { side: name.to_owned(), error })))
}

/// Frees memory without waiting for it: that takes long for millions of short texts.
fn free(values: impl Send + 'static) {
    // Without a thread, it is freed at once.
    drop(thread::Builder::new().spawn(move || drop(values)));
}

/// Both sides in the compared generation.
struct Compared {
    /// The side of that generation, converted only if an edition is named.
    reference: ParsedExposition,
    /// The other side.
    rewritten: ParsedExposition,
    estimated: EstimatedBoundaries,
    /// The report about the other side.
    report: Report,
}

/// Leaves out what one generation lacks.
fn in_one_generation(
    other: Converted,
    reference: Converted,
    to_old: &Plan,
    options: &Options,
) -> Compared {
    let Converted { parsed: mut rewritten, mut estimated, report } = other;
    estimated.extend(reference.estimated);
    let mut reference = reference.parsed;
    if options.compared_as == Generation::New {
        // The old generation lacks some labels of the new one: sum over them on both sides.
        let unknown = unknown_labels(to_old, &rewritten, &options.settings.fill);
        rewritten.remove_labels(&unknown);
        reference.remove_labels(&unknown);
    }
    Compared { reference, rewritten, estimated, report }
}

/// The plans for rewriting to old and to new.
fn plans(packs: &[Pack], options: &Options) -> Result<(Arc<Plan>, Arc<Plan>), Error> {
    let compile = |emit| {
        // What targets export is compared, and that is not reduced.
        let settings = mapping::Settings { emit, reduce: false, ..options.settings.clone() };
        mapping::compile(packs, &settings).map(Arc::new)
    };
    let (mut to_old, mut to_new) = (compile(Emit::Old)?, compile(Emit::New)?);
    if let Some(edition) = options.edition {
        let compared = match options.compared_as {
            Generation::Old => &mut to_old,
            Generation::New => &mut to_new,
        };
        *compared = compile(Emit::Edition(edition))?;
    }
    Ok((to_old, to_new))
}

fn text(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}

fn side(name: &str, body: &[u8], plan: &Plan) -> Result<(Side, ParsedExposition), Error> {
    let parsed = ParsedExposition::read(body);
    if parsed.families.is_empty() {
        return Err(Error::Empty(name.to_owned()));
    }
    let generations: BTreeSet<Generation> = parsed
        .families
        .keys()
        .filter_map(|family| {
            let named = plan.families.get(family.as_bytes()).and_then(|family| family.generation);
            named.or_else(|| plan.patterns.generation(family.as_bytes()))
        })
        .collect();
    let side = Side {
        name: name.to_owned(),
        series: parsed.series_count(),
        generations: generations.into_iter().map(Generation::as_str).collect(),
        malformed: parsed.malformed.clone(),
        cross_check: cross_check::cross_check(&parsed, body),
    };
    Ok((side, parsed))
}

/// The families that rules can output. Of patterns, those that either side has.
fn outputs(plan: &Plan, sides: [&ParsedExposition; 2]) -> BTreeSet<String> {
    let named = plan.outputs.iter().map(|output| text(&output.name));
    let families = sides.into_iter().flat_map(|side| side.families.keys());
    let is_written = |family: &&String| plan.patterns.is_written(family.as_bytes());
    named.chain(families.filter(is_written).cloned()).collect()
}

/// Rewrites a whole body, without a limit on its length: it is already in memory.
fn rewrite_whole(
    plan: &Arc<Plan>,
    body: &[u8],
) -> Result<(Vec<u8>, Report), rewrite::exposition::Error> {
    let limits = Limits { body_bytes: u64::MAX, ..Limits::default() };
    let format = Format::of_body(body);
    let options =
        rewrite::exposition::Options { format, limits, ..rewrite::exposition::Options::default() };
    let mut rewriter = Rewriter::new(Arc::clone(plan), options, History::default());
    let mut out = Vec::new();
    rewriter.push(body, &mut out)?;
    while rewriter.finish(&mut out)? == Progress::More {}
    Ok((out, rewriter.report().clone()))
}

/// Labels, by family, that only the new generation has. The rewritten old side lacks them, or has
/// the value that `fill` gives them.
fn unknown_labels(
    to_old: &Plan,
    rewritten: &ParsedExposition,
    fill: &BTreeMap<String, String>,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut unknown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let named = to_old.rules.iter().map(|rule| (text(&rule.from), rule));
    let patterned = rewritten.families.keys().flat_map(|family| {
        let rules = to_old.patterns.reading(family.as_bytes());
        rules.map(|(id, _)| (family.clone(), to_old.rule(id)))
    });
    for (family, rule) in named.chain(patterned) {
        let is_fixed = |label: &[u8]| rule.when.equal.iter().any(|(its, _)| **its == *label);
        let is_known =
            |label: &str| !fill.contains_key(label) && rewritten.has_label(&family, label);
        let dropped =
            rule.labels.drop.iter().filter(|label| !is_fixed(label)).map(|label| text(label));
        let dropped = dropped.filter(|label| !is_known(label)).collect::<Vec<_>>();
        unknown.entry(family).or_default().extend(dropped);
    }
    unknown
}
