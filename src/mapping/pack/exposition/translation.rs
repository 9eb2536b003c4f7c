//! How the values of a variable are translated: `values:` of a rule.

use std::collections::{BTreeMap, HashMap};

use crate::document::Scalar;
use crate::exposition::MetricType;
use crate::mapping::generation::Generation;
use crate::mapping::pack::check::Check;
use crate::mapping::pack::exposition::selector::Selector;
use crate::mapping::pack::keys::TranslationKeys;
use crate::mapping::plan::value_edit::Translation;

/// The text that represents all others in a map.
const OTHERS: &str = "*";

/// How the values of a variable are translated from the old generation to the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mapping) enum ValueTranslation {
    /// Each old text with the new one, in the order of the pack; whether other texts stay.
    Texts(Vec<(String, String)>, bool),
    /// To lower case.
    Lower,
    /// To upper case.
    Upper,
}

impl ValueTranslation {
    /// The translation to one generation. Letters that have changed their case do not change back.
    ///
    /// `optional`: the label can be absent. It stays absent, unless the texts say otherwise.
    pub(in crate::mapping) fn to(&self, written: Generation, optional: bool) -> Translation {
        match (self, written) {
            (ValueTranslation::Lower, Generation::New) => Translation::Lower,
            (ValueTranslation::Upper, Generation::New) => Translation::Upper,
            (ValueTranslation::Lower | ValueTranslation::Upper, Generation::Old) => {
                Translation::None
            }
            (ValueTranslation::Texts(pairs, others), _) => {
                let mut texts = HashMap::new();
                for (old, new) in pairs {
                    let (read, write) = match written {
                        Generation::New => (old, new),
                        Generation::Old => (new, old),
                    };
                    // Of several old texts with one new text, the first is written.
                    texts.entry(bytes(read)).or_insert_with(|| bytes(write));
                }
                if optional && !self.translates_absence() {
                    texts.insert(bytes(""), bytes(""));
                }
                Translation::Texts { texts, others: *others }
            }
        }
    }

    /// Whether a text represents an absent label of the other generation.
    pub(in crate::mapping) fn translates_absence(&self) -> bool {
        let ValueTranslation::Texts(pairs, _) = self else { return false };
        pairs.iter().any(|(old, new)| old.is_empty() || new.is_empty())
    }

    /// The new texts that several old ones become, with these.
    pub(in crate::mapping) fn merged(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut merged: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        if let ValueTranslation::Texts(pairs, _) = self {
            for (old, new) in pairs {
                merged.entry(new).or_default().push(old);
            }
            merged.retain(|_, old| old.len() > 1);
        }
        merged
    }
}

fn bytes(text: &str) -> Box<[u8]> {
    text.as_bytes().into()
}

impl Check<'_> {
    /// Checks the translations of a rule with these sides.
    pub(super) fn values(
        &mut self,
        keys: Vec<(Scalar, TranslationKeys)>,
        sides: [&Selector; 2],
        optional: &[String],
    ) -> BTreeMap<String, ValueTranslation> {
        let mut all = BTreeMap::new();
        for (variable, keys) in keys {
            let name = variable.text.strip_prefix('$').unwrap_or(&variable.text);
            if !sides[0].variables().any(|its| its == name) {
                self.error(
                    variable.span,
                    format!("no label has the value `${name}`"),
                    "name a variable of `old` and `new`",
                );
            }
            let translation = match keys {
                TranslationKeys::Word(word) => {
                    let words =
                        [("lower", ValueTranslation::Lower), ("upper", ValueTranslation::Upper)];
                    let known = words.each_ref().map(|(word, _)| (*word, *word));
                    let word = self.one_of(&word, "a translation", &known);
                    words.into_iter().find(|(its, _)| Some(*its) == word).map(|(_, its)| its)
                }
                TranslationKeys::Texts(texts) => {
                    let optional = optional.iter().any(|its| its == name);
                    Some(self.texts(&variable, &texts, sides, optional))
                }
            };
            all.extend(translation.map(|translation| (name.to_owned(), translation)));
        }
        all
    }

    /// Gauges and summaries whose labels become equal cannot be summed.
    pub(super) fn values_joinable(
        &mut self,
        metric_type: MetricType,
        word: &Scalar,
        values: &BTreeMap<String, ValueTranslation>,
        optional: &[String],
    ) {
        let joins = |generation| {
            let joins = |name: &String, its: &ValueTranslation| {
                !its.to(generation, optional.contains(name)).keeps_apart()
            };
            values.iter().find(|(name, its)| joins(name, its)).map(|(name, _)| name)
        };
        let Some(name) = joins(Generation::New).or_else(|| joins(Generation::Old)) else { return };
        let remedy = match metric_type {
            MetricType::Gauge => "add `merge: max`, `merge: min` or `merge: sum`",
            MetricType::Summary => {
                "give each value a text of its own: quantiles cannot be added up"
            }
            MetricType::Counter
            | MetricType::Histogram
            | MetricType::Untyped
            | MetricType::Info
            | MetricType::Other => return,
        };
        let kind = metric_type.as_str();
        let message =
            format!("several values of `${name}` become one, and the {kind} of each differs");
        self.error(word.span, message, remedy);
    }

    fn texts(
        &mut self,
        variable: &Scalar,
        texts: &[(Scalar, Scalar)],
        sides: [&Selector; 2],
        optional: bool,
    ) -> ValueTranslation {
        let mut others = false;
        let mut pairs: Vec<(String, String)> = Vec::new();
        let told_apart_by_text = sides[0].family == sides[1].family
            && !sides[0].requires_label_without(sides[1])
            && !sides[1].requires_label_without(sides[0]);
        let is_old =
            |text: &str| texts.iter().any(|(old, new)| old.text == text && new.text != text);
        for (old, new) in texts {
            if (old.text == OTHERS) != (new.text == OTHERS) {
                self.error(
                    new.span,
                    "`*` represents all other texts, on both sides",
                    "write `\"*\": \"*\"` to keep other texts as they are",
                );
            } else if old.text == OTHERS {
                others = true;
            } else if (old.text.is_empty() || new.text.is_empty()) && !optional {
                let name = variable.text.strip_prefix('$').unwrap_or(&variable.text);
                self.error(
                    old.span,
                    "an empty label is an absent one",
                    format!("add `optional: [{name}]` if samples can lack the label"),
                );
            } else if told_apart_by_text && is_old(&new.text) {
                self.error(
                    new.span,
                    format!("`{}` occurs in both generations with another meaning", new.text),
                    "the family has one name, so samples could not be told apart: leave this rule out",
                );
            } else {
                pairs.push((old.text.clone(), new.text.clone()));
            }
        }
        if texts.is_empty() {
            self.error(variable.span, "no text is translated", "list old texts with new ones");
        }
        ValueTranslation::Texts(pairs, others)
    }
}
