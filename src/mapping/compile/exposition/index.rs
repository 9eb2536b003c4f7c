//! Finds rules by family, so that the checks of many rules do not compare each with every other.

use std::collections::{HashMap, HashSet};

use crate::mapping::Pack;
use crate::mapping::compile::exposition::active::ActiveRule;
use crate::mapping::generation::Generation;
use crate::mapping::pack::exposition::selector::Selector;
use crate::mapping::pack::{OnlyWith, PackRule};

/// The active rules, by what they read and write. Places are indices of `rules`, in ascending order.
pub(in crate::mapping) struct RuleIndex<'a> {
    pub(in crate::mapping) rules: &'a [ActiveRule<'a>],
    old: Families<'a>,
    new: Families<'a>,
    /// The first rule without a condition for each old selector.
    plain: HashMap<Vec<&'a str>, usize>,
    /// The first rule that includes each family.
    including: HashMap<&'a str, usize>,
    /// For each family of a condition, the first rule, and the first that compares other labels.
    conditions: HashMap<&'a str, Vec<usize>>,
    repeats: HashSet<&'a str>,
}

type Families<'a> = HashMap<&'a str, Family<'a>>;

/// The rules with one family on one side.
#[derive(Default)]
struct Family<'a> {
    places: Vec<usize>,
    /// The label with a text in most of the rules.
    label: Option<&'a str>,
    by_text: HashMap<&'a str, Vec<usize>>,
    /// The rules in which the label has no text.
    without: Vec<usize>,
    /// Rules that have all properties of the family's metadata that any rule has.
    metadata: Vec<usize>,
}

impl<'a> RuleIndex<'a> {
    pub(in crate::mapping) fn new(rules: &'a [ActiveRule<'a>]) -> RuleIndex<'a> {
        let mut plain = HashMap::new();
        let mut including = HashMap::new();
        let mut conditions: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, active) in rules.iter().enumerate() {
            let rule = active.rule;
            if rule.only_with.is_none() && rule.derive.is_none() {
                plain.entry(rule.old.reading_key()).or_insert(place);
            }
            if let Some((family, _)) = &rule.includes {
                including.entry(family.as_str()).or_insert(place);
            }
            if let Some(condition) = &rule.only_with {
                let places = conditions.entry(&condition.family).or_default();
                let differs = |its: &usize| on(rules[*its].rule) != Some(&condition.on);
                if places.len() < 2 && places.iter().all(differs) {
                    places.push(place);
                }
            }
        }
        let mut packs: Vec<&Pack> = rules.iter().map(|its| its.pack).collect();
        packs.dedup_by(|a, b| std::ptr::eq(*a, *b));
        RuleIndex {
            rules,
            old: families(rules, Generation::Old),
            new: families(rules, Generation::New),
            plain,
            including,
            conditions,
            repeats: packs.into_iter().flat_map(Pack::repeats).map(String::as_str).collect(),
        }
    }

    fn side(&self, generation: Generation) -> &Families<'a> {
        match generation {
            Generation::Old => &self.old,
            Generation::New => &self.new,
        }
    }

    /// The rules with this family on this side.
    pub(in crate::mapping) fn of_family(
        &self,
        generation: Generation,
        family: &str,
    ) -> impl Iterator<Item = &'a ActiveRule<'a>> {
        let family = self.side(generation).get(family);
        let rules = self.rules;
        family.into_iter().flat_map(|family| &family.places).map(move |place| &rules[*place])
    }

    /// The rules that may read a sample that this selector reads, and few others.
    fn near(&self, generation: Generation, selector: &Selector) -> impl Iterator<Item = usize> {
        let family = self.side(generation).get(selector.family.as_str());
        family.into_iter().flat_map(|family| family.near(selector))
    }

    /// The earlier rules that can contradict the rule at this place, and few others.
    pub(in crate::mapping) fn comparable(&self, place: usize) -> Vec<ActiveRule<'a>> {
        let mut places = Vec::new();
        for generation in [Generation::Old, Generation::New] {
            let selector = self.rules[place].rule.side(generation);
            let family = self.side(generation).get(selector.family.as_str());
            places.extend(self.near(generation, selector));
            places.extend(family.into_iter().flat_map(|family| &family.metadata));
        }
        places.retain(|its| *its < place);
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|place| self.rules[place]).collect()
    }

    /// The index of the rule without a condition that reads the same old samples.
    pub(in crate::mapping) fn plain_rule(&self, active: ActiveRule<'_>) -> Option<usize> {
        self.plain.get(active.rule.old.reading_key().as_slice()).copied()
    }

    /// The index of the rule whose old side counts the counts of this family too.
    pub(in crate::mapping) fn including(&self, family: &str) -> Option<usize> {
        self.including.get(family).copied()
    }

    /// A rule that compares the family of this condition by other labels.
    pub(in crate::mapping) fn other_condition(
        &self,
        condition: &OnlyWith,
    ) -> Option<(&'a [String], ActiveRule<'a>)> {
        let places = self.conditions.get(condition.family.as_str())?;
        places.iter().find_map(|place| {
            let its = self.rules[*place];
            let labels = on(its.rule)?;
            (*labels != condition.on).then_some((labels.as_slice(), its))
        })
    }

    /// True if a rule has this family on some side, or its pack repeats it.
    pub(in crate::mapping) fn knows(&self, family: &str) -> bool {
        self.old.contains_key(family)
            || self.new.contains_key(family)
            || self.repeats.contains(family)
    }

    /// Every name that [`knows`](Self::knows) accepts.
    pub(in crate::mapping) fn known(&self) -> impl Iterator<Item = &'a str> {
        self.old.keys().chain(self.new.keys()).chain(&self.repeats).copied()
    }
}

