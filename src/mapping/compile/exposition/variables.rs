//! Labels of a rule that share variables.

use crate::mapping::generation::Generation;
use crate::mapping::pack::PackRule;
use crate::mapping::pack::exposition::selector::Selector;
use crate::mapping::pack::exposition::template::Template;
use crate::mapping::plan::label_text::LabelText;
use crate::mapping::plan::value_edit::{Translation, ValueEdit, Variable};

/// A label and its text.
type Label<'a> = (&'a str, &'a Template);

/// Labels that share variables, directly or through other labels.
pub(in crate::mapping) struct Group<'a> {
    pub(in crate::mapping) read: Vec<Label<'a>>,
    pub(in crate::mapping) written: Vec<Label<'a>>,
    variables: Vec<&'a str>,
}

/// The groups of two selectors, in the order of the labels read.
pub(in crate::mapping) fn groups<'a>(read: &'a Selector, write: &'a Selector) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (_, template) in read.templates() {
        let Some(first) = template.variables.first() else { continue };
        if groups.iter().any(|group| group.variables.contains(&first.as_str())) {
            continue;
        }
        let variables = connected(first, [read, write]);
        let has =
            |(_, its): &Label<'a>| its.variables.iter().any(|it| variables.contains(&it.as_str()));
        groups.push(Group {
            read: read.templates().filter(has).collect(),
            written: write.templates().filter(has).collect(),
            variables,
        });
    }
    groups
}

/// A variable, and all that share a text with it, directly or through others.
fn connected<'a>(first: &'a str, sides: [&'a Selector; 2]) -> Vec<&'a str> {
    let mut variables = vec![first];
    let mut next = 0;
    while let Some(&variable) = variables.get(next) {
        next += 1;
        for (_, template) in sides.into_iter().flat_map(Selector::templates) {
            if template.has(variable) {
                let others = template.variables.iter().map(String::as_str);
                let others: Vec<&str> = others.filter(|it| !variables.contains(it)).collect();
                variables.extend(others);
            }
        }
    }
    variables
}

impl Group<'_> {
    /// Whether it is one label that is read, whose text is only a variable.
    pub(in crate::mapping) fn is_variable(&self) -> bool {
        matches!(&self.read[..], [(_, template)] if template.only_variable().is_some())
    }

    /// The name read and the name written, if it is one label that keeps its value.
    pub(in crate::mapping) fn renames(
        &self,
        rule: &PackRule,
        written: Generation,
    ) -> Option<(&str, &str)> {
        let is_kept = |variable: &Variable| variable.translation == Translation::None;
        match (&self.read[..], &self.written[..]) {
            ([(from, text)], [(to, its)]) if text == its => {
                let mut variables = self.variables(rule, written).into_iter();
                variables.all(|it| is_kept(&it)).then_some((*from, *to))
            }
            _ => None,
        }
    }

    /// How the values of the labels are rewritten.
    pub(in crate::mapping) fn edit(&self, rule: &PackRule, written: Generation) -> ValueEdit {
        ValueEdit {
            read: self.texts(&self.read),
            written: self.texts(&self.written),
            variables: self.variables(rule, written),
        }
    }

    /// The condition that the labels read have their texts.
    pub(in crate::mapping) fn condition(&self) -> ValueEdit {
        let is_optional = |name: &&str| {
            self.read.iter().any(|(_, template)| template.optional && template.has(name))
        };
        let variables = self
            .variables
            .iter()
            .map(|name| Variable { translation: Translation::None, optional: is_optional(name) });
        ValueEdit {
            read: self.texts(&self.read),
            written: Vec::new(),
            variables: variables.collect(),
        }
    }

    fn variables(&self, rule: &PackRule, written: Generation) -> Vec<Variable> {
        let variable = |name: &&str| {
            let optional = rule.optional.iter().any(|its| its == name);
            let translation = rule.values.get(*name).map(|it| it.to(written, optional));
            Variable { translation: translation.unwrap_or_default(), optional }
        };
        self.variables.iter().map(variable).collect()
    }

    fn texts(&self, labels: &[Label<'_>]) -> Vec<LabelText> {
        let bytes = |text: &str| -> Box<[u8]> { text.as_bytes().into() };
        let index = |name: &String| self.variables.iter().position(|its| its == name);
        let text = |(label, template): &Label<'_>| LabelText {
            label: bytes(label),
            texts: template.texts.iter().map(|text| bytes(text)).collect(),
            variables: template.variables.iter().filter_map(index).collect(),
        };
        labels.iter().map(text).collect()
    }
}
