//! The editions that all targets emit together.
//!
//! Prometheus adds up buckets with equal `le`. If targets emit different editions of a generation,
//! some of them lack a boundary that others have, and the sum is wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::mapping::{EditionName, Emit, Generation, Plan};
use crate::rewrite::exposition::Report;

/// Shortest interval between two log lines about the editions of one generation.
const LOG_INTERVAL: Duration = Duration::from_secs(600);

/// The editions of a target that has not been scraped for this long do not count.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(900);

/// Most targets of one edition that a log line names.
const MOST_NAMES: usize = 5;

/// How the expositions of a target are rewritten.
#[derive(Clone, Debug)]
pub(super) struct Emission {
    /// The setting.
    pub(super) emit: Emit,
    /// What it was compiled to.
    pub(super) plan: Arc<Plan>,
}

/// Targets that emit different editions of one generation, and are not all told which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MixedEditions {
    /// The generation.
    pub generation: Generation,
    /// Each edition, and the targets that emit it.
    pub targets: BTreeMap<EditionName, Vec<String>>,
    /// The edition to set for all of them.
    pub remedy: EditionName,
}

/// The editions that all targets emit.
#[derive(Debug, Default)]
pub(super) struct Fleet(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    members: HashMap<u64, Member>,
    next: u64,
    /// Generations that were mixed when a target changed last.
    mixed: BTreeSet<Generation>,
    logged_at: HashMap<Generation, Instant>,
}

#[derive(Debug)]
struct Member {
    name: String,
    emission: Emission,
    editions: BTreeSet<(Generation, EditionName)>,
    at: Instant,
}

/// The place of one target in the fleet. It is given up when this is dropped.
#[derive(Debug)]
pub(super) struct FleetMember {
    fleet: Arc<Fleet>,
    id: u64,
}

impl Fleet {
    /// A place for a target, which emits nothing yet.
    pub(super) fn join(self: &Arc<Self>) -> FleetMember {
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        FleetMember { fleet: Arc::clone(self), id }
    }

