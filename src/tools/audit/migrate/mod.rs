//! A query of one generation, said in the other.
//!
//! Only what can be shown to give the same answer is moved. For each selector:
//!
//! 1. Which entries of the packs say what it selects? A label with a fixed value decides, or several entries do, side by side.
//! 2. What becomes of its matchers: labels that carry a value get the other name, fixed ones go or come, `le` stays if both
//!    generations count that boundary.
//! 3. One old series may be several new ones: they are joined as the pack says, before anything else looks at them, unless an
//!    aggregation right above does it anyway. The other way round nothing but such an aggregation will do.
//! 4. Labels that something still looks at keep their names. Only where nothing beside the query's own lists and its legend
//!    names a label may it be called by the other generation's name.
//!
//! Whatever does not fit is an obstacle, said in words, and the query stays as it is.

mod matchers;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::document::{Edit, apply};
use super::promql::{Aggregate, Expr, LabelList, Matcher};
use crate::mapping::{Correspondence, Generation, Meaning};
use crate::tools::audit::catalog::{Knowledge, Named, joined_by};
use crate::tools::audit::template_vars::Masked;
use crate::tools::audit::vector_use::{Use, labels_in_functions, uses};

/// What to move.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// The text that edits are made in.
    pub(super) text: &'a str,
    pub(super) masked: &'a Masked,
    pub(super) expr: &'a Expr,
    pub(super) from: Generation,
    /// Grafana puts variables into it.
    pub(super) templated: bool,
    /// Somebody reads its labels by name: they must stay.
    pub(super) labels_matter: bool,
    /// Labels that the legend names.
    pub(super) legend: &'a BTreeSet<String>,
    /// The label whose values are asked for, and nothing else.
    pub(super) asked: Option<&'a str>,
}

/// A query that was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) edits: Vec<Edit>,
    /// Labels that are called otherwise in the result.
    pub(super) renames: BTreeMap<String, String>,
}

/// Moves a query.
///
/// # Errors
///
/// Why not.
pub(super) fn moved(knowledge: &Knowledge, request: &Request<'_>) -> Result<Moved, Vec<String>> {
    let uses = uses(&request.masked.query, request.expr);
    let mut mover =
        Mover { knowledge, request, parts: Vec::new(), others: Vec::new(), lists: BTreeMap::new() };
    let mut obstacles: Vec<String> = Vec::new();
    for place in uses {
        if let Err(obstacle) = mover.part(place)
            && !obstacles.contains(&obstacle)
        {
            obstacles.push(obstacle);
        }
    }
    if !obstacles.is_empty() {
        return Err(obstacles);
    }
    mover.write().map_err(|obstacle| vec![obstacle])
}

/// A selector, and the entries that say it together.
struct Part<'a> {
    place: Use<'a>,
    named: Named,
    entries: Vec<&'a Correspondence>,
}

struct Mover<'a> {
    knowledge: &'a Knowledge,
    request: &'a Request<'a>,
    parts: Vec<Part<'a>>,
    /// Selectors that stay as they are.
    others: Vec<Use<'a>>,
    /// Lists of labels that get or lose some, by where they stand.
    lists: BTreeMap<usize, (Range<usize>, Vec<String>)>,
}

/// Labels of one entry that differ between the sides.
struct Labels<'a> {
    /// Only the side that is left has them.
    own_from: BTreeSet<&'a str>,
    /// Only the side that is moved to has them.
    own_to: BTreeSet<&'a str>,
    /// They have one value on the side that is left, and are not there, or have another, on the other.
    lost: Vec<(&'a str, &'a str)>,
    /// Likewise the other way round.
    added: BTreeSet<&'a str>,
    renamed: Vec<(&'a str, &'a str)>,
}

