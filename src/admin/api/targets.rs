//! `/api/targets`: each target with its generation, its missing metrics and its last scrapes.

use std::time::SystemTime;

use serde::Serialize;

use super::report::{Lack, Report};
use super::unix_time::unix;
use crate::mapping::EditionName;
use crate::running::Running;
use crate::scrape;
use crate::scrape::{External, LastScrape, MixedEditions, Outcome, TargetStatus};

/// Most dynamic targets of one kind that are shown.
pub(super) const MOST_ON_DEMAND: usize = 100;

/// All targets, by name; then the dynamic targets, the latest first. `name`: only those with it.
pub(super) fn describe(current: &Running, name: Option<&str>) -> serde_json::Value {
    let on_demand = current.gateway.named_by_clients(MOST_ON_DEMAND);
    let configured = current.gateway.targets().map(|target| (target, false));
    let all = configured.chain(on_demand.iter().map(|target| (&**target, true)));
    let all = all.filter(|(target, _)| name.is_none_or(|name| target.settings().name == name));
    let targets: Vec<_> = all
        .map(|(target, on_demand)| described(target, on_demand, current.gateway.external()))
        .collect();
    let mixed: Vec<_> = current.gateway.mixed_editions().iter().map(mixed_editions).collect();
    let editions = current.packs.all().iter().flat_map(|pack| pack.editions().named());
    let editions: Vec<String> = editions.map(|(name, _)| name.to_string()).collect();
    serde_json::json!({ "targets": targets, "editions": editions, "mixed_editions": mixed })
}

/// Targets that emit different editions of a generation, and the setting that ends it.
pub(super) fn mixed_editions(mixed: &MixedEditions) -> serde_json::Value {
    let edition = |(name, targets): (&EditionName, &Vec<String>)| serde_json::json!({ "edition": name.as_str(), "targets": targets });
    serde_json::json!({
        "generation": mixed.generation.as_str(),
        "editions": mixed.targets.iter().map(edition).collect::<Vec<_>>(),
        "remedy": format!("emit: {}", mixed.remedy),
    })
}

fn described(target: &scrape::Target, on_demand: bool, external: &External) -> serde_json::Value {
    let settings = target.settings();
    let status = target.status();
    let described = Target {
        name: &settings.name,
        url: settings.shown_url(),
        on_demand,
        path: (!on_demand).then(|| external.target_path(&settings.name)),
        emit: settings.mapping.emit.to_string(),
        buckets: settings.mapping.buckets.to_string(),
        state: status.state(SystemTime::now()).as_str(),
        not_counted: settings.mapping.not_counted.to_string(),
        strict: settings.strict,
        last: status.last.as_ref().map(Scrape::new),
        last_failed: status.failed.as_ref().map(Scrape::new),
        last_complete: status.complete.as_ref().map(Scrape::new),
        report: status.complete.as_ref().map(|complete| Report::new(&complete.report)),
        missing: lacks(&status),
    };
    serde_json::to_value(described).expect("keys are texts")
}

fn lacks(status: &TargetStatus) -> Vec<Lack<'_>> {
    status.complete.as_ref().map(|complete| Report::lacks(&complete.report)).unwrap_or_default()
}

#[derive(Debug, Serialize)]
struct Target<'a> {
    name: &'a str,
    url: String,
    /// A dynamic target; several may have the same name.
    on_demand: bool,
    /// Its path on the data listener, if it has one.
    path: Option<String>,
    emit: String,
    buckets: String,
    /// `not_scraped`, `failed`, `client_gone`, `stale`, `no_known_metrics` or `ok`.
    state: &'static str,
    not_counted: String,
    strict: bool,
    last: Option<Scrape<'a>>,
    last_failed: Option<Scrape<'a>>,
    last_complete: Option<Scrape<'a>>,
    /// Of the last complete scrape.
    report: Option<Report<'a>>,
    missing: Vec<Lack<'a>>,
}

/// One scrape.
#[derive(Debug, Serialize)]
pub(super) struct Scrape<'a> {
    at: f64,
    seconds: f64,
    outcome: &'static str,
    error: Option<&'a str>,
    bytes_in: u64,
    bytes_out: u64,
    samples_in: u64,
    samples_out: u64,
}

impl Scrape<'_> {
    pub(super) fn new(scrape: &LastScrape) -> Scrape<'_> {
        Scrape {
            at: unix(scrape.at),
            seconds: scrape.took.as_secs_f64(),
            outcome: scrape.outcome.as_str(),
            error: match &scrape.outcome {
                Outcome::Failed { error, .. } => Some(error),
                Outcome::Success | Outcome::ClientGone => None,
            },
            bytes_in: scrape.report.bytes_in,
            bytes_out: scrape.bytes_out,
            samples_in: scrape.report.samples_in,
            samples_out: scrape.report.samples_out,
        }
    }
}
