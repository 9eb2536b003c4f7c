//! What every part of a pack is checked for: names, and where errors go.

use super::names;
use crate::document::{Reader, Scalar, Span};

/// Collects what is wrong with a pack while it is checked.
pub(in crate::mapping) struct Check<'s> {
    pub(in crate::mapping) reader: Reader<'s>,
}

impl Check<'_> {
    pub(in crate::mapping) fn error(
        &mut self,
        span: Span,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.reader.error(span, message, remedy);
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

    /// Reports a name that no family can have.
    pub(in crate::mapping) fn family(&mut self, family: &str, span: Span) {
        if !names::is_family(family) {
            self.error(
                span,
                format!("`{family}` cannot be the name of a family"),
                "use letters, digits, `_` and `:`, no digit first",
            );
        }
    }

    /// Reports a name that no label can have.
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

    pub(in crate::mapping) fn families_once(
        &mut self,
        families: Vec<Scalar>,
        key: &str,
    ) -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for family in families {
            self.family(&family.text, family.span);
            if known.contains(&family.text) {
                self.error(
                    family.span,
                    format!("`{}` is listed twice under `{key}`", family.text),
                    "remove one of them",
                );
            } else {
                known.push(family.text);
            }
        }
        known
    }
}
