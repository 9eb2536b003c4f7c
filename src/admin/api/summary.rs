//! Which generations the targets are of, and whether Crossfade can be removed, in two sentences.

use std::collections::BTreeMap;

use serde::Serialize;

use super::standing::Standing;
use crate::mapping::Generation;
use crate::scrape::TargetState;

/// The state of the migration.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    /// How many targets are of which generation, and what the dashboards get.
    text: String,
    /// What is left to do.
    advice: String,
    /// All targets are scraped, and what they export is not changed.
    removable: bool,
    /// The groups in the order of the text: trouble first.
    groups: Vec<Group>,
}

/// Targets that the summary counts together.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Group {
    /// As in [`group_of`].
    key: String,
    /// `trouble`, `old`, `new`, `both` or `unknown`.
    kind: &'static str,
    targets: usize,
}

/// The group of a target: the words for its trouble, or the names of its generations.
pub(super) fn group_of(target: &Standing) -> String {
    if target.is_gone() {
        return "not requested any more".to_owned();
    }
    match target.state {
        TargetState::Failed => "failing".to_owned(),
        TargetState::NotScraped => "not scraped yet".to_owned(),
        TargetState::Stale => "not scraped for a while".to_owned(),
        TargetState::ClientGone => "not read to the end".to_owned(),
        TargetState::NoKnownMetrics => "without known metrics".to_owned(),
        TargetState::Ok if target.is.is_empty() => "with only unchanged metrics".to_owned(),
        TargetState::Ok => target.is.join(" and "),
    }
}

fn kind_of(target: &Standing) -> &'static str {
    if target.is_trouble() {
        return "trouble";
    }
    if target.is_gone() {
        return "unknown";
    }
    let mut generations = target.generations.iter();
    match (generations.next(), generations.next()) {
        (Some(generation), None) => generation.as_str(),
        (Some(_), Some(_)) => "both",
        (None, _) => "unknown",
    }
}

impl Summary {
    /// `has_relay`: `StatsD` lines are relayed too.
    pub(super) fn new(targets: &[Standing], has_relay: bool) -> Summary {
        let mut groups: BTreeMap<(usize, String), Group> = BTreeMap::new();
        for target in targets {
            let (key, kind) = (group_of(target), kind_of(target));
            let order = ["trouble", "old", "new", "both", "unknown"].iter();
            let rank = order.take_while(|its| **its != kind).count();
            let group = Group { key: key.clone(), kind, targets: 0 };
            groups.entry((rank, key)).or_insert(group).targets += 1;
        }
        let groups: Vec<Group> = groups.into_values().collect();
        let mut in_use = targets.iter().filter(|target| !target.is_gone()).peekable();
        let removable = !has_relay
            && in_use.peek().is_some()
            && in_use.all(|target| !target.is_trouble() && is_as_expected(target));
        Summary {
            text: text(targets, &groups),
            advice: advice(targets, has_relay),
            removable,
            groups,
        }
    }
}

fn text(targets: &[Standing], groups: &[Group]) -> String {
    if targets.is_empty() {
        return "No targets.".to_owned();
    }
    let is_trouble = |group: &&Group| group.kind == "trouble";
    let known = groups.iter().filter(|group| !is_trouble(group));
    let part = |group: &Group| {
        let on = if matches!(group.kind, "trouble" | "unknown") { "" } else { "on " };
        format!("{} {on}{}", group.targets, group.key)
    };
    let parts: Vec<String> = known.chain(groups.iter().filter(is_trouble)).map(part).collect();
    let mut served: BTreeMap<String, usize> = BTreeMap::new();
    for target in targets {
        *served.entry(target.served()).or_default() += 1;
    }
    let served: Vec<String> = match served.len() {
        1 => served.into_keys().collect(),
        _ => served.iter().map(|(name, its)| format!("{name} from {}", count(*its))).collect(),
    };
    format!(
        "{}: {}. Dashboards are served: {}.",
        count(targets.len()),
        parts.join(", "),
        served.join(", ")
    )
}

/// `1 target`, `2 targets`.
fn count(targets: usize) -> String {
    format!("{targets} {}", if targets == 1 { "target" } else { "targets" })
}

/// It is of the generation that is emitted, and is not changed.
fn is_as_expected(target: &Standing) -> bool {
    target.emitted.is_some()
        && !target.is_changed
        && target.generations.iter().all(|its| Some(*its) == target.emitted)
}

/// The targets of a generation that are rewritten to the other one.
fn rewritten(targets: &[&Standing], from: Generation) -> Vec<Standing> {
    let is = |target: &&&Standing| {
        target.emitted == Some(from.other()) && target.generations.contains(&from)
    };
    targets.iter().filter(is).map(|target| (*target).clone()).collect()
}

