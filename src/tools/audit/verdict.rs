//! Whether a query survives.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Serialize;

use super::promql::{Expr, Matcher, Node};
use crate::mapping::{Correspondence, Emit, Generation, Meaning};
use crate::tools::audit::catalog::{Knowledge, Named, Takes, takes};
use crate::tools::audit::template_vars::Masked;
use crate::tools::audit::vector_use::{Keep, Use, uses};

/// What becomes of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It gives the same answer.
    Survives,
    /// It gives an answer that is not quite the same.
    Differs,
    /// It gives no answer, or a wrong one.
    Breaks,
}

impl Fate {
    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Fate::Survives => "survives",
            Fate::Differs => "differs",
            Fate::Breaks => "BREAKS",
        }
    }
}

/// What a query speaks, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) speaks: BTreeSet<Generation>,
    /// After the upgrade, with nothing in between.
    pub(super) direct: Fate,
    /// After the upgrade, behind a gateway.
    pub(super) gateway: Fate,
    pub(super) notes: Vec<String>,
}

/// Judges a query; `None` where no pack knows a family in it.
pub(super) fn judge(
    knowledge: &Knowledge,
    query: &str,
    masked: &Masked,
    expr: &Expr,
    emit: Emit,
) -> Option<Verdict> {
    let places = uses(&masked.query, expr);
    let known: Vec<(&Use<'_>, Named)> = places
        .iter()
        .filter_map(|place| {
            Some((place, knowledge.named(query.get(place.selector.name.clone()?)?)?))
        })
        .collect();
    let patterns = patterns(knowledge, query, masked, &places);
    if known.is_empty() && patterns.is_empty() {
        return None;
    }
    let mut judge = Judge {
        knowledge,
        query,
        emit,
        verdict: Verdict {
            speaks: known.iter().filter_map(|(_, named)| named.generation).collect(),
            direct: Fate::Survives,
            gateway: Fate::Survives,
            notes: Vec::new(),
        },
    };
    judge.verdict.speaks.extend(patterns.iter().map(|(generation, _)| *generation));
    for (generation, family) in &patterns {
        judge.gone(*generation, family);
        judge.note(format!("the name is a pattern, which takes {family}"));
    }
    for (place, named) in &known {
        judge.family(place, named);
    }
    // `a or b` answers as long as one of them does.
    let dead = |generation| move |named: &Named| named.generation == Some(generation);
    if judge.verdict.speaks.len() == 2 && patterns.is_empty() {
        if alive(knowledge, query, expr, &dead(Generation::Old)) == Some(true) {
            judge.verdict.direct = Fate::Survives;
        }
        let through = match emit {
            Emit::Old => alive(knowledge, query, expr, &dead(Generation::New)),
            Emit::New => alive(knowledge, query, expr, &dead(Generation::Old)),
            Emit::Both => None,
        };
        if through == Some(true) {
            judge.verdict.gateway = Fate::Survives;
        }
        judge.verdict.notes.clear();
        judge.note("it speaks both generations");
    }
    for (place, named) in &known {
        judge.labels(place, named);
        judge.boundaries(place, named);
    }
    Some(judge.verdict)
}

/// Selectors that may take families of one generation alone: by a pattern of names, or by a name with a variable in it.
fn patterns(
    knowledge: &Knowledge,
    query: &str,
    masked: &Masked,
    places: &[Use<'_>],
) -> Vec<(Generation, String)> {
    let mut found = Vec::new();
    for place in places {
        let name = place.selector.name.as_ref();
        let written =
            name.filter(|at| masked.has_variable(at)).map(|at| open_name(query, masked, at));
        let matchers: Vec<_> = match (name, &written) {
            (Some(_), None) => continue,
            (Some(_), Some(_)) => Vec::new(),
            (None, _) => {
                let matchers = place.selector.matchers.iter();
                matchers.filter(|it| query.get(it.label.clone()) == Some("__name__")).collect()
            }
        };
        let takes_name = |name: &str| match &written {
            Some(parts) => fits(name, parts),
            None => matchers.iter().all(|it| takes(it, name, true) == Takes::Yes),
        };
        for generation in [Generation::Old, Generation::New] {
            let taken = |family: &&str| {
                ["", "_bucket", "_sum", "_count"]
                    .iter()
                    .any(|it| takes_name(&format!("{family}{it}")))
            };
            if (written.is_some() || !matchers.is_empty())
                && let Some(family) = knowledge.only_in(generation).into_iter().find(taken)
            {
                found.push((generation, family.to_owned()));
            }
        }
    }
    found
}

/// A name with variables in it, as the parts between them. One that is a variable alone may be anything, and says nothing.
fn open_name(query: &str, masked: &Masked, name: &Range<usize>) -> Vec<String> {
    let (mut parts, mut from) = (Vec::new(), name.start);
    for variable in
        masked.variables.iter().filter(|it| name.start <= it.start && it.end <= name.end)
    {
        parts.push(query.get(from..variable.start).unwrap_or_default().to_owned());
        from = variable.end;
    }
    parts.push(query.get(from..name.end).unwrap_or_default().to_owned());
    parts
}

/// Whether a name can be these parts with something between each.
fn fits(name: &str, parts: &[String]) -> bool {
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    if parts.iter().all(String::is_empty) {
        return false;
    }
    let Some(mut rest) =
        name.strip_prefix(first.as_str()).and_then(|it| it.strip_suffix(last.as_str()))
    else {
        return false;
    };
    for part in parts.get(1..parts.len() - 1).unwrap_or_default() {
        match rest.split_once(part.as_str()) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    true
}

/// Whether an expression answers; `None` where no pack knows a family in it.
fn alive(
    knowledge: &Knowledge,
    query: &str,
    expr: &Expr,
    dead: &dyn Fn(&Named) -> bool,
) -> Option<bool> {
    let all = |expressions: &mut dyn Iterator<Item = &Expr>| {
        let each = expressions.filter_map(|it| alive(knowledge, query, it, dead));
        each.reduce(|a, b| a && b)
    };
    match &expr.node {
        Node::Literal => None,
        Node::Selector(selector) => {
            let named = knowledge.named(query.get(selector.name.clone()?)?)?;
            Some(!dead(&named))
        }
        Node::Call { arguments, .. } => all(&mut arguments.iter()),
        Node::Aggregate(aggregate) => all(&mut aggregate.arguments.iter()),
        Node::Wrapped { inner, .. } => alive(knowledge, query, inner, dead),
        Node::Binary(binary) => {
            let sides = [&binary.left, &binary.right].map(|it| alive(knowledge, query, it, dead));
            match (binary.op.as_str(), sides) {
                ("or", [Some(left), Some(right)]) => Some(left || right),
                ("unless", [Some(left), _]) => Some(left),
                (_, [Some(left), Some(right)]) => Some(left && right),
                (_, [one, other]) => one.or(other),
            }
        }
    }
}

struct Judge<'a> {
    knowledge: &'a Knowledge,
    query: &'a str,
    emit: Emit,
    verdict: Verdict,
}

impl<'a> Judge<'a> {
    fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.verdict.notes.contains(&note) {
            self.verdict.notes.push(note);
        }
    }

    fn breaks(&mut self, direct: bool, gateway: bool) {
        if direct {
            self.verdict.direct = Fate::Breaks;
        }
        if gateway {
            self.verdict.gateway = Fate::Breaks;
        }
    }

    /// A family of one generation is not there where only the other one is.
    fn gone(&mut self, generation: Generation, family: &str) {
        // What no entry reads into the other generation passes a gateway.
        let entries = self.knowledge.entries(family, generation);
        let passes = entries.iter().all(|it| it.derive.is_some());
        match (generation, self.emit) {
            (Generation::Old, emit) => self.breaks(true, emit == Emit::New && !passes),
            (Generation::New, emit) => self.breaks(false, emit == Emit::Old && !passes),
        }
    }

    fn family(&mut self, place: &Use<'_>, named: &Named) {
        let Some(generation) = named.generation else {
            return;
        };
        self.gone(generation, &named.family);
        if generation == Generation::Old {
            let meant = self.meant(place, named);
            let becomes: BTreeSet<&str> = meant.iter().map(|it| it.new.family.as_str()).collect();
            let becomes = becomes.into_iter().collect::<Vec<_>>().join(", ");
            self.note(format!("{} becomes {becomes}", named.family));
        }
        if place.function == Some("absent") && generation == Generation::Old {
            self.note("`absent` of a family that is gone is always true");
        }
    }

    /// The entries that a selector can mean, by the labels that have one value.
    fn meant(&self, place: &Use<'_>, named: &Named) -> Vec<&'a Correspondence> {
        let generation = named.generation.unwrap_or(Generation::Old);
        let mut entries = self.knowledge.movable(&named.family, generation);
        entries.retain(|entry| {
            let mut fixed =
                entry.side(generation).labels.iter().filter_map(|(label, meaning)| match meaning {
                    Meaning::Fixed(value) => Some((label, value)),
                    _ => None,
                });
            fixed.all(|(label, value)| {
                let of_label = |it: &&Matcher| self.query.get(it.label.clone()) == Some(label);
                let mut matchers = place.selector.matchers.iter().filter(of_label);
                matchers.all(|it| takes(it, value, true) != Takes::No)
            })
        });
        entries
    }

    /// Labels that the query names and the family does not have.
    fn labels(&mut self, place: &Use<'_>, named: &Named) {
        let matched = place.selector.matchers.iter();
        let matched = matched.filter_map(|it| self.query.get(it.label.clone()));
        let labels: BTreeSet<String> =
            matched.map(str::to_owned).chain(place.named.iter().cloned()).collect();
        let both = [Generation::Old, Generation::New];
        let generations = named.generation.map_or(both.to_vec(), |generation| vec![generation]);
        for label in &labels {
            for generation in &generations {
                if let Some(instead) = self.wrong(named, *generation, label) {
                    let one_name = named.generation.is_none();
                    let direct = *generation == Generation::New;
                    let gateway = (*generation == Generation::Old) == (self.emit == Emit::Old);
                    if one_name {
                        self.breaks(direct, gateway && self.emit != Emit::Both);
                    } else {
                        self.breaks(true, true);
                    }
                    let speaks = if one_name { generation.other() } else { *generation };
                    self.verdict.speaks.insert(speaks);
                    self.note(format!("{} has no label `{label}`{instead}", named.family));
                }
            }
        }
        if named.generation.is_none() && matches!(place.keep, Keep::AllBut(_)) {
            for entry in self.knowledge.entries(&named.family, Generation::New) {
                for (label, _) in entry.new.labels.iter().filter(|(_, it)| *it == Meaning::Own) {
                    self.note(format!("{} has one more label then: `{label}`", named.family));
                }
            }
        }
    }

    /// What to say of a label that only the other side of every entry knows.
    fn wrong(&self, named: &Named, generation: Generation, label: &str) -> Option<String> {
        let entries = self.knowledge.entries(&named.family, generation);
        if entries.iter().any(|it| it.side(generation).meaning(label).is_some()) {
            return None;
        }
        let word = if generation == Generation::Old { "old" } else { "new" };
        entries.iter().find_map(|entry| {
            Some(match entry.side(generation.other()).meaning(label)? {
                Meaning::Carried(other) => format!(": it is called `{other}` there"),
                Meaning::Fixed(_) => ": the family's name says it".to_owned(),
                Meaning::Own => format!(" in the {word} generation"),
            })
        })
    }

    /// Boundaries that the two generations do not have in common.
    fn boundaries(&mut self, place: &Use<'_>, named: &Named) {
        let Some(generation) = named.generation.filter(|_| named.suffix == "_bucket") else {
            return;
        };
        let matchers = place.selector.matchers.iter();
        let le: Vec<_> =
            matchers.filter(|it| self.query.get(it.label.clone()) == Some("le")).collect();
        let mut estimated: Vec<&str> = Vec::new();
        let mut differ = false;
        for entry in self.meant(place, named) {
            let (Some(these), Some(those)) =
                (entry.boundaries(generation), entry.boundaries(generation.other()))
            else {
                continue;
            };
            for bound in these {
                let exact = those.iter().any(|it| it.bound.total_cmp(&bound.bound).is_eq());
                differ |= !exact;
                let spelled = [bound.text.to_string(), format!("{:.1}", bound.bound)];
                let asked =
                    |spelling: &String| le.iter().all(|it| takes(it, spelling, true) == Takes::Yes);
                if !le.is_empty()
                    && !exact
                    && spelled.iter().any(asked)
                    && !estimated.contains(&&*bound.text)
                {
                    estimated.push(&bound.text);
                }
            }
        }
        if le.is_empty() && differ {
            self.note("only some bucket boundaries are in both generations: between them, quantiles are interpolated");
        }
        let through = generation == Generation::Old && self.emit != Emit::New;
        if !estimated.is_empty() && through {
            self.verdict.gateway = self.verdict.gateway.max(Fate::Differs);
            self.note(format!("estimated behind the gateway: le {}", estimated.join(" ")));
        }
    }
}
