//! The rules of packs for tools that rewrite something other than samples.

use super::compile::exposition::active::{ActiveRule, active_rules};
use super::emitted::Emitted;
use super::pack::{Pack, PackRule};
use crate::exposition::MetricType;
use crate::mapping::boundary::Boundary;
use crate::mapping::compile::exposition::variables::{Group, groups};
use crate::mapping::generation::{Generation, Merge};
use crate::mapping::layouts::Layouts;
use crate::mapping::pack::exposition::selector::{Selector, Term};
use crate::mapping::pack::exposition::template::Template;
use crate::mapping::scale::Scale;

/// One active rule: two shapes of the same samples.
#[derive(Clone, Debug)]
pub struct Correspondence {
    /// The location of the rule: `pack name:line`.
    pub source: String,
    /// The shape in the old generation.
    pub old: Shape,
    /// The shape in the new generation.
    pub new: Shape,
    /// Boundaries of the old and the new side, if the rule converts a histogram.
    pub buckets: Option<(Vec<Boundary>, Vec<Boundary>)>,
    /// The layouts of all editions of the old and the new side, likewise.
    pub layouts: Option<(Layouts, Layouts)>,
    /// The type of the samples of the old and the new side, if the pack declares it.
    pub types: [Option<MetricType>; 2],
    /// How equal gauges are merged. Without it, equal series are summed.
    pub merge: Option<Merge>,
    /// The family whose counts the old side includes.
    pub includes: Option<String>,
    /// The old side is limited to label sets that this family has too.
    pub only_with: Option<String>,
    /// The generation that the rule only derives.
    pub derive: Option<Generation>,
    /// Labels that have one value in all samples of one exposition.
    pub single_valued: Vec<String>,
    /// Why the values of the two sides are not the same.
    pub differs: Option<String>,
    /// The factor from old values to new ones.
    pub scale: Option<Scale>,
    /// The samples are histograms.
    pub is_histogram: bool,
    /// How the values of labels are converted, if they are.
    pub converted_labels: Vec<String>,
    /// The labels of either side that do not have the values of one label of the other side.
    pub edited: Vec<String>,
    /// Different values of these labels can become the same value.
    pub joins_values: bool,
}

/// A family and the labels in which the generations differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The family's name.
    pub family: String,
    /// Labels and their meanings.
    pub labels: Vec<(String, Meaning)>,
    /// Samples that only this generation counts (`only_in`): they have all labels of one list, with
    /// these values.
    pub only_here: Vec<Vec<(String, String)>>,
    /// Samples of the other side that this one lacks.
    pub lacks: Vec<Lack>,
}

/// A part of the samples that one side of a rule lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The part is the label sets that this family has too. Without it, nothing is lacking.
    pub only_with: String,
    /// Why the samples are lacking.
    pub say: String,
}

/// The meaning of a label in a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It has this value.
    Fixed(String),
    /// It has the value of this label on the other side.
    Carried(String),
    /// The other side has no such label.
    Own,
}

impl Correspondence {
    /// The shape in one generation.
    #[must_use]
    pub fn side(&self, generation: Generation) -> &Shape {
        match generation {
            Generation::Old => &self.old,
            Generation::New => &self.new,
        }
    }

    /// The factor from values of the other generation to those of this one.
    #[must_use]
    pub fn scale_to(&self, generation: Generation) -> Option<Scale> {
        match generation {
            Generation::New => self.scale,
            Generation::Old => self.scale.map(Scale::inverse),
        }
    }

    /// How the values of samples are converted, if they are.
    #[must_use]
    pub fn converted_values(&self) -> Option<String> {
        self.scale.map(|scale| format!("the new value is the old one {scale}"))
    }

    /// The boundaries of one generation, as numbers in the unit of `unit`.
    #[must_use]
    pub fn bounds_in(&self, generation: Generation, unit: Generation) -> Vec<f64> {
        let scale = self.scale_to(unit).filter(|_| unit != generation);
        let bounds = self.boundaries(generation).unwrap_or_default().iter().map(|it| it.bound);
        bounds.map(|bound| scale.map_or(bound, |scale| scale.of(bound))).collect()
    }

    /// The declared type of the samples of one generation.
    #[must_use]
    pub fn type_in(&self, generation: Generation) -> Option<MetricType> {
        let [old, new] = self.types;
        if generation == Generation::Old { old } else { new }
    }

