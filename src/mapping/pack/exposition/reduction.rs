//! What is left out of the output, or aggregated in it: `reduce:` of a pack.

use std::collections::HashMap;

use crate::document::{Scalar, Span};
use crate::mapping::generation::Merge;
use crate::mapping::pack::check::Check;
use crate::mapping::pack::exposition::selector::{Selector, Term};
use crate::mapping::pack::keys::ReductionKeys;

/// Labels that are parts of a series: bucket boundaries and quantiles.
const PARTS: [&str; 2] = ["le", "quantile"];

/// One item under `reduce:`. Its names are those of the output.
#[derive(Clone, Debug)]
pub(in crate::mapping) struct Reduction {
    /// The family, or a pattern of families. Has labels only if samples are dropped.
    pub(in crate::mapping) selector: Selector,
    pub(in crate::mapping) span: Span,
    pub(in crate::mapping) action: Reduce,
}

/// What is done with the samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mapping) enum Reduce {
    /// They are not written.
    Drop,
    /// Labels are removed, and series that become equal are merged: gauges by this method.
    Aggregate(ReducedLabels, Option<Merge>),
}

/// The labels of an aggregated family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mapping) enum ReducedLabels {
    /// All except these.
    Without(Vec<String>),
    /// Only these.
    Keep(Vec<String>),
}

impl Reduction {
    fn from_keys(keys: ReductionKeys, check: &mut Check<'_>) -> Option<Reduction> {
        let labels = check.reduced_labels(&keys);
        let merge = keys.merge.as_ref().and_then(|word| check.merge(word));
        let (text, action) = match (keys.drop, keys.family) {
            (Some(text), None) => {
                let others = [keys.without.map(|(span, _)| span), keys.keep.map(|(span, _)| span)];
                let others = others.into_iter().flatten().chain(keys.merge.map(|word| word.span));
                for span in others {
                    let remedy = "name the family under `family` to aggregate it";
                    check.error(span, "samples that are dropped are not aggregated", remedy);
                }
                (text, Reduce::Drop)
            }
            (None, Some(text)) => {
                if keys.without.is_none() && keys.keep.is_none() {
                    let remedy = "add `without` or `keep`, a list of labels";
                    check.error(text.span, "no label is removed", remedy);
                }
                (text, Reduce::Aggregate(labels?, merge))
            }
            (drop, family) => {
                let span = drop.or(family).map_or(keys.span, |text| text.span);
                let remedy = "`drop` leaves samples out, and `family` aggregates them";
                check.error(span, "an item has one of `drop` and `family`", remedy);
                return None;
            }
        };
        let selector = check.selector(&text)?;
        check.reduced(&selector, &text, action == Reduce::Drop);
        Some(Reduction { selector, span: text.span, action })
    }
}

impl Check<'_> {
    /// Checks the items under `reduce:`.
    pub(in crate::mapping) fn reductions(&mut self, items: Vec<ReductionKeys>) -> Vec<Reduction> {
        self.at_most(items.len(), "reduce");
        let items = items.into_iter();
        let items: Vec<Reduction> =
            items.filter_map(|keys| Reduction::from_keys(keys, self)).collect();
        let mut known: HashMap<Vec<&str>, bool> = HashMap::new();
        for item in &items {
            if item.action != Reduce::Drop
                && known.insert(item.selector.reading_key(), true).is_some()
            {
                self.error(
                    item.span,
                    format!("`{}` is aggregated twice", item.selector.family),
                    "list all of its labels in one item",
                );
            }
        }
        items
    }

    /// The labels under `without` or `keep`.
    fn reduced_labels(&mut self, keys: &ReductionKeys) -> Option<ReducedLabels> {
        if let (Some(_), Some((span, _))) = (&keys.without, &keys.keep) {
            let remedy = "keep one of them: `without` removes labels, `keep` removes all others";
            self.error(*span, "`without` and `keep` exclude each other", remedy);
        }
        let (span, labels) = keys.without.as_ref().or(keys.keep.as_ref())?;
        if keys.without.is_some() && labels.is_empty() {
            self.error(*span, "no label is removed", "list at least one label");
        }
        for (index, label) in labels.iter().enumerate() {
            self.label(&label.text, label.span);
            if PARTS.contains(&label.text.as_str()) {
                self.error(
                    label.span,
                    format!("`{}` is a part of a histogram or summary", label.text),
                    "remove it: this label is always kept",
                );
            } else if labels[..index].iter().any(|before| before.text == label.text) {
                let message = format!("`{}` is named twice", label.text);
                self.error(label.span, message, "name each label once");
            }
        }
        let labels = labels.iter().map(|label| label.text.clone()).collect();
        Some(match keys.without {
            Some(_) => ReducedLabels::Without(labels),
            None => ReducedLabels::Keep(labels),
        })
    }

    /// Checks the selector of an item.
    fn reduced(&mut self, selector: &Selector, text: &Scalar, is_dropped: bool) {
        for item in &selector.items {
            let span = self.item(text, item);
            if !is_dropped {
                let remedy = "name the family only: all of its series are aggregated";
                self.error(span, "a family is aggregated as a whole", remedy);
            } else if !matches!(item.term, Term::Fixed(_)) {
                let remedy =
                    "write `label=\"text\"`; an empty text matches samples without the label";
                self.error(span, "samples are dropped by the texts of labels", remedy);
            }
        }
        if let Some(family) = selector.family.strip_suffix("_bucket") {
            let message = format!("`{}` are series of a histogram", selector.family);
            self.error(text.span, message, format!("name the family: `{family}`"));
        }
    }
}
