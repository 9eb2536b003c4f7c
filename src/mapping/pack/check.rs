//! Checks that all parts of a pack need: names, and the collection of errors.

use super::names;
use crate::document::{Diagnostic, Reader, Scalar, Source, Span};
use crate::mapping::editions::Editions;
use crate::mapping::pack::keys::LineRuleKeys;

/// Help for keys that a pack does not have.
const SHAPE_HELP: &str = "see the shipped packs for the shape of a pack";

/// Maximum number of rules of a pack for one format. The built-in pack has about fifty.
const MAX_RULES: usize = 20_000;

/// Collects the errors of a pack while it is checked.
pub(in crate::mapping) struct Check<'s> {
    pub(in crate::mapping) reader: Reader<'s>,
    /// The editions that the pack declares.
    pub(in crate::mapping) editions: Editions,
}

impl<'s> Check<'s> {
    pub(in crate::mapping) fn new(source: &'s Source) -> Check<'s> {
        Check { reader: Reader::new(source, SHAPE_HELP), editions: Editions::default() }
    }

    pub(in crate::mapping) fn error(
        &mut self,
        span: Span,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.reader.error(span, message, remedy);
    }

    /// Reports an error if there are too many rules under a key.
    pub(in crate::mapping) fn at_most(&mut self, rules: usize, key: &str) {
        if rules > MAX_RULES {
            let message = format!("`{key}` has {rules} rules, which are more than {MAX_RULES}");
            let error = Diagnostic::error(message).at(self.reader.source().whole());
            self.reader.record(error.with_help("split the pack"));
        }
    }

    pub(in crate::mapping) fn pack_name(&mut self, name: Scalar) -> String {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.text.is_empty() || !name.text.chars().all(legal) {
            self.error(
                name.span,
                format!("`{}` cannot be the name of a pack", name.text),
                "use letters, digits, `-`, `_` and `.`",
            );
        }
        name.text
    }

    /// The pack that this one follows. Lines have two generations.
    pub(in crate::mapping) fn follows(
        &mut self,
        name: Option<Scalar>,
        lines: &[LineRuleKeys],
    ) -> Option<Scalar> {
        let name = name?;
        self.pack_name(name.clone());
        if !lines.is_empty() {
            let remedy = "remove `follows`, or the rules under `statsd`";
            self.error(name.span, "a pack that follows another has no rules for lines", remedy);
        }
        Some(name)
    }

    /// Reports an error if this cannot be the name of a family.
    pub(in crate::mapping) fn family(&mut self, family: &str, span: Span) {
        if !names::is_family(family) {
            self.error(
                span,
                format!("`{family}` cannot be the name of a family"),
                if family.contains('*') {
                    "a placeholder of a rule is written `{rest*}`, and `*` alone is all families"
                } else {
                    "use letters, digits, `_` and `:`, no digit first"
                },
            );
        }
    }

    /// Reports an error if this cannot be the name of a label.
    pub(in crate::mapping) fn label(&mut self, label: &str, span: Span) {
        if !names::is_label(label) {
            self.error(
                span,
                format!("`{label}` cannot be the name of a label"),
                "use letters, digits and `_`, no digit first",
            );
        } else if label == "__name__" {
            self.error(span, "`__name__` is the family's name", "write it before the `{`");
        }
    }

    /// The names of the families in the list `key`, without duplicates, which are reported.
    pub(in crate::mapping) fn distinct_families(
        &mut self,
        families: Vec<Scalar>,
        key: &str,
    ) -> Vec<String> {
        let mut distinct: Vec<String> = Vec::new();
        for family in families {
            self.family(&family.text, family.span);
            if distinct.contains(&family.text) {
                self.error(
                    family.span,
                    format!("`{}` is listed twice under `{key}`", family.text),
                    "remove one of them",
                );
            } else {
                distinct.push(family.text);
            }
        }
        distinct
    }
}
