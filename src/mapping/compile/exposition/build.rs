//! Builds the plan from checked rules. This step cannot fail.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::buckets;
use super::expected;
use super::index::RuleIndex;
use crate::exposition::MetricType;
use crate::mapping::Pack;
use crate::mapping::compile::Settings;
use crate::mapping::compile::exposition::active::ActiveRule;
use crate::mapping::compile::exposition::labels;
use crate::mapping::emitted::Emitted;
use crate::mapping::generation::{BucketPolicy, Generation, NotCounted};
use crate::mapping::plan::exposition::{
    Kind, LabelEdits, Output, OutputId, PartOf, Plan, Redirect, ReferenceFamily, ReferenceId, Rule,
    RuleId,
};

/// Builds the plan of rules that [`check`](super::check) found nothing wrong with.
pub(in crate::mapping) fn plan(
    packs: &[Pack],
    index: &RuleIndex<'_>,
    emitted: Emitted,
    settings: &Settings,
) -> Plan {
    let active = index.rules;
    let mut build = Build {
        active,
        index,
        redirected: [Generation::Old, Generation::New].map(|written| redirected(index, written)),
        emitted,
        settings,
        ids: HashMap::new(),
        outputs: HashMap::new(),
        plan: Plan { emitted: emitted.generation(), ..Plan::default() },
    };
    build.name();
    build.rules();
    build.redirects();
    build.converted_to_edition();
    build.family_rules();
    build.distinct();
    build.stream();
    build.families(packs);
    build.plan.packs = expected::families(packs, active);
    build.plan.expected = expected::expected(packs, active, &build.ids);
    build.plan
}

struct Build<'a> {
    active: &'a [ActiveRule<'a>],
    emitted: Emitted,
    index: &'a RuleIndex<'a>,
    /// The places of the plain rules that have redirects, by the generation written.
    redirected: [HashSet<usize>; 2],
    settings: &'a Settings,
    /// The compiled rules, by the place of the pack rule and the generation written.
    ids: HashMap<(usize, Generation), RuleId>,
    outputs: HashMap<&'a str, OutputId>,
    plan: Plan,
}

impl<'a> Build<'a> {
    /// Numbers rules and outputs before they are built, because they refer to each other.
    fn name(&mut self) {
        let mut next = 0;
        for (index, pack_rule) in self.active.iter().enumerate() {
            for generation in self.emitted.generations() {
                let rule = self.has_rule(index, generation);
                if rule {
                    self.ids.insert((index, generation), RuleId(next));
                    next += 1;
                }
                if rule || is_redirect(*pack_rule, generation) {
                    self.output(*pack_rule, generation);
                }
            }
        }
    }

    fn has_rule(&self, index: usize, written: Generation) -> bool {
        let from = self.active[index];
        let pack_rule = from.rule;
        if pack_rule.derive.is_some_and(|derived| derived != written) || is_redirect(from, written)
        {
            return false;
        }
        if !pack_rule.keeps_name() {
            return true;
        }
        // Under `both`, a family with the same name in both generations is emitted in its new form.
        let leaves = !self.emitted.is_both() || written == Generation::New;
        let changes = pack_rule.buckets.is_some()
            || pack_rule.scale.is_some()
            || pack_rule.new_type.is_some()
            || !labels::labels(pack_rule, written, &self.settings.fill).is_identity();
        leaves && (changes || self.redirected[written as usize].contains(&index))
    }

    fn rules(&mut self) {
        for (index, from) in self.active.iter().enumerate() {
            for written in self.emitted.generations() {
                if let Some(id) = self.ids.get(&(index, written)).copied() {
                    let rule = self.rule(*from, written);
                    self.writes(rule.to, id);
                    self.plan.rules.push(rule);
                }
            }
        }
    }

    fn rule(&mut self, from: ActiveRule<'a>, written: Generation) -> Rule {
        let pack_rule = from.rule;
        let labels = labels::labels(pack_rule, written, &self.settings.fill);
        let included = written == Generation::Old && self.including(from).is_some();
        Rule {
            title: title(from, written),
            source: from.source(),
            from: pack_rule.side(written.other()).family.as_bytes().into(),
            to: self.output(from, written),
            when: labels::conditions(pack_rule, written, &labels),
            labels,
            kind: buckets::kind(from, (written.other(), written), self.emitted, self.settings),
            scale: pack_rule.scale_to(written),
            types: pack_rule.types_to(written),
            stream: false, // these two are set when all rules are known
            distinct: false,
            keep: self.emitted.is_both() && !pack_rule.keeps_name(),
            same_generation: false,
            also: pack_rule.derive.is_some() || included,
            derived: pack_rule.derive.is_some(),
            part_of: self.part_of(from, written),
            remainder: pack_rule.includes.is_some() && written == Generation::New,
            redirects: Vec::new(),
        }
    }