fn advice(targets: &[Standing], has_relay: bool) -> String {
    let is_new = |target: &Standing| target.state == TargetState::NotScraped;
    let is_known = |target: &&Standing| !target.is_trouble() && !target.is_gone();
    let known: Vec<&Standing> = targets.iter().filter(is_known).collect();
    let trouble = targets.iter().filter(|target| target.is_trouble()).count();
    if targets.is_empty() {
        let advice = if has_relay {
            "Crossfade only relays StatsD lines: see StatsD."
        } else {
            "Set `targets` in the settings, or `allow` for targets that Prometheus names."
        };
        return advice.to_owned();
    }
    if targets.iter().all(is_new) {
        return "No target has been scraped yet: let Prometheus scrape them through Crossfade."
            .to_owned();
    }
    if known.is_empty() && trouble == 0 {
        return "No target is scraped through Crossfade any more.".to_owned();
    }
    if known.is_empty() {
        return "No target can be read now: look at the reasons before you change anything."
            .to_owned();
    }
    let left = what_is_left(&known);
    if trouble > 0 {
        let are = if trouble == 1 { "is" } else { "are" };
        return format!(
            "Keep Crossfade while {} {are} in trouble: look at the reasons. {}",
            count(trouble),
            left.unwrap_or_else(|| {
                "The others speak the generation your dashboards expect.".to_owned()
            })
        );
    }
    left.unwrap_or_else(|| {
        let relay = if has_relay { " once it relays no StatsD lines" } else { "" };
        let is_old = known.iter().any(|target| target.emitted == Some(Generation::Old));
        let keep = if is_old { " Keep it if you are about to upgrade them." } else { "" };
        format!(
            "All targets speak the generation your dashboards expect: Crossfade changes nothing and \
             can be removed{relay}.{keep}"
        )
    })
}

