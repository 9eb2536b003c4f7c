//! Samples that only one generation counts (`only_in` of a pack), and whether a selector selects
//! them.

use super::matching::{Match, all_match};
use super::promql::{Matcher, Selector};
use crate::mapping::{Meaning, Shape};

/// Whether a selector of a family selects samples that have certain label values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selects {
    /// None of them.
    No,
    /// Only them.
    Only,
    /// Them and others. This matcher would exclude them.
    Also(String),
    /// Them and others, and no single matcher would exclude them.
    Inseparable,
}

/// A selector as it is written, and the shape of the family whose samples are in question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selecting<'a> {
    pub(super) query: &'a str,
    pub(super) selector: &'a Selector,
    pub(super) templated: bool,
    /// The shape that has the samples.
    pub(super) shape: &'a Shape,
    /// The other shape of the rule, if the selector is written for that one.
    pub(super) written_for: Option<&'a Shape>,
}

impl<'a> Selecting<'a> {
    /// Whether the selector selects samples with these label values.
    pub(super) fn selects(&self, samples: &[(String, String)]) -> Selects {
        let mut open = Vec::new();
        for (label, value) in samples {
            let matchers: Vec<&Matcher> = match self.shape.meaning(label) {
                Some(Meaning::Fixed(fixed)) if fixed == value => continue,
                Some(Meaning::Fixed(_)) => return Selects::No,
                Some(Meaning::Carried(other)) if self.written_for.is_some() => self.matchers(other),
                // The shape that the selector is written for has no such label.
                Some(Meaning::Own) if self.written_for.is_some() => Vec::new(),
                _ if self.written_for.is_some_and(|it| it.meaning(label).is_some()) => Vec::new(),
                _ => self.matchers(label),
            };
            if all_match(&matchers, value, self.templated) == Match::No {
                return Selects::No;
            }
            let is_fixed = |it: &&Matcher| it.op == "=" && it.value == *value;
            if !matchers.iter().any(is_fixed) {
                open.push((label, value));
            }
        }
        match open[..] {
            [] => Selects::Only,
            [(label, value)] => Selects::Also(format!("{label}!={value:?}")),
            _ => Selects::Inseparable,
        }
    }

    /// The selector's matchers of a label.
    fn matchers(&self, label: &str) -> Vec<&'a Matcher> {
        let of_label = |it: &&Matcher| self.query.get(it.label.clone()) == Some(label);
        self.selector.matchers.iter().filter(of_label).collect()
    }
}

/// Samples with these label values, as a selector.
pub(super) fn shown(family: &str, samples: &[(String, String)]) -> String {
    let matchers: Vec<String> =
        samples.iter().map(|(label, value)| format!("{label}={value:?}")).collect();
    format!("{family}{{{}}}", matchers.join(","))
}

#[cfg(test)]
mod tests {
    use super::super::promql::{self, Node};
    use super::*;

    #[test]
    fn which_samples_a_selector_selects() {
        let text = |text: &str| text.to_owned();
        let labels = vec![
            (text("a"), Meaning::Carried(text("b"))),
            (text("own"), Meaning::Own),
            (text("f"), Meaning::Fixed(text("1"))),
        ];
        let target =
            Shape { family: text("new"), labels, only_here: Vec::new(), lacks: Vec::new() };
        let labels = vec![(text("b"), Meaning::Carried(text("a")))];
        let source =
            Shape { family: text("old"), labels, only_here: Vec::new(), lacks: Vec::new() };
        for (query, samples, expected) in [
            ("old", &[("s", "")][..], Selects::Also(text("s!=\"\""))),
            ("old{s=~\".*\"}", &[("s", "")], Selects::Also(text("s!=\"\""))),
            ("old{s=~\"$s\"}", &[("s", "")], Selects::Also(text("s!=\"\""))),
            ("old{s=~\".+\"}", &[("s", "")], Selects::No),
            ("old{s!=\"\"}", &[("s", "")], Selects::No),
            ("old{s=\"x\"}", &[("s", "")], Selects::No),
            ("old{s=\"\"}", &[("s", "")], Selects::Only),
            ("old{b=\"x\"}", &[("a", "")], Selects::No),
            ("old{a=\"x\"}", &[("a", "")], Selects::Also(text("a!=\"\""))),
            ("old{own=\"x\"}", &[("own", "y")], Selects::Also(text("own!=\"y\""))),
            ("old", &[("f", "2")], Selects::No),
            ("old", &[("f", "1")], Selects::Only),
            ("old", &[("s", "x"), ("t", "y")], Selects::Inseparable),
            ("old{t=\"y\"}", &[("s", "x"), ("t", "y")], Selects::Also(text("s!=\"x\""))),
            ("old{t!=\"y\"}", &[("s", "x"), ("t", "y")], Selects::No),
        ] {
            let expr = promql::parse(query).expect("a query");
            let Node::Selector(selector) = &expr.node else { panic!("{query}") };
            let samples: Vec<(String, String)> =
                samples.iter().map(|(label, value)| (text(label), text(value))).collect();
            let selecting = Selecting {
                query,
                selector,
                templated: true,
                shape: &target,
                written_for: Some(&source),
            };
            assert_eq!(selecting.selects(&samples), expected, "{query} {samples:?}");
        }
    }
}