    fn output(&mut self, from: ActiveRule<'a>, written: Generation) -> OutputId {
        let family = from.rule.side(written).family.as_str();
        let outputs = &mut self.plan.outputs;
        let id = *self.outputs.entry(family).or_insert_with(|| {
            outputs.push(Output { name: family.as_bytes().into(), help: None, rules: Vec::new() });
            OutputId(number(outputs.len() - 1))
        });
        let output = &mut outputs[id.0 as usize];
        if output.help.is_none() {
            output.help = from.rule.help(written).map(Into::into);
        }
        id
    }

    fn writes(&mut self, output: OutputId, rule: RuleId) {
        let rules = &mut self.plan.outputs[output.0 as usize].rules;
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }

    /// The place of the rule whose old side includes the counts of this one.
    fn including(&self, part: ActiveRule<'_>) -> Option<usize> {
        let whole = part.rule.derive.is_none();
        whole.then(|| self.index.including(&part.rule.old.family)).flatten()
    }

    fn part_of(&self, part: ActiveRule<'_>, written: Generation) -> Option<PartOf> {
        if written == Generation::Old {
            return None;
        }
        let total = self.including(part)?;
        let named = &self.active[total].rule.old;
        let without = part.rule.old.items.iter().map(|item| item.label.as_str());
        Some(PartOf {
            total: *self.ids.get(&(total, written))?,
            without: without
                .filter(|label| named.item(label).is_none())
                .map(|label| label.as_bytes().into())
                .collect(),
        })
    }

    fn redirects(&mut self) {
        let active = self.active;
        for written in self.emitted.generations() {
            for pack_rule in active.iter().filter(|pack_rule| is_redirect(**pack_rule, written)) {
                self.redirect(*pack_rule, written);
            }
        }
    }

    /// Redirects label sets from the rule that reads the same samples.
    fn redirect(&mut self, from: ActiveRule<'a>, written: Generation) {
        let condition = from.rule.only_with.as_ref().expect("only conditions redirect");
        let plain = self.index.plain_rule(from).expect("checked: a plain rule reads the same");
        let id = self.ids[&(plain, written)];
        let to = self.output(from, written);
        let reference = self.reference(&condition.family, &condition.on);
        let redirect =
            Redirect { title: title(from, written), source: from.source(), reference, to };
        self.plan.rules[id.0 as usize].redirects.push(redirect);
        self.writes(to, id);
    }

    fn reference(&mut self, family: &str, on: &[String]) -> ReferenceId {
        let references = &mut self.plan.references;
        let decides = self.plan.families.entry(family.as_bytes().into()).or_default();
        *decides.reference.get_or_insert_with(|| {
            let on = on.iter().map(|label| label.as_bytes().into()).collect();
            references.push(ReferenceFamily { on });
            ReferenceId(number(references.len() - 1))
        })
    }

    /// Adds the rules for families that are of the emitted generation already, but may be of
    /// another edition of it.
    fn converted_to_edition(&mut self) {
        for (index, generation) in buckets::converted_to_edition(self.active, self.emitted) {
            let from = self.active[index];
            let side = from.rule.side(generation);
            let id = RuleId(number(self.plan.rules.len()));
            let to = self.output(from, generation);
            self.plan.rules.push(Rule {
                title: format!("{side} -> {side}"),
                source: from.source(),
                from: side.family.as_bytes().into(),
                to,
                when: labels::own_conditions(from.rule, generation),
                labels: LabelEdits::default(),
                kind: buckets::kind(from, (generation, generation), self.emitted, self.settings),
                scale: None,
                types: None,
                stream: false,
                distinct: false,
                keep: false,
                same_generation: true,
                also: false,
                derived: false,
                part_of: None,
                remainder: false,
                redirects: Vec::new(),
            });
            self.writes(to, id);
        }
    }

    /// Lists the rules that read each family, in the order to try them.
    fn family_rules(&mut self) {
        for (index, rule) in self.plan.rules.iter().enumerate() {
            let family = self.plan.families.entry(rule.from.clone()).or_default();
            family.rules.push(RuleId(number(index)));
        }
        let rules = &self.plan.rules;
        for family in self.plan.families.values_mut() {
            // Rules after which later ones are tried come first, because the others end the search.
            // Of those, the more specific rule comes first.
            family.rules.sort_by_key(|id| {
                let rule = &rules[id.0 as usize];
                (!rule.also, Reverse(rule.when.equal.len()), *id)
            });
        }
        for output in &mut self.plan.outputs {
            output.rules.sort_unstable();
        }
    }