/// What has to be done before Crossfade changes nothing. `None`: nothing.
fn what_is_left(known: &[&Standing]) -> Option<String> {
    let speak = |targets: &[Standing]| {
        let s = if targets.len() == 1 { "speaks" } else { "speak" };
        (s, if targets.len() == 1 { "is" } else { "are" })
    };
    let (to_new, to_old) = (rewritten(known, Generation::Old), rewritten(known, Generation::New));
    if let Some(both) = known.iter().find(|target| target.emitted.is_none()) {
        let [old, new] = both.gets.as_slice() else {
            return Some(
                "Dashboards get both generations: when no query uses the old one any more, set \
                 `emit: new`."
                    .to_owned(),
            );
        };
        return Some(format!(
            "Dashboards get both generations: when no query uses {old} any more, set `emit: new` to \
             emit only {new}."
        ));
    }
    if let Some(first) = to_old.first() {
        let (speak, are) = speak(&to_old);
        let (new, old) = (first.is.join(" and "), first.gets.join(" and "));
        let upgrades = match known.len() - to_old.len() {
            0 => "All nodes are upgraded. ",
            _ => "",
        };
        return Some(format!(
            "{upgrades}{} {speak} {new} and {are} rewritten to {old}: keep Crossfade until the \
             dashboards are migrated (`crossfade audit`), then set `emit: new`.",
            count(to_old.len())
        ));
    }
    if let Some(first) = to_new.first() {
        let (speak, are) = speak(&to_new);
        let (old, new) = (first.is.join(" and "), first.gets.join(" and "));
        return Some(format!(
            "{} still {speak} {old} and {are} rewritten to {new}: keep Crossfade until they are \
             upgraded.",
            count(to_new.len())
        ));
    }
    let changed = known.iter().filter(|target| !is_as_expected(target)).count();
    (changed > 0).then(|| {
        format!(
            "All targets speak the generation your dashboards expect, but Crossfade still changes {}: \
             see the families and dropped lines in their rows before you remove it.",
            count(changed)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Emit;

    fn target(is: &str, emit: Emit) -> Standing {
        let name = |generation| match generation {
            Generation::Old => "Shop 1".to_owned(),
            Generation::New => "Shop 2".to_owned(),
        };
        let generation = if is == "old" { Generation::Old } else { Generation::New };
        let emitted = match emit {
            Emit::Old => Some(Generation::Old),
            Emit::New => Some(Generation::New),
            _ => None,
        };
        Standing {
            on_demand: false,
            state: TargetState::Ok,
            is: vec![name(generation)],
            generations: [generation].into(),
            gets: emitted
                .map_or(vec!["Shop 1".to_owned(), "Shop 2".to_owned()], |it| vec![name(it)]),
            emitted,
            emit,
            is_changed: emitted != Some(generation),
        }
    }

    fn with_state(target: Standing, state: TargetState) -> Standing {
        Standing { state, ..target }
    }

    fn many(targets: usize, one: &Standing) -> Vec<Standing> {
        vec![one.clone(); targets]
    }

    #[test]
    fn the_text_counts_each_target_once() {
        let mut targets = many(7, &target("old", Emit::Old));
        targets.extend(many(4, &target("new", Emit::Old)));
        targets.push(with_state(target("new", Emit::Old), TargetState::Failed));
        let summary = Summary::new(&targets, false);
        assert_eq!(
            summary.text,
            "12 targets: 7 on Shop 1, 4 on Shop 2, 1 failing. Dashboards are served: Shop 1 (old)."
        );
        assert_eq!(
            summary.advice,
            "Keep Crossfade while 1 target is in trouble: look at the reasons. 4 targets speak Shop 2 \
             and are rewritten to Shop 1: keep Crossfade until the dashboards are migrated \
             (`crossfade audit`), then set `emit: new`."
        );
        assert!(!summary.removable);
        let groups: Vec<_> =
            summary.groups.iter().map(|it| (&*it.key, it.kind, it.targets)).collect();
        assert_eq!(groups, [("failing", "trouble", 1), ("Shop 1", "old", 7), ("Shop 2", "new", 4)]);

        let mixed = [target("old", Emit::Old), target("new", Emit::New)];
        let text = Summary::new(&mixed, false).text;
        assert!(
            text.ends_with("served: Shop 1 (old) from 1 target, Shop 2 (new) from 1 target."),
            "{text}"
        );
    }

    fn assert_advice(targets: &[Standing], has_relay: bool, removable: bool, expected: &str) {
        let summary = Summary::new(targets, has_relay);
        assert!(summary.advice.contains(expected), "{}", summary.advice);
        assert_eq!(summary.removable, removable, "{}", summary.advice);
    }

    #[test]
    fn crossfade_can_be_removed_if_it_changes_nothing() {
        let (old, new) = (Emit::Old, Emit::New);
        let all = "All targets speak the generation your dashboards expect: Crossfade changes nothing and \
                   can be removed";
        assert_advice(&many(2, &target("new", new)), false, true, &format!("{all}."));
        let keep = format!("{all}. Keep it if you are about to upgrade them.");
        assert_advice(&many(2, &target("old", old)), false, true, &keep);
        let relay = format!("{all} once it relays no StatsD lines.");
        assert_advice(&many(1, &target("new", new)), true, false, &relay);
        let kept = Standing { is_changed: true, ..target("new", new) };
        assert_advice(&[kept], false, false, "but Crossfade still changes 1 target");
    }

    #[test]
    fn crossfade_is_kept_while_it_rewrites() {
        let (old, new) = (Emit::Old, Emit::New);
        let some = [target("old", old), target("new", old)];
        let expected = "1 target speaks Shop 2 and is rewritten to Shop 1: keep Crossfade until the \
                        dashboards are migrated";
        assert_advice(&some, false, false, expected);
        let expected = "All nodes are upgraded. 2 targets speak Shop 2 and are rewritten to Shop 1";
        assert_advice(&many(2, &target("new", old)), false, false, expected);
        let some = [target("old", new), target("new", new)];
        let expected = "1 target still speaks Shop 1 and is rewritten to Shop 2: keep Crossfade until \
                        they are upgraded.";
        assert_advice(&some, false, false, expected);
        let expected = "when no query uses Shop 1 any more, set `emit: new` to emit only Shop 2";
        assert_advice(&many(2, &target("new", Emit::Both)), false, false, expected);
    }

    #[test]
    fn trouble_comes_before_everything_else() {
        let failed = with_state(target("old", Emit::Old), TargetState::Failed);
        let never = with_state(target("old", Emit::Old), TargetState::NotScraped);
        assert_advice(&[], false, false, "Set `targets`");
        assert_advice(&[], true, false, "Crossfade only relays StatsD lines");
        assert_advice(&many(2, &never), false, false, "No target has been scraped yet");
        assert_advice(&[failed.clone(), never], false, false, "No target can be read now");
        let expected =
            "Keep Crossfade while 1 target is in trouble: look at the reasons. The others speak";
        assert_advice(&[failed, target("old", Emit::Old)], false, false, expected);
    }

    #[test]
    fn dynamic_targets_that_are_gone_are_no_trouble() {
        let stale = with_state(target("old", Emit::New), TargetState::Stale);
        let gone = Standing { on_demand: true, ..stale };
        let expected = "Crossfade changes nothing and can be removed.";
        let targets = [target("new", Emit::New), gone.clone()];
        assert_advice(&targets, false, true, expected);
        let text = Summary::new(&targets, false).text;
        assert!(text.starts_with("2 targets: 1 on Shop 2, 1 not requested any more."), "{text}");
        assert_advice(&[gone], false, false, "No target is scraped through Crossfade any more.");
    }

    #[test]
    fn the_order_is_trouble_then_the_older_generation() {
        let unknown = Standing { is: vec![], generations: [].into(), ..target("old", Emit::Old) };
        let stale = with_state(target("old", Emit::Old), TargetState::Stale);
        let summary = Summary::new(&[target("new", Emit::New), unknown, stale], false);
        let keys: Vec<&str> = summary.groups.iter().map(|group| &*group.key).collect();
        assert_eq!(keys, ["not scraped for a while", "Shop 2", "with only unchanged metrics"]);
        assert!(
            summary.text.contains("3 targets: 1 on Shop 2, 1 with only unchanged metrics, 1 not")
        );
    }
}