    /// The layouts of all editions of one generation.
    #[must_use]
    pub fn layouts_in(&self, generation: Generation) -> Option<&Layouts> {
        let (old, new) = self.layouts.as_ref()?;
        Some(if generation == Generation::Old { old } else { new })
    }

    /// The boundaries of one generation.
    #[must_use]
    pub fn boundaries(&self, generation: Generation) -> Option<&[Boundary]> {
        let (old, new) = self.buckets.as_ref()?;
        Some(if generation == Generation::Old { old } else { new })
    }
}

impl Shape {
    /// The meaning of a label, if the generations differ in it.
    #[must_use]
    pub fn meaning(&self, label: &str) -> Option<&Meaning> {
        self.labels.iter().find(|(its, _)| its == label).map(|(_, meaning)| meaning)
    }
}

/// The active rules when packs extend each other, as [`compile`](super::compile()) uses them. Their
/// boundaries are those of the emitted edition, otherwise those of the newest.
///
/// ```
/// use crossfade::mapping::{Emitted, Pack, correspondences};
///
/// let pack = Pack::parse("demo.yaml", "name: demo\nprometheus: [{ old: a, new: b }]")?;
/// let all = correspondences(&[pack], Emitted::default());
/// assert_eq!((&*all[0].old.family, &*all[0].new.family), ("a", "b"));
/// # Ok::<(), crossfade::document::Diagnostics>(())
/// ```
#[must_use]
pub fn correspondences(packs: &[Pack], emitted: Emitted) -> Vec<Correspondence> {
    active_rules(packs).into_iter().map(|its| correspondence(packs, its, emitted)).collect()
}

pub(super) fn correspondence(
    packs: &[Pack],
    its: ActiveRule<'_>,
    emitted: Emitted,
) -> Correspondence {
    let rule = its.rule;
    let edition = emitted.edition_in(its.pack);
    let layout = |generation, layouts: &Layouts| match edition {
        Some(index) if emitted.has(generation) => layouts.of(index).to_vec(),
        _ => layouts.newest().to_vec(),
    };
    Correspondence {
        source: its.source(),
        old: shape(packs, rule, Generation::Old),
        new: shape(packs, rule, Generation::New),
        buckets: rule
            .buckets
            .as_ref()
            .map(|(old, new)| (layout(Generation::Old, old), layout(Generation::New, new))),
        layouts: rule.buckets.clone(),
        types: [Generation::Old, Generation::New].map(|generation| rule.type_of(generation)),
        merge: rule.merge,
        includes: rule.includes.as_ref().map(|(family, _)| family.clone()),
        only_with: rule.only_with.as_ref().map(|condition| condition.family.clone()),
        derive: rule.derive,
        single_valued: its.pack.single_valued().to_vec(),
        differs: rule.differs.clone(),
        scale: rule.scale,
        is_histogram: rule.buckets.is_some() || rule.metric_type == Some(MetricType::Histogram),
        converted_labels: converted_labels(rule),
        edited: edited(rule)
            .iter()
            .flat_map(|group| group.read.iter().chain(&group.written))
            .map(|(label, _)| (*label).to_owned())
            .collect(),
        joins_values: edited(rule).iter().any(|group| {
            [Generation::Old, Generation::New]
                .into_iter()
                .any(|written| !group.edit(rule, written).keeps_apart())
        }),
    }
}

/// How the values of labels of the new side come from those of the old side.
fn converted_labels(rule: &PackRule) -> Vec<String> {
    let names = |labels: &[(&str, &Template)]| {
        let names: Vec<String> = labels.iter().map(|(label, _)| format!("`{label}`")).collect();
        names.join(", ")
    };
    let labels = edited(rule).into_iter().map(|group| {
        format!("{} and {} have other texts", names(&group.read), names(&group.written))
    });
    labels.collect()
}

/// The labels whose values are not those of one label of the other side.
fn edited(rule: &PackRule) -> Vec<Group<'_>> {
    let mut groups = groups(&rule.old, &rule.new);
    groups.retain(|group| group.renames(rule, Generation::New).is_none());
    groups
}

