//! Which generation a target is of and which one its dashboards get, in the words of the packs.

use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::mapping::{EditionName, Emit, Emitted, Generation, Pack};
use crate::packs::PackSet;
use crate::rewrite::exposition::{DropReason, Report};
use crate::scrape::{Target, TargetState, TargetStatus};

/// What the status page says of a target in one line.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// It is a dynamic target.
    pub(super) on_demand: bool,
    pub(super) state: TargetState,
    /// The generations of its last complete scrape, by name. Empty: unknown, or it exports only
    /// families that are the same in both.
    pub(super) is: Vec<String>,
    pub(super) generations: BTreeSet<Generation>,
    /// What is emitted for it, by name.
    pub(super) gets: Vec<String>,
    pub(super) emitted: Option<Generation>,
    /// The setting.
    pub(super) emit: Emit,
    /// Whether its last complete scrape was changed in any way that Prometheus would notice.
    pub(super) is_changed: bool,
}

impl Standing {
    pub(super) fn new(
        target: &Target,
        on_demand: bool,
        status: &TargetStatus,
        packs: &PackSet,
    ) -> Standing {
        let settings = target.settings();
        let emit = settings.mapping.emit;
        let report = status.complete.as_ref().map(|complete| &*complete.report);
        let used = packs.named(settings.packs.as_deref());
        let emitted = Emitted::new(emit, packs.all()).unwrap_or_default();
        Standing {
            on_demand,
            state: status.state(SystemTime::now()),
            is: report.map(|report| spoken(report, &used)).unwrap_or_default(),
            generations: report.map(|report| report.generations.clone()).unwrap_or_default(),
            gets: emitted_names(emit, emitted, &seen(report, &used)),
            emitted: emitted.generation(),
            emit,
            is_changed: report.is_some_and(is_changed),
        }
    }

    /// The state is such that its generation is not known for sure.
    pub(super) fn is_trouble(&self) -> bool {
        self.state != TargetState::Ok && !self.is_gone()
    }

    /// A dynamic target that no client names any more. It is no trouble: nodes come and go.
    pub(super) fn is_gone(&self) -> bool {
        self.on_demand && self.state == TargetState::Stale
    }

    /// What is emitted, by name, with the setting: `Shop 1.x (old)`.
    pub(super) fn served(&self) -> String {
        match self.gets.as_slice() {
            [] => self.emit.to_string(),
            names => format!("{} ({})", names.join(", "), self.emit),
        }
    }
}

/// Whether the output differs from the input, as Prometheus reads it: that takes the first of equal
/// series, and ignores further headers.
fn is_changed(report: &Report) -> bool {
    let is_repeated = |reason: &DropReason| {
        matches!(reason, DropReason::RepeatedHeader | DropReason::RepeatedSeries)
    };
    !report.rewritten.is_empty()
        || !report.reduced.is_empty()
        || report.filled > 0
        || report.dropped.keys().any(|reason| !is_repeated(reason))
}

/// The packs of which any family arrived; all that are used, if that is not known.
fn seen<'a>(report: Option<&Report>, used: &'a [Pack]) -> Vec<&'a Pack> {
    let arrived =
        |pack: &&Pack| report.is_some_and(|its| its.packs.iter().any(|name| name == pack.name()));
    let seen: Vec<&Pack> = used.iter().filter(arrived).collect();
    if seen.is_empty() { used.iter().collect() } else { seen }
}

/// The names of the generations that arrived.
fn spoken(report: &Report, used: &[Pack]) -> Vec<String> {
    let of = |name: &str| report.generations_by_pack.get(name);
    let is_old = |name: &str| of(name).is_some_and(|its| its.contains(&Generation::Old));
    let mut names = Vec::new();
    for pack in used {
        let Some(generations) = of(pack.name()) else { continue };
        // In a chain, the new generation of a pack is the old one of the next, under two names.
        let is_told_by_next = used.iter().any(|next| {
            next.follows() == Some(pack.name())
                && of(next.name()).is_some_and(|its| !its.is_empty())
                && !is_old(pack.name())
        });
        let is_told_by_previous = pack.follows().is_some_and(is_old);
        if !is_told_by_next && !is_told_by_previous {
            names.extend(generations.iter().map(|its| pack.generation_name(*its).into_owned()));
        }
    }
    distinct(names)
}