    /// Marks the rules that cannot make two series equal.
    fn distinct(&mut self) {
        let rules = &self.plan.rules;
        let told_apart: HashSet<(OutputId, RuleId)> = (0..)
            .map(OutputId)
            .zip(&self.plan.outputs)
            .flat_map(|(id, output)| {
                let apart = labels::told_apart_by_text(rules, &output.rules);
                apart.into_iter().map(move |rule| (id, rule))
            })
            .collect();
        let distinct: Vec<bool> = rules
            .iter()
            .enumerate()
            .map(|(index, rule)| {
                labels::keeps_apart(rule)
                    && rule.part_of.is_none()
                    && !rule.remainder
                    && rule.redirects.is_empty()
                    && told_apart.contains(&(rule.to, RuleId(number(index))))
            })
            .collect();
        for (rule, distinct) in self.plan.rules.iter_mut().zip(distinct) {
            rule.distinct = distinct;
        }
    }

    /// Marks the rules that can write each sample at once.
    fn stream(&mut self) {
        for index in 0..self.plan.rules.len() {
            let rule = &self.plan.rules[index];
            let alone = self.plan.families[&rule.from].rules.len() == 1
                && self.plan.output(rule.to).rules.len() == 1;
            let buckets_unchanged = match &rule.kind {
                Kind::Histogram(buckets) => buckets.policy == BucketPolicy::Native,
                Kind::Typed | Kind::Gauge(_) | Kind::TypedOrGauge(_) => true,
            };
            let stream = !self.emitted.is_both()
                && !rule.same_generation
                && alone
                && buckets_unchanged
                && labels::keeps_apart(rule)
                && rule.part_of.is_none()
                && !rule.remainder
                && !rule.also
                && rule.redirects.is_empty();
            self.plan.rules[index].stream = stream;
        }
    }

    /// Completes the families: those that rules write, and what packs declare about them.
    fn families(&mut self, packs: &[Pack]) {
        for rule in &self.plan.rules {
            for to in rule.redirects.iter().map(|redirect| redirect.to).chain([rule.to]) {
                let name = self.plan.outputs[to.0 as usize].name.clone();
                self.plan.families.entry(name).or_default().written = true;
            }
        }
        if self.settings.not_counted == NotCounted::Drop {
            self.not_counted(packs);
        }
        for family in packs.iter().flat_map(Pack::repeats) {
            self.plan.families.entry(family.as_bytes().into()).or_default().deduplicated = true;
        }
        for generation in [Generation::Old, Generation::New] {
            for pack_rule in self.active {
                let family = &pack_rule.rule.side(generation).family;
                let is_histogram =
                    pack_rule.rule.type_of(generation) == Some(MetricType::Histogram);
                if pack_rule.rule.buckets.is_some() || is_histogram {
                    let family = self.plan.families.entry(family.as_bytes().into()).or_default();
                    family.histogram = true;
                }
                let first = self.index.of_family(generation, family).next();
                if first.is_some_and(|first| std::ptr::eq(first.rule, pack_rule.rule)) {
                    self.editions(family, generation);
                }
                if self.index.of_family(generation.other(), family).next().is_none() {
                    let family = self.plan.families.entry(family.as_bytes().into()).or_default();
                    family.generation = Some(generation);
                }
            }
        }
    }
}

impl Build<'_> {
    /// Adds the layouts of a family that has several in this generation.
    fn editions(&mut self, family: &str, generation: Generation) {
        let name = family.as_bytes();
        if self.plan.families.get(name).is_some_and(|its| its.editions.is_some()) {
            return;
        }
        let named = self.index.of_family(generation, family);
        if let Some(found) = buckets::editions(generation, named, self.emitted, self.settings) {
            let index = Some(self.plan.editions.len());
            self.plan.editions.push(found);
            self.plan.families.entry(name.into()).or_default().editions = index;
        }
    }

    /// Lists the samples of each family that a written generation does not count.
    fn not_counted(&mut self, packs: &[Pack]) {
        for written in self.emitted.generations() {
            for selector in packs.iter().flat_map(|pack| pack.only_in(written.other())) {
                let family = self.plan.families.entry(selector.family.as_bytes().into());
                let equal = selector.fixed();
                let equal = equal.map(|(label, text)| {
                    (label.as_bytes().into(), labels::escaped(text.as_bytes()))
                });
                family.or_default().not_counted.push(equal.collect());
            }
        }
    }
}

/// True if the pack rule is compiled into a redirect of the plain rule, not into a rule of its own.
fn is_redirect(from: ActiveRule<'_>, written: Generation) -> bool {
    from.rule.only_with.is_some() && written == Generation::New
}

/// The plain rules that redirects to this generation take samples from.
fn redirected(index: &RuleIndex<'_>, written: Generation) -> HashSet<usize> {
    let redirects = index.rules.iter().filter(|its| is_redirect(**its, written));
    redirects.filter_map(|its| index.plain_rule(*its)).collect()
}

/// The rule for people, read -> written.
pub(super) fn title(from: ActiveRule<'_>, written: Generation) -> String {
    let scale = from.rule.scale_to(written);
    let scale = scale.map(|scale| format!(" ({scale})")).unwrap_or_default();
    format!("{} -> {}{scale}", from.rule.side(written.other()), from.rule.side(written))
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a pack with four thousand million rules does not fit in memory")
}