fn shape(packs: &[Pack], rule: &PackRule, generation: Generation) -> Shape {
    let (selector, other) = (rule.side(generation), rule.side(generation.other()));
    let labels = selector.items.iter();
    let labels = labels.map(|item| (item.label.clone(), meaning(&item.term, other)));
    let only_here = packs.iter().flat_map(|pack| pack.only_in(generation));
    let only_here = only_here.filter(|it| it.family == selector.family);
    let fixed = |it: &Selector| {
        it.fixed().map(|(label, text)| (label.to_owned(), text.to_owned())).collect()
    };
    Shape {
        family: selector.family.clone(),
        labels: labels.collect(),
        only_here: only_here.map(fixed).collect(),
        lacks: lacks(packs, &selector.family),
    }
}

/// What the hints of the packs say about samples that a family lacks.
fn lacks(packs: &[Pack], family: &str) -> Vec<Lack> {
    let hints = packs.iter().flat_map(Pack::series_hints).filter(|it| it.when_missing == family);
    hints.map(|it| Lack { only_with: it.family().to_owned(), say: it.say.clone() }).collect()
}

fn meaning(term: &Term, other: &Selector) -> Meaning {
    match term {
        Term::Fixed(text) => Meaning::Fixed(text.clone()),
        Term::Bare => Meaning::Own,
        Term::Template(template) => {
            let shares = |its: &Template| template.variables.iter().any(|name| its.has(name));
            let carried = other.templates().find(|(_, its)| shares(its));
            let (label, _) = carried.expect("a pack's variables occur on both sides");
            Meaning::Carried(label.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_a_rule() {
        let pack =
            "name: p\nprometheus:\n- old: a{t=$x, k=\"v\"}\n  new: b{d=$x, own}\n  merge: max\n";
        let pack = Pack::parse("p.yaml", pack).expect("valid");
        let all = correspondences(&[pack], Emitted::default());
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].source, "p:3");
        assert_eq!(all[0].merge, Some(Merge::Max));
        let named = |text: &str| text.to_owned();
        assert_eq!(
            all[0].old.labels,
            [(named("t"), Meaning::Carried(named("d"))), (named("k"), Meaning::Fixed(named("v"))),]
        );
        assert_eq!(all[0].side(Generation::New).meaning("own"), Some(&Meaning::Own));
        assert_eq!(all[0].side(Generation::New).meaning("d"), Some(&Meaning::Carried(named("t"))));
        assert_eq!(all[0].side(Generation::New).meaning("other"), None);
    }

    #[test]
    fn samples_that_only_one_generation_counts() {
        let pack = "name: p\nprometheus:\n- { old: a, new: b }\n- { old: c, new: d }\n\
                    only_in:\n  new: ['b{s=\"\"}', 'b{s=\"x\", t=\"y\"}']\n";
        let pack = Pack::parse("p.yaml", pack).expect("valid");
        let all = correspondences(&[pack], Emitted::default());
        let one = |label: &str, text: &str| (label.to_owned(), text.to_owned());
        assert_eq!(all[0].new.only_here, [vec![one("s", "")], vec![one("s", "x"), one("t", "y")]]);
        assert!(all[0].old.only_here.is_empty() && all[1].new.only_here.is_empty());
    }

    #[test]
    fn samples_that_one_generation_lacks_or_counts_in_another_way() {
        let pack = "name: p\nprometheus:\n- { old: a, new: b, differs: why }\n\
                    - { old: c, new: d }\nhints:\n\
                    - { when_missing: d, only_with: a by (s), say: no streams }\n";
        let pack = Pack::parse("p.yaml", pack).expect("valid");
        let all = correspondences(&[pack], Emitted::default());
        assert_eq!((all[0].differs.as_deref(), all[1].differs.as_deref()), (Some("why"), None));
        let lack = Lack { only_with: "a".to_owned(), say: "no streams".to_owned() };
        assert_eq!(all[1].new.lacks, [lack]);
        assert!(all[1].old.lacks.is_empty() && all[0].new.lacks.is_empty());
    }

    #[test]
    fn single_valued_labels_are_those_of_one_generation() {
        let parse = |label: &str| {
            let text = format!(
                "name: p\nprometheus:\n- {{old: 'a{{t=$x}}', new: 'b{{d=$x, own}}', type: counter}}\n\
                 single_valued: [{label}]\n"
            );
            Pack::parse("p.yaml", &text)
        };
        let all = correspondences(&[parse("own").expect("valid")], Emitted::default());
        assert_eq!(all[0].single_valued, ["own"]);
        let error = parse("d").expect_err("both generations have it").to_string();
        assert!(error.contains("no rule has a label `d` that only one generation has"), "{error}");
    }
}
