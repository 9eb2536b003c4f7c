//! The correspondence of packs as rules of Prometheus, for those who cannot run a gateway.
//!
//! ```text
//! packs ── compile ──> Plan ── Source, Samples ──> Expr ── Family ──> recording rules
//!                                                                └──> report
//! ```
//!
//! The rules come from the same [`Plan`] that the engine runs, so conditions,
//! the order of rules and samples that a generation does not count are those of the engine. What rules
//! cannot do is reported for each family, and is not approximated.

mod buckets;
mod comment;
mod conditions;
mod contribution;
mod expression;
mod family;
mod labels;
mod options;
mod part;
mod recording;
mod relabel;
mod relabel_family;
mod relabel_file;
mod report;
mod samples;
mod source;
mod stream_family;
mod stream_file;
mod utf8;

pub use options::{Format, Options, Spelling};
pub use report::{FamilyReport, Outcome, Status};

use crate::document::{Diagnostic, Diagnostics, closest};
use crate::mapping::plan::exposition::{OutputId, Plan};
use crate::mapping::{
    self, BucketPolicy, Emitted, Pack, Settings, StatsdSettings, two_generations,
};
use contribution::Outline;
use family::Family;
use relabel_family::RelabelledFamily;
use source::Source;
use stream_family::AggregatedFamily;
use utf8::text;

/// Writes rules for packs.
///
/// # Errors
///
/// The packs have errors, more than two generations, or no such edition; or both generations are to
/// be written.
///
/// ```
/// use crossfade::mapping::{Emit, Pack};
/// use crossfade::tools::rules::{Options, rules};
///
/// let pack = "name: p\nprometheus: [{ old: 'hits{dc=$z}', new: 'hits_total{zone=$z}', type: counter }]";
/// let pack = Pack::parse("p.yaml", pack)?;
/// let outcome = rules(&[pack], &Options::new(Emit::New))?;
/// assert!(outcome.text.contains("record: hits_total"));
/// assert_eq!(outcome.rules(), 1);
/// # Ok::<(), crossfade::document::Diagnostics>(())
/// ```
pub fn rules(packs: &[Pack], options: &Options) -> Result<Outcome, Diagnostics> {
    let one = |error| Diagnostics(vec![error]);
    two_generations(packs)?;
    let emitted = Emitted::new(options.to, packs).map_err(one)?;
    let Some(written) = emitted.generation() else {
        let error = Diagnostic::error("rules write one generation, not both");
        return Err(one(error.with_help("write the two in two runs: `old` and `new`")));
    };
    let settings = Settings {
        emit: options.to,
        buckets: BucketPolicy::Common,
        not_counted: options.not_counted,
        fill: options.fill.clone(),
        reduce: true,
    };
    let plan = mapping::compile(packs, &settings)?;
    let correspondences = mapping::correspondences(packs, emitted);
    let outputs = outputs(&plan, &options.families).map_err(one)?;
    let source = Source {
        plan: &plan,
        correspondences: &correspondences,
        written,
        target_labels: &options.target_labels,
    };
    let (yaml, families) = match options.format {
        Format::Recording => {
            let families: Vec<Family> =
                outputs.iter().map(|id| Family::new(&source, *id, options.spelling)).collect();
            let reports = families.iter().map(|it| report_of(&it.outline, it.recordings.len()));
            (recording::file(&families, written), reports.collect())
        }
        Format::Relabel => {
            let families: Vec<RelabelledFamily> = outputs
                .iter()
                .map(|id| RelabelledFamily::new(&source, *id, options.spelling))
                .collect();
            let reports = families.iter().map(|it| report_of(&it.outline, it.len()));
            (relabel_file::file(&source, &families), reports.collect())
        }
        Format::Vmagent => {
            let (relabelled, aggregated) = divided(&source, &outputs);
            let reports = relabelled.iter().map(|it| report_of(&it.outline, it.len()));
            let aggregations =
                aggregated.iter().map(|it| report_of(&it.outline, it.aggregations.len()));
            let text = stream_file::file(&source, &relabelled, &aggregated);
            (text, reports.chain(aggregations).collect())
        }
    };
    Ok(Outcome { text: yaml, families, notes: notes(packs, &plan, options)? })
}

/// The outputs of a plan with these names; all, if there are no names.
fn outputs(plan: &Plan, names: &[String]) -> Result<Vec<OutputId>, Diagnostic> {
    let known = || plan.outputs.iter().map(|it| text(&it.name));
    if let Some(name) = names.iter().find(|name| !known().any(|it| it == **name)) {
        let error = Diagnostic::error(format!("no rule of the packs writes `{name}`"));
        return Err(match closest(name, known()) {
            Some(close) => error.with_help(format!("did you mean `{close}`?")),
            None => error,
        });
    }
    if plan.is_reduction {
        return Ok(Vec::new());
    }
    let is_asked = |name: &str| names.is_empty() || names.iter().any(|it| it == name);
    let asked = (0..).zip(known()).filter(|(_, name)| is_asked(name));
    Ok(asked.map(|(at, _)| OutputId(at)).collect())
}

/// The families that vmagent relabels, and those that it aggregates. Relabeling comes first, so a family
/// that an aggregation reads is not relabeled.
fn divided(
    source: &Source<'_>,
    outputs: &[OutputId],
) -> (Vec<RelabelledFamily>, Vec<AggregatedFamily>) {
    let mut relabelled: Vec<(OutputId, RelabelledFamily)> = outputs
        .iter()
        .map(|id| (*id, RelabelledFamily::new(source, *id, Spelling::AsExported)))
        .collect();
    let mut aggregated: Vec<(OutputId, Vec<String>)> = Vec::new();
    loop {
        let (kept, moved): (Vec<_>, Vec<_>) = relabelled.into_iter().partition(|(_, family)| {
            let is_read = |name: &String| aggregated.iter().any(|(_, reads)| reads.contains(name));
            !family.rules.is_empty() && !family.outline.reads.iter().any(is_read)
        });
        relabelled = kept;
        if moved.is_empty() {
            break;
        }
        aggregated.extend(moved.into_iter().map(|(id, family)| (id, family.outline.reads)));
    }
    aggregated.sort_unstable();
    let aggregated = aggregated.into_iter().map(|(id, _)| AggregatedFamily::new(source, id));
    (relabelled.into_iter().map(|(_, family)| family).collect(), aggregated.collect())
}

fn report_of(family: &Outline, rules: usize) -> FamilyReport {
    FamilyReport {
        pack: family.pack.clone(),
        family: family.name.clone(),
        reads: family.reads.clone(),
        status: match (rules, family.reasons.is_empty()) {
            (0, _) => Status::Not,
            (_, true) => Status::Exact,
            (_, false) => Status::Partly,
        },
        rules,
        reasons: family.reasons.clone(),
    }
}

/// What rules cannot do for the packs as a whole.
fn notes(packs: &[Pack], plan: &Plan, options: &Options) -> Result<Vec<String>, Diagnostics> {
    let mut notes = Vec::new();
    if plan.stages().any(|stage| stage.is_reduction) {
        notes.push("`reduce` of the packs is ignored: rules remove no series.".to_owned());
    }
    let lines = mapping::compile_statsd(packs, &StatsdSettings::new(options.to))?;
    if !lines.rules.is_empty() {
        notes.push("StatsD lines are not rewritten: no rule of Prometheus reads them.".to_owned());
    }
    Ok(notes)
}
