//! Checks of rules whose families are given by patterns.

use super::rule::PackRule;
use super::selector::Selector;
use crate::document::{Scalar, Span};
use crate::mapping::generation::Generation;
use crate::mapping::pack::check::Check;
use crate::mapping::pack::exposition::placeholder::NamePattern;
use crate::mapping::pack::names;

impl PackRule {
    /// True if its families are given by patterns.
    pub(in crate::mapping) fn has_patterns(&self) -> bool {
        self.old.pattern.is_some()
    }
}

/// True if a rule has patterns that match all families of another rule, and others.
fn is_wider(rule: &PackRule, than: &PackRule) -> bool {
    [Generation::Old, Generation::New].into_iter().any(|generation| {
        let Some(names) = rule.side(generation).names() else { return false };
        let selector = than.side(generation);
        match selector.names() {
            None => names.rest_of(selector.family.as_bytes()).is_some(),
            Some(narrower) => names != narrower && names.contains(narrower),
        }
    })
}

impl Check<'_> {
    /// Reports rules that change nothing, unless they exempt families from a wider pattern.
    pub(in crate::mapping) fn needless(&mut self, rules: &[PackRule]) {
        for rule in rules.iter().filter(|rule| rule.changes_nothing()) {
            let mut others = rules.iter().filter(|other| !other.changes_nothing());
            if !others.any(|other| is_wider(other, rule)) {
                self.error(
                    rule.span(Generation::New),
                    "both sides are the same",
                    "remove the rule: metrics without a rule are forwarded unchanged",
                );
            }
        }
    }

    /// A selector of samples of one family.
    pub(in crate::mapping) fn selector_of_one(&mut self, text: &Scalar) -> Option<Selector> {
        let selector = self.selector(text)?;
        if selector.pattern.is_none() {
            return Some(selector);
        }
        let span = self.within(text, 0, selector.family.len());
        self.error(
            span,
            format!("`{}` is a pattern, and this is about one family", selector.family),
            "name the family: only rules and `when_missing` can have patterns",
        );
        None
    }

    /// The samples that a hint is about: those of a family, or all families of a pattern.
    pub(in crate::mapping) fn selector_of_hint(&mut self, text: &Scalar) -> Option<Selector> {
        let selector = self.selector(text)?;
        let Some(item) = selector.items.first().filter(|_| selector.pattern.is_some()) else {
            return Some(selector);
        };
        self.error(
            self.item(text, item),
            format!("the hint is about all families of `{}`, not about labels", selector.family),
            "remove the labels, or name one family",
        );
        None
    }

    /// Reports an error if no family can have a name of this pattern.
    pub(super) fn pattern(&mut self, pattern: &NamePattern, span: Span) {
        let [before, after] = pattern.names.texts();
        if !names::is_family(&format!("{before}x{after}")) {
            self.error(
                span,
                "no family can have such a name",
                "use letters, digits, `_` and `:` around the placeholder, no digit first",
            );
        }
        if let Some(name) = pattern.placeholder.as_deref().filter(|name| !names::is_label(name)) {
            self.error(
                span,
                format!("`{name}` cannot be the name of a placeholder"),
                "use letters, digits and `_`, no digit first",
            );
        }
    }

    /// Checks the patterns of the two sides of a rule. Returns `false` if they do not belong
    /// together.
    pub(super) fn same_placeholder(
        &mut self,
        [(old, old_text), (new, new_text)]: [(&Selector, &Scalar); 2],
    ) -> bool {
        let (text, named, other) = match (&old.pattern, &new.pattern) {
            (None, None) => return true,
            (Some(pattern), Some(its)) if pattern.placeholder == its.placeholder => return true,
            (None, Some(_)) => (old_text, old, new),
            _ => (new_text, new, old),
        };
        let span = self.within(text, 0, named.family.len());
        let placeholder = other.pattern.as_ref().and_then(|it| it.placeholder.as_deref());
        let remedy = match placeholder {
            Some(name) => {
                format!("write `{{{name}*}}` for the text that is the same on both sides")
            }
            None => "`*` is for a rule with `*` on both sides: name the placeholder, as in \
                     `{rest*}`"
                .to_owned(),
        };
        self.error(
            span,
            format!("`{}` and `{}` do not have the same placeholder", other.family, named.family),
            remedy,
        );
        false
    }

    /// Reports keys that a rule with patterns cannot have: they describe one family.
    pub(super) fn not_with_patterns(&mut self, family: &str, keys: [(&str, Option<Span>); 4]) {
        for (key, span) in keys {
            let Some(span) = span else { continue };
            self.error(
                span,
                format!("`{key}` is for one family, and `{family}` is a pattern"),
                "add a rule for each family that needs it: rules for named families come first",
            );
        }
    }
}