    /// The generations of which targets emit different editions.
    pub(super) fn mixed(&self) -> Vec<MixedEditions> {
        self.lock().mixed_now()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FleetMember {
    /// Records what a complete scrape of the target has emitted. Logs the beginning and the end of a
    /// mix of editions.
    pub(super) fn emitted(&self, name: &str, emission: &Emission, report: &Report) {
        let mut state = self.fleet.lock();
        let now = Instant::now();
        if let Some(known) = state.members.get_mut(&self.id) {
            let same = known.editions == report.emitted_editions;
            if same && known.emission.emit == emission.emit {
                known.at = now;
                return;
            }
        }
        let editions = report.emitted_editions.clone();
        let member =
            Member { name: name.to_owned(), emission: emission.clone(), editions, at: now };
        state.members.insert(self.id, member);
        let (begun, ended) = state.changed(now);
        drop(state);
        begun.iter().for_each(MixedEditions::log);
        for generation in ended {
            let generation = generation.as_str();
            tracing::info!(parent: None, generation, "targets emit one edition again");
        }
    }
}

impl Drop for FleetMember {
    fn drop(&mut self) {
        self.fleet.lock().members.remove(&self.id);
    }
}

impl State {
    fn mixed_now(&self) -> Vec<MixedEditions> {
        [Generation::Old, Generation::New].into_iter().filter_map(|it| self.mix(it)).collect()
    }

    /// The targets that emit different editions of a generation. That all of them are told which is
    /// how it is meant to be.
    fn mix(&self, generation: Generation) -> Option<MixedEditions> {
        let mut targets: BTreeMap<EditionName, Vec<String>> = BTreeMap::new();
        let mut plan = None;
        for member in self.members.values().filter(|it| it.at.elapsed() < FORGOTTEN_AFTER) {
            for (_, edition) in member.editions.iter().filter(|(its, _)| *its == generation) {
                targets.entry(*edition).or_default().push(member.name.clone());
                if !matches!(member.emission.emit, Emit::Edition(_)) {
                    plan = Some(&member.emission.plan);
                }
            }
        }
        if targets.len() < 2 {
            return None;
        }
        for names in targets.values_mut() {
            names.sort_unstable();
        }
        let remedy = plan?.exact_edition(&targets.keys().copied().collect())?;
        Some(MixedEditions { generation, targets, remedy })
    }

    /// A target emits other editions than before: the mixes to log, and the generations that are no
    /// longer mixed.
    fn changed(&mut self, now: Instant) -> (Vec<MixedEditions>, Vec<Generation>) {
        let mixed = self.mixed_now();
        let generations: BTreeSet<Generation> = mixed.iter().map(|mix| mix.generation).collect();
        let before = std::mem::replace(&mut self.mixed, generations);
        let ended = before.difference(&self.mixed).copied().collect();
        let mut begun = Vec::new();
        for mix in mixed.into_iter().filter(|mix| !before.contains(&mix.generation)) {
            let logged_at = self.logged_at.get(&mix.generation);
            if logged_at.is_none_or(|at| now.duration_since(*at) >= LOG_INTERVAL) {
                self.logged_at.insert(mix.generation, now);
                begun.push(mix);
            }
        }
        (begun, ended)
    }
}

impl MixedEditions {
    fn log(&self) {
        tracing::warn!(
            // It is not about the scrape in which it was noticed.
            parent: None,
            generation = self.generation.as_str(),
            editions = self.listed(),
            remedy = format!("emit: {}", self.remedy),
            "targets emit different editions"
        );
    }

    /// `3.0 (a, b), 3.9 (c)`.
    fn listed(&self) -> String {
        let mut listed = String::new();
        for (edition, names) in &self.targets {
            let shown = names.iter().take(MOST_NAMES).map(String::as_str).collect::<Vec<_>>();
            let separator = if listed.is_empty() { "" } else { ", " };
            let more = match names.len().saturating_sub(MOST_NAMES) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            write!(listed, "{separator}{edition} ({}{more})", shown.join(", "))
                .expect("writing to a String does not fail");
        }
        listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Settings, compile};
    use crate::packs;

    fn edition(name: &str) -> EditionName {
        name.parse().expect("a valid name")
    }

    fn emission(emit: Emit) -> Emission {
        let plan = compile(&packs::builtin(), &Settings::new(emit)).expect("it compiles");
        Emission { emit, plan: Arc::new(plan) }
    }

    fn report(name: &str) -> Report {
        let mut report = Report::default();
        report.emitted_editions.insert((Generation::New, edition(name)));
        report
    }

    #[test]
    fn a_mix_is_found_and_ends() {
        let fleet = Arc::new(Fleet::default());
        let new = emission(Emit::New);
        let members: Vec<FleetMember> = (0..3).map(|_| fleet.join()).collect();
        members[0].emitted("a", &new, &report("3.9"));
        members[1].emitted("b", &new, &report("3.9"));
        assert_eq!(fleet.mixed(), []);
        members[2].emitted("c", &new, &report("3.0"));
        let mixed = fleet.mixed();
        assert_eq!(mixed.len(), 1);
        // All have the boundaries of 3.0.
        assert_eq!((mixed[0].generation, mixed[0].remedy), (Generation::New, edition("3.0")));
        assert_eq!(mixed[0].listed(), "3.0 (c), 3.9 (a, b)");
        let [_a, _b, c] = members.try_into().expect("three");
        drop(c);
        assert_eq!(fleet.mixed(), []);
    }

    #[test]
    fn editions_that_are_all_set_are_no_mix() {
        let fleet = Arc::new(Fleet::default());
        let members: Vec<FleetMember> = (0..2).map(|_| fleet.join()).collect();
        let set = |name: &str| emission(Emit::Edition(edition(name)));
        members[0].emitted("a", &set("3.0"), &report("3.0"));
        members[1].emitted("b", &set("3.9"), &report("3.9"));
        assert_eq!(fleet.mixed(), []);
        members[0].emitted("a", &emission(Emit::New), &report("3.0"));
        assert_eq!(fleet.mixed().len(), 1);
    }

    #[test]
    fn of_editions_with_the_same_boundaries_the_newest_is_recommended() {
        let among = |names: [&str; 2]| names.map(edition).into_iter().collect();
        let plan = emission(Emit::Both).plan;
        assert_eq!(plan.exact_edition(&among(["2.5", "2.8"])), Some(edition("2.8")));
        assert_eq!(plan.exact_edition(&among(["3.0", "3.9"])), Some(edition("3.0")));
        assert_eq!(plan.exact_edition(&BTreeSet::new()), None);
    }

    #[test]
    fn a_mix_is_logged_when_it_begins_and_not_too_often() {
        let fleet = Arc::new(Fleet::default());
        let new = emission(Emit::New);
        let (a, b) = (fleet.join(), fleet.join());
        a.emitted("a", &new, &report("3.9"));
        b.emitted("b", &new, &report("3.0"));
        let now = Instant::now();
        let mut state = fleet.lock();
        assert!(state.logged_at.contains_key(&Generation::New));
        assert_eq!(state.changed(now), (vec![], vec![]), "it has begun before");
        state.mixed.clear();
        assert_eq!(state.changed(now), (vec![], vec![]), "it was logged a moment ago");
        state.mixed.clear();
        assert_eq!(state.changed(now + LOG_INTERVAL).0.len(), 1);
    }
}