/// The names of the generations that `emit` is for these packs.
fn emitted_names(emit: Emit, emitted: Emitted, packs: &[&Pack]) -> Vec<String> {
    let declares = |pack: &Pack, name: EditionName| pack.editions().find(name).map(|(its, _)| its);
    let is_in = |name: Option<&str>| packs.iter().any(|pack| Some(pack.name()) == name);
    let is_followed = |pack: &Pack| packs.iter().any(|its| its.follows() == Some(pack.name()));
    let mut names = Vec::new();
    for pack in packs {
        let of = |generation| pack.generation_name(generation).into_owned();
        match (emit, emitted.generation()) {
            (Emit::Edition(name), Some(generation)) => match declares(pack, name) {
                Some(its) => names.push(of(its)),
                None if is_followed(pack) || is_in(pack.follows()) => {}
                None => names.push(of(generation)),
            },
            // Of a chain, only the ends are emitted.
            (_, Some(Generation::New)) if is_followed(pack) => {}
            (_, Some(Generation::Old)) if is_in(pack.follows()) => {}
            (_, Some(generation)) => names.push(of(generation)),
            (_, None) => names.extend([of(Generation::Old), of(Generation::New)]),
        }
    }
    distinct(names)
}

/// Without repetitions, in the same order.
fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packs::builtin;

    fn packs(texts: &[&str]) -> Vec<Pack> {
        let text = |text: &&str| format!("{text}\nprometheus: [{{ old: a, new: b }}]\n");
        texts.iter().map(|it| Pack::parse("p.yaml", &text(it)).expect("valid")).collect()
    }

    fn names(emit: &str, packs: &[Pack]) -> Vec<String> {
        let emit = emit.parse().expect("a setting");
        let emitted = Emitted::new(emit, packs).expect("an edition of these packs");
        emitted_names(emit, emitted, &packs.iter().collect::<Vec<_>>())
    }

    #[test]
    fn what_is_emitted_has_the_name_of_the_pack() {
        let kong = builtin();
        assert_eq!(names("old", &kong), ["Kong 2.x"]);
        assert_eq!(names("both", &kong), ["Kong 2.x", "Kong 3.x"]);
        assert_eq!(names("3.0", &kong), ["Kong 3.x"]);
        assert_eq!(names("new", &packs(&["name: jobs"])), ["jobs new"]);
    }

    fn chain() -> Vec<Pack> {
        packs(&[
            "name: first\neditions: { old: ['1'], new: ['2'] }\ngenerations: { old: one, new: two }",
            "name: second\nfollows: first\neditions: { old: ['2'], new: ['3'] }\n\
             generations: { old: two, new: three }",
        ])
    }

    #[test]
    fn a_chain_has_one_name_for_each_generation() {
        let chain = chain();
        assert_eq!(names("old", &chain), ["one"]);
        assert_eq!(names("new", &chain), ["three"]);
        assert_eq!(names("2", &chain), ["two"]);
        let of = |generations: &[(&str, &[Generation])]| {
            let mut report = Report::default();
            for (pack, its) in generations {
                report.packs.push((*pack).to_owned());
                let its = its.iter().copied().collect();
                report.generations_by_pack.insert((*pack).to_owned(), its);
            }
            spoken(&report, &chain)
        };
        let (old, new) = (Generation::Old, Generation::New);
        assert_eq!(of(&[("first", &[old]), ("second", &[old])]), ["one"]);
        assert_eq!(of(&[("first", &[new]), ("second", &[old])]), ["two"]);
        assert_eq!(of(&[("second", &[new])]), ["three"]);
        assert_eq!(of(&[("first", &[])]), [""; 0]);
    }

    #[test]
    fn repeated_lines_are_no_change() {
        let mut report = Report::default();
        report.dropped.insert(DropReason::RepeatedSeries, 4);
        assert!(!is_changed(&report));
        report.dropped.insert(DropReason::NotCounted, 1);
        assert!(is_changed(&report));
    }
}
