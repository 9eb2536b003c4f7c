//! What becomes of a selector's name and matchers.

use std::ops::Range;

use super::{Mover, Part};
use crate::mapping::{Correspondence, Meaning};
use crate::tools::audit::catalog::{Takes, all_take, takes};
use crate::tools::audit::document::Edit;
use crate::tools::audit::promql::Matcher;
use crate::tools::audit::vector_use::Use;

impl Mover<'_> {
    /// Whether a selector selects samples of an entry.
    pub(super) fn selects(&self, place: &Use<'_>, entry: &Correspondence) -> Result<bool, String> {
        for (label, meaning) in &entry.side(self.request.from).labels {
            let matchers = self.matchers(place, label);
            let taken = match meaning {
                Meaning::Fixed(value) => all_take(&matchers, value, self.request.templated),
                // Samples of the entry have the label.
                Meaning::Carried(_) => {
                    let none = matchers.iter().any(|it| it.op == "=" && it.value.is_empty());
                    if none { Takes::No } else { Takes::Yes }
                }
                Meaning::Own => Takes::Yes,
            };
            match taken {
                Takes::Yes => {}
                Takes::No => return Ok(false),
                Takes::Unknown => {
                    return Err(format!(
                        "which part is meant hangs on what `{label}` is compared with"
                    ));
                }
            }
        }
        Ok(true)
    }

    /// Whether a selector asks for samples that have a label.
    pub(super) fn asks_for(&self, place: &Use<'_>, label: &str) -> bool {
        let matchers = self.matchers(place, label);
        all_take(&matchers, "", self.request.templated) == Takes::No
            || self.request.asked == Some(label)
    }

    /// Edits of name and braces.
    pub(super) fn selector(
        &self,
        part: &Part<'_>,
        entry: &Correspondence,
    ) -> Result<Vec<Edit>, String> {
        let selector = part.place.selector;
        let to = entry.side(self.request.from.other());
        let name = selector.name.clone().ok_or("it has no name")?;
        let mut edits =
            vec![Edit::replace(name.clone(), format!("{}{}", to.family, part.named.suffix))];
        let kept = self.kept(part, entry)?;
        let added = self.added(part, entry);
        if kept.len() == selector.matchers.len() && added.is_empty() {
            // Names are exchanged where they stand, so that blanks and order stay.
            let renamed = selector.matchers.iter().zip(&kept);
            let renamed = renamed.filter(|(matcher, (label, _))| self.label(matcher) != label);
            edits.extend(
                renamed.map(|(matcher, (label, _))| {
                    Edit::replace(matcher.label.clone(), label.clone())
                }),
            );
            return Ok(edits);
        }
        let matchers: Vec<String> = kept
            .iter()
            .map(|(label, rest)| format!("{label}{}", self.slice(rest)))
            .chain(added)
            .collect();
        let braces = selector.braces.clone();
        let airy = braces.as_ref().is_some_and(|braces| self.slice(braces).contains(", "));
        let list = matchers.join(if airy { ", " } else { "," });
        let text = if matchers.is_empty() { String::new() } else { format!("{{{list}}}") };
        edits.push(match braces {
            Some(braces) => Edit::replace(braces, text),
            None => Edit::behind(name.end, text),
        });
        Ok(edits)
    }

    /// Matchers that stay: the label's name over there, and the rest of it as it is written.
    fn kept(
        &self,
        part: &Part<'_>,
        entry: &Correspondence,
    ) -> Result<Vec<(String, Range<usize>)>, String> {
        let (from, to) = (entry.side(self.request.from), entry.side(self.request.from.other()));
        let mut kept = Vec::new();
        for matcher in &part.place.selector.matchers {
            let label = self.label(matcher);
            let rest = matcher.label.end..matcher.at.end;
            match from.meaning(label) {
                // Which part is meant has been decided.
                Some(Meaning::Fixed(_)) => {}
                Some(Meaning::Carried(other)) => kept.push((other.clone(), rest)),
                Some(Meaning::Own) if takes_all(matcher, self.request.templated) => {}
                Some(Meaning::Own) => {
                    return Err(format!(
                        "it selects by `{label}`, which {} does not have",
                        to.family
                    ));
                }
                None if label == "le" => {
                    self.boundary(part, entry, matcher)?;
                    kept.push((label.to_owned(), rest));
                }
                None if label == "__name__" => {
                    return Err("it selects by a pattern of names".to_owned());
                }
                None if to.meaning(label).is_some() => {
                    return Err(format!(
                        "it selects by `{label}`, which {} does not have",
                        from.family
                    ));
                }
                None => kept.push((label.to_owned(), rest)),
            }
        }
        self.ladder(part, entry)?;
        Ok(kept)
    }

    /// Matchers that come: fixed values, and labels without which samples are another entry's.
    fn added(&self, part: &Part<'_>, entry: &Correspondence) -> Vec<String> {
        let generation = self.request.from.other();
        let from = entry.side(self.request.from);
        let mut added = Vec::new();
        for (label, meaning) in &entry.side(generation).labels {
            match meaning {
                Meaning::Fixed(value) if from.meaning(label) != Some(meaning) => {
                    added.push(format!("{label}={value:?}"));
                }
                Meaning::Carried(other)
                    if self.knowledge.must_be_present(entry, generation, label)
                        && !self.asks_for_in_words(&part.place, other) =>
                {
                    added.push(format!("{label}!=\"\""));
                }
                Meaning::Fixed(_) | Meaning::Carried(_) | Meaning::Own => {}
            }
        }
        added
    }

    fn asks_for_in_words(&self, place: &Use<'_>, label: &str) -> bool {
        let matchers = self.matchers(place, label);
        all_take(&matchers, "", self.request.templated) == Takes::No
    }

    /// Buckets that are added up over all boundaries mean nothing where there are others.
    fn ladder(&self, part: &Part<'_>, entry: &Correspondence) -> Result<(), String> {
        let from = self.request.from;
        let bounds = |generation| {
            let bounds = entry.boundaries(generation).unwrap_or_default();
            bounds.iter().map(|it| it.bound).collect::<Vec<f64>>()
        };
        let all = part.named.suffix == "_bucket"
            && self.matchers(&part.place, "le").is_empty()
            && !part.place.keep.has("le");
        if all && bounds(from) != bounds(from.other()) {
            return Err("it adds up buckets of all boundaries, which are others there".to_owned());
        }
        Ok(())
    }

    /// A matcher of `le` means the same in both generations if it takes the same boundaries of both.
    fn boundary(
        &self,
        part: &Part<'_>,
        entry: &Correspondence,
        matcher: &Matcher,
    ) -> Result<(), String> {
        let from = self.request.from;
        let (Some(these), Some(those)) = (entry.boundaries(from), entry.boundaries(from.other()))
        else {
            return Ok(());
        };
        if takes(matcher, "1", self.request.templated) == Takes::Unknown {
            return Err("which boundary is meant hangs on a variable".to_owned());
        }
        let taken = |bounds: &[crate::mapping::plan::exposition::Boundary]| -> Vec<f64> {
            let finite = bounds.iter().filter(|it| takes_bound(matcher, it.bound, &it.text));
            let mut taken: Vec<f64> = finite.map(|it| it.bound).collect();
            if takes_bound(matcher, f64::INFINITY, "+Inf") {
                taken.push(f64::INFINITY);
            }
            taken
        };
        let (here, there) = (taken(these), taken(those));
        let all = here.len() >= these.len() && there.len() >= those.len();
        let infinite = |bounds: &[f64]| bounds.last().is_some_and(|last| last.is_infinite());
        if here.is_empty() {
            return Err(format!("{} has no boundary {}", part.named.family, matcher.value));
        }
        let told_apart = part.place.keep.has("le");
        if here == there || (all && told_apart && infinite(&here) == infinite(&there)) {
            return Ok(());
        }
        let common: Vec<&str> = these
            .iter()
            .filter(|it| those.iter().any(|other| other.bound.total_cmp(&it.bound).is_eq()))
            .map(|it| &*it.text)
            .collect();
        Err(format!(
            "{} has no boundary {}; in common are {}",
            entry.side(from.other()).family,
            matcher.value,
            common.join(" ")
        ))
    }

    /// `label_values` of what a selector becomes.
    pub(super) fn series(&self, part: &Part<'_>, asked: &str) -> Result<Vec<Edit>, String> {
        let unit = &part.place.unit;
        let mut selectors = Vec::new();
        for entry in &part.entries {
            match entry.side(self.request.from).meaning(asked) {
                Some(Meaning::Fixed(_)) => {
                    return Err(format!(
                        "the values of `{asked}` are names of families over there"
                    ));
                }
                Some(Meaning::Own) => {
                    return Err(format!("the other generation has no label `{asked}`"));
                }
                _ => {}
            }
            selectors.push(self.selector(part, entry)?);
        }
        if let [edits] = &selectors[..] {
            return Ok(edits.clone());
        }
        // Several families: by a pattern of names, if all else is the same.
        let braces = |edits: &[Edit]| edits.get(1..).map(<[Edit]>::to_vec).unwrap_or_default();
        let first = braces(&selectors[0]);
        if selectors.iter().any(|edits| braces(edits) != first) || part.place.function.is_some() {
            return Err(format!("{} becomes several families", part.named.family));
        }
        let names: Vec<&str> = selectors.iter().map(|edits| edits[0].text.as_str()).collect();
        let text = self.slice(unit);
        let name = part.place.selector.name.clone().ok_or("it has no name")?;
        let within: Vec<Edit> = first
            .into_iter()
            .map(|edit| Edit { at: edit.at.start - unit.start..edit.at.end - unit.start, ..edit })
            .chain([Edit::replace(name.start - unit.start..name.end - unit.start, "")])
            .collect();
        let rest = crate::tools::audit::document::apply(text, &within).unwrap_or_default();
        let inner = rest.trim().trim_start_matches('{').trim_end_matches('}').trim();
        let separator = if inner.is_empty() { "" } else { "," };
        let pattern = format!("{{__name__=~\"{}\"{separator}{inner}}}", names.join("|"));
        Ok(vec![Edit::replace(unit.clone(), pattern)])
    }
}

/// Whether a matcher takes whatever there is.
fn takes_all(matcher: &Matcher, templated: bool) -> bool {
    matcher.op == "=~" && matcher.value == ".*" && takes(matcher, "", templated) == Takes::Yes
}

/// A boundary, however it may be spelled: as the pack does, or as Prometheus 3 does.
fn takes_bound(matcher: &Matcher, bound: f64, text: &str) -> bool {
    let spellings =
        [text.to_owned(), format!("{bound}"), format!("{bound:?}"), format!("{bound:.1}")];
    let all = |spelling: &String| takes(matcher, spelling, false) == Takes::Yes;
    // What is ruled out under one spelling is ruled out.
    if matcher.op.starts_with('!') { spellings.iter().all(all) } else { spellings.iter().any(all) }
}
