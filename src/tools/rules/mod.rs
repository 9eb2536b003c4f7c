//! The correspondence of packs as rules of Prometheus, for those who cannot run a gateway.
//!
//! ```text
//! packs ── compile ──> Plan ── Source, Samples ──> Expr ── Family ──> recording rules
//!                                                                └──> report
//! ```
//!
//! The rules come from the same [`Plan`](crate::mapping::Plan) that the engine runs, so conditions,
//! the order of rules and samples that a generation does not count are those of the engine. What rules
//! cannot do is reported for each family, and is not approximated.

mod buckets;
mod conditions;
mod expression;
mod family;
mod labels;
mod options;
mod part;
mod recording;
mod report;
mod samples;
mod source;
mod utf8;

pub use options::{Options, Spelling};
pub use report::{FamilyReport, Outcome, Status};

use crate::document::{Diagnostic, Diagnostics};
use crate::mapping::plan::exposition::{OutputId, Plan};
use crate::mapping::{
    self, BucketPolicy, Emitted, Pack, Settings, StatsdSettings, two_generations,
};
use family::Family;
use source::Source;

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
    let source = Source {
        plan: &plan,
        correspondences: &correspondences,
        written,
        target_labels: &options.target_labels,
    };
    let families: Vec<Family> = (0..plan.outputs.len())
        .filter_map(|at| u32::try_from(at).ok())
        .filter(|_| !plan.is_reduction)
        .map(|at| Family::new(&source, OutputId(at), options.spelling))
        .collect();
    Ok(Outcome {
        text: recording::file(&families, written),
        families: families.iter().map(report_of).collect(),
        notes: notes(packs, &plan, options)?,
    })
}

fn report_of(family: &Family) -> FamilyReport {
    FamilyReport {
        pack: family.pack.clone(),
        family: family.name.clone(),
        reads: family.reads.clone(),
        status: match (family.recordings.is_empty(), family.reasons.is_empty()) {
            (true, _) => Status::Not,
            (false, true) => Status::Exact,
            (false, false) => Status::Partly,
        },
        rules: family.recordings.len(),
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
