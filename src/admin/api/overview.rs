//! `/api/overview`: the state of the migration, one line for each target, and what is missing.
//!
//! Short enough to be requested every few seconds with hundreds of targets. `/api/targets` has the
//! details.

use serde::Serialize;

use super::options::{Remedy, remedies};
use super::standing::Standing;
use super::summary::{Summary, group_of};
use super::targets::{MOST_ON_DEMAND, Scrape, mixed_editions};
use crate::mapping::Generation;
use crate::packs::PackSet;
use crate::running::Running;
use crate::scrape::{Outcome, Target, TargetStatus};

/// The answer.
#[derive(Debug, Serialize)]
struct Overview<'a> {
    summary: Summary,
    /// What packs call their generations: of those that targets use.
    legend: Vec<Names<'a>>,
    targets: Vec<serde_json::Value>,
    remedies: Vec<Remedy>,
    /// Names of editions that `emit` accepts.
    editions: Vec<String>,
    mixed_editions: Vec<serde_json::Value>,
}

/// The names of the generations of a pack.
#[derive(Debug, Serialize)]
struct Names<'a> {
    pack: &'a str,
    old: String,
    new: String,
}

/// A target in one line.
#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    url: String,
    on_demand: bool,
    /// The group of the summary that it is counted in.
    group: String,
    /// `not_scraped`, `failed`, `client_gone`, `stale`, `no_known_metrics` or `ok`.
    state: &'static str,
    /// Why its last scrape failed, in a few words.
    reason: Option<&'a str>,
    generations: Vec<&'static str>,
    /// The same by name.
    is: &'a [String],
    editions: Vec<String>,
    emit: String,
    gets: &'a [String],
    changed: bool,
    /// Seconds between its last scrapes.
    interval: Option<f64>,
    last: Option<Scrape<'a>>,
    last_complete: Option<Scrape<'a>>,
    /// How many inputs are missing that a healthy target has.
    missing: usize,
}

/// All targets, by name; then the dynamic targets, the latest first.
pub(super) fn describe(current: &Running) -> serde_json::Value {
    let on_demand = current.gateway.named_by_clients(MOST_ON_DEMAND);
    let configured = current.gateway.targets().map(|target| (target, false));
    let all = configured.chain(on_demand.iter().map(|target| (&**target, true)));
    let all: Vec<(&Target, bool, TargetStatus)> =
        all.map(|(target, on_demand)| (target, on_demand, target.status())).collect();
    let standing = all
        .iter()
        .map(|(it, on_demand, status)| Standing::new(it, *on_demand, status, &current.packs));
    let standings: Vec<Standing> = standing.collect();
    let rows = all.iter().zip(&standings).map(|((target, on_demand, status), standing)| {
        let row = row(target, *on_demand, status, standing);
        serde_json::to_value(row).expect("keys are texts")
    });
    let missing = all.iter().flat_map(|(target, _, status)| {
        let name = target.settings().name.as_str();
        let reports = status.complete.iter().map(|complete| &complete.report);
        reports.flat_map(move |report| report.missing.iter().map(move |missing| (name, missing)))
    });
    let editions = current.packs.all().iter().flat_map(|pack| pack.editions().named());
    let overview = Overview {
        summary: Summary::new(&standings, current.settings.relay.is_some()),
        legend: legend(&all, &current.packs),
        targets: rows.collect(),
        remedies: remedies(missing, &current.packs),
        editions: editions.map(|(name, _)| name.to_string()).collect(),
        mixed_editions: current.gateway.mixed_editions().iter().map(mixed_editions).collect(),
    };
    serde_json::to_value(overview).expect("keys are texts")
}

/// The names of the packs of which any family arrived; before that, of all in general use.
fn legend<'a>(targets: &[(&Target, bool, TargetStatus)], packs: &'a PackSet) -> Vec<Names<'a>> {
    let reports = || targets.iter().filter_map(|(_, _, status)| status.complete.as_ref());
    let is_seen = |name: &str| reports().any(|it| it.report.packs.iter().any(|its| its == name));
    let mut seen: Vec<_> = packs.all().iter().filter(|pack| is_seen(pack.name())).collect();
    if seen.is_empty() {
        seen = packs.general().iter().collect();
    }
    let names = seen.into_iter().map(|pack| Names {
        pack: pack.name(),
        old: pack.generation_name(Generation::Old).into_owned(),
        new: pack.generation_name(Generation::New).into_owned(),
    });
    names.collect()
}

fn row<'a>(
    target: &'a Target,
    on_demand: bool,
    status: &'a TargetStatus,
    standing: &'a Standing,
) -> Row<'a> {
    let settings = target.settings();
    let complete = status.complete.as_ref();
    let missing = complete.map(|it| it.report.missing.iter().filter(|it| !it.optional).count());
    let editions = complete.map(|it| it.report.editions.iter().map(ToString::to_string).collect());
    Row {
        name: &settings.name,
        url: settings.shown_url(),
        on_demand,
        group: group_of(standing),
        state: standing.state.as_str(),
        reason: match status.last.as_ref().map(|last| &last.outcome) {
            Some(Outcome::Failed { brief, .. }) => Some(brief),
            _ => None,
        },
        generations: standing.generations.iter().map(|its| its.as_str()).collect(),
        is: &standing.is,
        editions: editions.unwrap_or_default(),
        emit: standing.emit.to_string(),
        gets: &standing.gets,
        changed: standing.is_changed,
        interval: status.interval().map(|its| its.as_secs_f64()),
        last: status.last.as_ref().map(Scrape::new),
        last_complete: complete.map(Scrape::new),
        missing: missing.unwrap_or_default(),
    }
}