impl<'a> Family<'a> {
    fn near(&self, selector: &Selector) -> impl Iterator<Item = usize> {
        let mut fixed = selector.fixed();
        let text = self.label.and_then(|label| fixed.find(|(its, _)| *its == label));
        let (some, rest) = match text {
            Some((_, text)) => (self.by_text.get(text), &self.without),
            None => (None, &self.places),
        };
        some.into_iter().flatten().chain(rest).copied()
    }

    fn add_metadata(&mut self, rules: &'a [ActiveRule<'a>], generation: Generation) {
        let writes =
            |place: &&usize| rules[**place].rule.derive.is_none_or(|its| its == generation);
        let first = |has: &dyn Fn(&PackRule) -> bool| {
            self.places.iter().filter(writes).find(|place| has(rules[**place].rule)).copied()
        };
        let firsts = [
            first(&|_| true),
            first(&|rule| rule.help(generation).is_some()),
            first(&|rule| rule.metric_type.is_some()),
        ];
        self.metadata = firsts.into_iter().flatten().collect();
    }
}

fn on(rule: &PackRule) -> Option<&Vec<String>> {
    rule.only_with.as_ref().map(|condition| &condition.on)
}

fn families<'a>(rules: &'a [ActiveRule<'a>], generation: Generation) -> Families<'a> {
    let mut families = Families::new();
    let mut uses: HashMap<(&str, &str), usize> = HashMap::new();
    for (place, active) in rules.iter().enumerate() {
        let selector = active.rule.side(generation);
        families.entry(&selector.family).or_default().places.push(place);
        for (label, _) in selector.fixed() {
            *uses.entry((&selector.family, label)).or_default() += 1;
        }
    }
    // In the order of the rules, so that the same packs are always compared in the same way.
    for active in rules {
        let selector = active.rule.side(generation);
        let Some(family) = families.get_mut(selector.family.as_str()) else { continue };
        for (label, _) in selector.fixed() {
            let count = |label: &str| uses.get(&(selector.family.as_str(), label)).copied();
            if family.label.is_none_or(|best| count(label) > count(best)) {
                family.label = Some(label);
            }
        }
    }
    for (place, active) in rules.iter().enumerate() {
        let selector = active.rule.side(generation);
        let Some(family) = families.get_mut(selector.family.as_str()) else { continue };
        match selector.fixed().find(|(label, _)| Some(*label) == family.label) {
            Some((_, text)) => family.by_text.entry(text).or_default().push(place),
            None => family.without.push(place),
        }
    }
    for family in families.values_mut() {
        family.add_metadata(rules, generation);
    }
    families
}