impl<'a> Labels<'a> {
    fn of(entry: &'a Correspondence, from: Generation) -> Labels<'a> {
        let (this, that) = (entry.side(from), entry.side(from.other()));
        let mut labels = Labels {
            own_from: BTreeSet::new(),
            own_to: BTreeSet::new(),
            lost: Vec::new(),
            added: BTreeSet::new(),
            renamed: Vec::new(),
        };
        for (label, meaning) in &this.labels {
            match meaning {
                Meaning::Own => drop(labels.own_from.insert(label)),
                Meaning::Fixed(value) if that.meaning(label) != Some(meaning) => {
                    labels.lost.push((label, value));
                }
                Meaning::Carried(other) if other != label => labels.renamed.push((label, other)),
                Meaning::Fixed(_) | Meaning::Carried(_) => {}
            }
        }
        for (label, meaning) in &that.labels {
            match meaning {
                Meaning::Own => drop(labels.own_to.insert(label)),
                Meaning::Fixed(_) if this.meaning(label) != Some(meaning) => {
                    labels.added.insert(label);
                }
                Meaning::Fixed(_) | Meaning::Carried(_) => {}
            }
        }
        labels
    }
}

impl<'a> Mover<'a> {
    fn slice(&self, at: &Range<usize>) -> &'a str {
        self.request.text.get(at.clone()).unwrap_or_default()
    }

    fn label(&self, matcher: &Matcher) -> &'a str {
        self.slice(&matcher.label)
    }

    fn matchers<'b>(&self, place: &Use<'b>, label: &str) -> Vec<&'b Matcher> {
        place.selector.matchers.iter().filter(|it| self.slice(&it.label) == label).collect()
    }

    /// Decides what a selector becomes.
    fn part(&mut self, place: Use<'a>) -> Result<(), String> {
        let from = self.request.from;
        let Some(name) = &place.selector.name else {
            return self.nameless(place);
        };
        let at = name;
        let name = self.slice(at);
        if self.request.masked.has_variable(at) {
            return Err(format!("`{name}` is a name with a variable in it"));
        }
        let Some(named) = self.knowledge.named(name) else {
            self.others.push(place);
            return Ok(());
        };
        if named.generation == Some(from.other()) {
            return Err("it speaks both generations".to_owned());
        }
        if named.generation.is_none() {
            self.stays(&place, &named)?;
            self.others.push(place);
            return Ok(());
        }
        let entries = self.chosen(&place, &named)?;
        self.parts.push(Part { place, named, entries });
        Ok(())
    }

    /// A selector without a name may select anything.
    fn nameless(&mut self, place: Use<'a>) -> Result<(), String> {
        let pattern = self.matchers(&place, "__name__");
        let takes = |family: &&str| {
            ["", "_bucket", "_sum", "_count"].iter().any(|suffix| {
                let taken = crate::tools::audit::catalog::all_take(
                    &pattern,
                    &format!("{family}{suffix}"),
                    self.request.templated,
                );
                taken != crate::tools::audit::catalog::Takes::No
            })
        };
        if let Some(family) = self.knowledge.only_in(self.request.from).into_iter().find(takes) {
            return Err(format!("the name is a pattern, which takes {family}"));
        }
        self.others.push(place);
        Ok(())
    }

    /// A family that has one name in both generations stays as it is, unless labels of one of them are asked for.
    fn stays(&self, place: &Use<'_>, named: &Named) -> Result<(), String> {
        for entry in self.knowledge.entries(&named.family, self.request.from) {
            let labels = Labels::of(entry, self.request.from);
            for label in &labels.own_from {
                if place.named.contains(*label) || !self.matchers(place, label).is_empty() {
                    return Err(format!("`{label}` of {} is only there now", named.family));
                }
            }
        }
        Ok(())
    }

    /// The entries that say what a selector selects.
    fn chosen(&self, place: &Use<'_>, named: &Named) -> Result<Vec<&'a Correspondence>, String> {
        let (from, family) = (self.request.from, named.family.as_str());
        let mut entries = self.knowledge.movable(family, from);
        let all = entries.clone();
        let mut unknown = None;
        entries.retain(|entry| match self.selects(place, entry) {
            Ok(selects) => selects,
            Err(obstacle) => {
                unknown.get_or_insert(obstacle);
                false
            }
        });
        if let Some(obstacle) = unknown {
            return Err(obstacle);
        }
        // A part and the total that counts it too: the part where it is asked for, otherwise the total.
        let (mut parts, mut totals) = (Vec::new(), Vec::new());
        for (index, part) in entries.iter().enumerate() {
            for (other, total) in entries.iter().enumerate() {
                if total.includes.as_ref() == Some(&part.old.family) {
                    let asks = part.side(from).labels.iter().any(|(label, meaning)| {
                        matches!(meaning, Meaning::Carried(_)) && self.asks_for(place, label)
                    });
                    if asks { totals.push(other) } else { parts.push(index) }
                }
            }
        }
        let mut index = 0;
        entries.retain(|_| {
            let stays = !parts.contains(&index) && !totals.contains(&index);
            index += 1;
            stays
        });
        if entries.is_empty() {
            return Err(if all.is_empty() {
                format!("{family} has no counterpart")
            } else {
                format!("no part of {family} that a pack knows matches")
            });
        }
        for label in &place.named {
            let says = |generation: Generation| {
                entries.iter().any(|it| it.side(generation).meaning(label).is_some())
            };
            if says(from.other()) && !says(from) {
                return Err(format!("it names `{label}`, which {family} does not have"));
            }
        }
        for entry in &entries {
            if from == Generation::New
                && let Some(other) = self.knowledge.conflict(entry, from)
            {
                return Err(format!(
                    "{} would count {other} too; where there is none, say --absent={other}",
                    entry.side(from.other()).family
                ));
            }
        }
        Ok(entries)
    }

    fn write(&mut self) -> Result<Moved, String> {
        let naming = self.naming();
        let mut moved = Moved { edits: Vec::new(), renames: naming.renamed.clone() };
        let parts = std::mem::take(&mut self.parts);
        for part in &parts {
            moved.edits.extend(self.vector(part, &naming)?);
            let Some(asked) = self.request.asked else { continue };
            for entry in &part.entries {
                if let Some(Meaning::Carried(other)) = entry.side(self.request.from).meaning(asked)
                {
                    moved.renames.insert(asked.to_owned(), other.clone());
                }
            }
        }
        // Lists: those that get or lose labels are written anew, in the others a label is renamed in place.
        for list in self.request.expr.label_lists() {
            if self.lists.contains_key(&list.at.start) {
                continue;
            }
            for (label, at) in &list.labels {
                if let Some(to) = naming.renamed.get(label) {
                    moved.edits.push(Edit::replace(at.clone(), to));
                }
            }
        }
        for (at, labels) in self.lists.values() {
            let named = |label: &String| naming.renamed.get(label).unwrap_or(label).clone();
            let labels: Vec<String> = labels.iter().map(named).collect();
            moved.edits.push(Edit::replace(at.clone(), format!("({})", labels.join(", "))));
        }
        Ok(moved)
    }

    /// Which labels may change their name, or go, without anyone missing them.
    fn naming(&self) -> Naming {
        let mut naming = Naming::default();
        if self.request.labels_matter && self.request.asked.is_none() {
            return naming;
        }
        let functions = labels_in_functions(&self.request.masked.query, self.request.expr);
        let listed = |label: &str| self.request.expr.label_lists().iter().any(|it| it.has(label));
        let from = self.request.from;
        let alike = |label: &str, of: &dyn Fn(&Labels<'_>) -> bool| {
            let every = |part: &Part<'_>| part.entries.iter().all(|it| of(&Labels::of(it, from)));
            self.parts.iter().filter(|part| part.place.keep.has(label)).all(every)
                && !self.others.iter().any(|place| place.keep.has(label))
        };
        for entry in self.parts.iter().flat_map(|part| &part.entries) {
            let labels = Labels::of(entry, from);
            for (label, to) in labels.renamed {
                let same = |labels: &Labels<'_>| labels.renamed.contains(&(label, to));
                let free = !functions.contains(label) && !functions.contains(to) && !listed(to);
                if free && alike(label, &same) {
                    naming.renamed.insert(label.to_owned(), to.to_owned());
                }
            }
            for (label, value) in labels.lost {
                let same = |labels: &Labels<'_>| labels.lost.contains(&(label, value));
                let named = self.request.legend.contains(label) || functions.contains(label);
                if !named && !listed(label) && alike(label, &same) {
                    naming.lost.insert(label.to_owned());
                }
            }
        }
        naming
    }

    /// The vector of one selector, moved.
    fn vector(&mut self, part: &Part<'_>, naming: &Naming) -> Result<Vec<Edit>, String> {
        let unit = part.place.unit.clone();
        if let Some(asked) = self.request.asked {
            return self.series(part, asked);
        }
        if let [entry] = part.entries[..] {
            let mut edits = self.selector(part, entry)?;
            let (before, behind) = self.wrapping(part, entry, naming, false)?;
            if !before.is_empty() {
                edits.push(Edit::before(unit.start, before));
                edits.push(Edit::behind(unit.end, behind));
            }
            return Ok(edits);
        }
        let text = self.slice(&unit);
        if text.contains('#') {
            return Err("it becomes several families, and has a comment in it".to_owned());
        }
        if OF_SERIES.contains(&part.place.function.unwrap_or_default()) {
            return Err(format!("{} becomes several families", part.named.family));
        }
        let values = |entry: &Correspondence| -> Vec<(String, String)> {
            let lost = Labels::of(entry, self.request.from).lost;
            lost.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect()
        };
        // Members whose labels differ only in what the name now says would else stand in each other's way.
        let told_apart = part.entries.iter().any(|it| values(it) != values(part.entries[0]));
        let mut members = Vec::new();
        for entry in &part.entries {
            let edits = self.selector(part, entry)?;
            let within = edits.into_iter().map(|edit| Edit {
                at: edit.at.start - unit.start..edit.at.end - unit.start,
                ..edit
            });
            let member = apply(text, &within.collect::<Vec<_>>()).unwrap_or_default();
            let member: Vec<&str> = member.split_whitespace().collect();
            let (before, behind) = self.wrapping(part, entry, naming, told_apart)?;
            members.push(format!("{before}{}{behind}", member.join(" ")));
        }
        let union = members.join(" or ");
        let union = if part.place.enclosed { union } else { format!("({union})") };
        Ok(vec![Edit::replace(unit, union)])
    }

    /// What must stand around a vector so that it is what it was: series joined, labels put back.
    fn wrapping(
        &mut self,
        part: &Part<'_>,
        entry: &Correspondence,
        naming: &Naming,
        told_apart: bool,
    ) -> Result<(String, String), String> {
        let place = &part.place;
        let labels = Labels::of(entry, self.request.from);
        let (op, functions) = joined_by(entry.merge);
        let of_series = OF_SERIES.contains(&place.function.unwrap_or_default());
        self.joined_above(place, &labels, op)?;
        let back = labels_back(place, &labels, naming, told_apart);
        if of_series {
            let tells = place.selector.matchers.iter().any(|it| {
                let label = self.label(it);
                it.op == "="
                    && (labels.renamed.iter().any(|(its, _)| *its == label)
                        || labels.lost.iter().any(|(its, _)| *its == label))
            });
            return match place.function {
                Some("timestamp") => Err("`timestamp` is that of each series".to_owned()),
                _ if (tells || !labels.added.is_empty()) && self.request.labels_matter => {
                    Err("`absent` answers with the labels that it asks for".to_owned())
                }
                _ => Ok((String::new(), String::new())),
            };
        }
        let several = !labels.own_to.is_empty() || !labels.own_from.is_empty();
        let ranged = place.selector.has_range;
        if several && ranged && !place.function.is_some_and(|it| functions.contains(&it)) {
            let function = place.function.unwrap_or("a range");
            return Err(format!(
                "`{function}` of one series is not that of several joined by {op}"
            ));
        }
        // Labels that the result has now and must not have.
        let mut away: BTreeSet<&str> = labels.own_to.union(&labels.added).copied().collect();
        away.extend(back.renamed.iter().map(|(_, to)| *to));
        let absorbed = match place.aggregate {
            Some(aggregate) if labels.own_to.is_empty() || aggregate.op == op => {
                self.absorbed(aggregate, &away)
            }
            _ => false,
        };
        let (mut before, mut behind) = (String::new(), String::new());
        let wrapped =
            !absorbed && (!labels.own_to.is_empty() || away.iter().any(|it| place.keep.has(it)));
        let list: Vec<&str> = away.iter().copied().collect();
        if wrapped {
            before = format!("{op} without ({}) (", list.join(", "));
            behind.push(')');
        }
        // Put back before the other name is summed away.
        for (label, to) in &back.renamed {
            before.push_str("label_replace(");
            behind.insert_str(0, &format!(", \"{label}\", \"$1\", \"{to}\", \"(.*)\")"));
        }
        for (label, value) in &back.lost {
            before.push_str("label_replace(");
            let value = value.replace('$', "$$").replace('\\', "\\\\").replace('"', "\\\"");
            behind.insert_str(0, &format!(", \"{label}\", \"{value}\", \"\", \"\")"));
        }
        Ok((before, behind))
    }

    /// Series that only this generation tells apart must be joined right above, or the other one has no such series.
    fn joined_above(
        &mut self,
        place: &Use<'_>,
        labels: &Labels<'_>,
        op: &str,
    ) -> Result<(), String> {
        let of_series = OF_SERIES.contains(&place.function.unwrap_or_default());
        if labels.own_from.is_empty() || (of_series && place.function != Some("timestamp")) {
            return Ok(());
        }
        let kept = labels.own_from.iter().find(|label| place.keep.has(label));
        let list: Vec<&str> = labels.own_from.iter().copied().collect();
        let aggregate = place.aggregate.filter(|it| it.op == op);
        match (kept, aggregate) {
            (None, Some(aggregate)) => {
                // The other generation does not have them: they need not be summed away there.
                if let Some(grouping) = aggregate.grouping.as_ref().filter(|it| it.without) {
                    self.list(&grouping.labels).retain(|label| !list.contains(&label.as_str()));
                }
                Ok(())
            }
            (Some(label), _) if place.named.contains(*label) => {
                Err(format!("it groups by `{label}`, which the other generation does not have"))
            }
            _ => Err(format!(
                "it looks at series that differ in {} alone; the other generation has their {op}",
                list.join(", ")
            )),
        }
    }

    /// Whether an aggregation does away with labels; a `without` is told to.
    fn absorbed(&mut self, aggregate: &Aggregate, away: &BTreeSet<&str>) -> bool {
        let chooses = ["topk", "bottomk", "limitk", "limit_ratio"].contains(&aggregate.op.as_str());
        match &aggregate.grouping {
            _ if chooses => false,
            None => true,
            Some(grouping) if grouping.without => {
                let list = self.list(&grouping.labels);
                for label in away {
                    if !list.iter().any(|its| its == label) {
                        list.push((*label).to_owned());
                    }
                }
                true
            }
            Some(grouping) => !away.iter().any(|label| grouping.labels.has(label)),
        }
    }

    fn list(&mut self, list: &LabelList) -> &mut Vec<String> {
        let labels = || list.labels.iter().map(|(label, _)| label.clone()).collect();
        let entry = self.lists.entry(list.at.start);
        &mut entry.or_insert_with(|| (list.at.clone(), labels())).1
    }
}

/// Labels that somebody still looks at and that must be put back under their names.
fn labels_back<'b>(
    place: &Use<'_>,
    labels: &Labels<'b>,
    naming: &Naming,
    told_apart: bool,
) -> Back<'b> {
    let renamed = labels
        .renamed
        .iter()
        .filter(|(label, _)| place.keep.has(label) && !naming.renamed.contains_key(*label));
    let lost = labels.lost.iter().filter(|(label, _)| {
        told_apart || (place.keep.has(label) && !naming.lost.contains(*label))
    });
    Back { renamed: renamed.copied().collect(), lost: lost.copied().collect() }
}

/// Functions that take series rather than their values.
const OF_SERIES: &[&str] = &["absent", "absent_over_time", "timestamp"];

/// Labels that nobody would miss under their old names.
#[derive(Debug, Default)]
struct Naming {
    renamed: BTreeMap<String, String>,
    lost: BTreeSet<String>,
}

/// Labels to put back.
struct Back<'a> {
    renamed: Vec<(&'a str, &'a str)>,
    lost: Vec<(&'a str, &'a str)>,
}
