//! How settings are read from the maps of a file: everything that is right, with its place.
//!
//! A section, list or value that is empty in the file counts as not given.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::config::value::{Fill, LabelName, Section, Value, expand_secret, parse_value};
use crate::document::{Diagnostic, Fields, Node, Reader, Scalar, unknown_word};
use crate::scrape::Secret;
use crate::shown_url::has_secret;

/// Where the format is described.
pub(in crate::config) const HELP: &str = "see docs/settings.md";

/// What a map of the settings file is read into.
pub(super) trait Shape: Sized {
    /// The map in messages: `a target`.
    const NOUN: &'static str;

    /// Reads the keys. Whatever is wrong is recorded, and replaced by something that causes no
    /// further errors.
    fn read(fields: &mut Fields<'_, '_>) -> Self;
}

/// Reads a map that must be one.
pub(super) fn shape<T: Shape>(reader: &mut Reader<'_>, node: Node) -> Option<T> {
    reader.map(node, T::NOUN, |fields| Some(T::read(fields)))
}

/// Reads the values of one map.
pub(super) trait ReadSettings {
    /// The value of a key; `None` without the key, or if it is wrong.
    fn optional<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Option<Value<T>>;

    /// The value of a key; `stand_in` if it is wrong, so that it still counts as given.
    fn given<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        stand_in: T,
    ) -> Option<Value<T>>;

    /// The value of a key, or its default without the key or if it is wrong.
    fn or<T: FromStr<Err: Display>>(&mut self, key: &'static str, default: Value<T>) -> Value<T>;

    /// `true` or `false`, or its default.
    fn switch_or(&mut self, key: &'static str, default: Value<bool>) -> Value<bool>;

    /// `true` or `false`.
    fn switch(&mut self, key: &'static str) -> Option<Value<bool>>;

    /// A whole number from 1, or its default.
    fn count_or(&mut self, key: &'static str, default: Value<NonZeroUsize>) -> Value<NonZeroUsize>;

    /// A whole number from 1.
    fn count(&mut self, key: &'static str) -> Option<Value<NonZeroUsize>>;

    /// A secret; an empty one if it is wrong, so that it still counts as given.
    fn secret(&mut self, key: &'static str) -> Option<Secret>;

    /// The values of a list.
    fn list<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Vec<Value<T>>;

    /// One value or a list of values; the default without the key or if none is right.
    fn one_or_several<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        default: Vec<Value<T>>,
    ) -> Vec<Value<T>>;

    /// The names of packs in a list. `None` without the key; an empty list is an error.
    fn pack_names(&mut self) -> Option<Vec<Value<String>>>;

    /// The secrets of a list.
    fn secrets(&mut self, key: &'static str) -> Vec<Secret>;

    /// A map below a key.
    fn section<T: Shape>(&mut self, key: &'static str) -> Option<T>;

    /// The maps of a list.
    fn sections<T: Shape>(&mut self, key: &'static str) -> Vec<Section<T>>;

    /// A map of label names to values. The place of each value is that of its label.
    fn fill(&mut self, key: &'static str) -> Fill;
}

impl ReadSettings for Fields<'_, '_> {
    fn optional<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Option<Value<T>> {
        let scalar = given_text(self, key)?;
        value(self.reader, &scalar)
    }

    fn given<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        stand_in: T,
    ) -> Option<Value<T>> {
        let (_, node) = self.take(key).filter(|(_, node)| !node.is_null())?;
        let scalar = self.reader.scalar(node, &format!("a text for `{key}`"));
        let read = scalar.and_then(|scalar| value(self.reader, &scalar));
        Some(read.unwrap_or_else(|| Value::new(stand_in)))
    }

    fn or<T: FromStr<Err: Display>>(&mut self, key: &'static str, default: Value<T>) -> Value<T> {
        self.optional(key).unwrap_or(default)
    }

    fn switch_or(&mut self, key: &'static str, default: Value<bool>) -> Value<bool> {
        self.switch(key).unwrap_or(default)
    }

    fn switch(&mut self, key: &'static str) -> Option<Value<bool>> {
        let scalar = given_text(self, key)?;
        let Value { value: Switch(is_on), span } = value(self.reader, &scalar)?;
        Some(Value { value: is_on, span })
    }

    fn count_or(&mut self, key: &'static str, default: Value<NonZeroUsize>) -> Value<NonZeroUsize> {
        self.count(key).unwrap_or(default)
    }

    fn count(&mut self, key: &'static str) -> Option<Value<NonZeroUsize>> {
        let scalar = given_text(self, key)?;
        let Value { value: Count(count), span } = value(self.reader, &scalar)?;
        Some(Value { value: count, span })
    }

    fn secret(&mut self, key: &'static str) -> Option<Secret> {
        let scalar = given_text(self, key)?;
        Some(secret(self.reader, &scalar))
    }

    fn list<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Vec<Value<T>> {
        each(self, key, |reader, node| {
            let scalar = reader.scalar(node, "a text")?;
            value(reader, &scalar)
        })
    }

    fn one_or_several<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        default: Vec<Value<T>>,
    ) -> Vec<Value<T>> {
        let Some((_, node)) = self.take(key).filter(|(_, node)| !node.is_null()) else {
            return default;
        };
        let nodes = match node {
            Node::Scalar(_) => vec![node],
            node => self.reader.items(node, &format!("a text or a list for `{key}`")),
        };
        let read = |node| {
            let scalar = self.reader.scalar(node, "a text")?;
            value(self.reader, &scalar)
        };
        let values: Vec<_> = nodes.into_iter().filter_map(read).collect();
        if values.is_empty() { default } else { values }
    }

    fn pack_names(&mut self) -> Option<Vec<Value<String>>> {
        let span = self.span();
        let has_key = self.has("packs");
        let names: Vec<Value<String>> = self.list("packs");
        if has_key && names.is_empty() && self.reader.is_clean() {
            let help =
                "name packs such as kong, or leave it out so that those in general use apply";
            self.reader.error(span, "`packs` names no pack", help);
        }
        has_key.then_some(names)
    }

    fn secrets(&mut self, key: &'static str) -> Vec<Secret> {
        each(self, key, |reader, node| {
            let scalar = reader.scalar(node, "a text")?;
            Some(secret(reader, &scalar))
        })
    }

    fn section<T: Shape>(&mut self, key: &'static str) -> Option<T> {
        let (_, node) = self.take(key).filter(|(_, node)| !node.is_null())?;
        shape(self.reader, node)
    }

    fn sections<T: Shape>(&mut self, key: &'static str) -> Vec<Section<T>> {
        each(self, key, |reader, node| {
            let span = Some(node.span());
            shape(reader, node).map(|value| Section { value, span })
        })
    }

    fn fill(&mut self, key: &'static str) -> Fill {
        let Some((_, node)) = self.take(key).filter(|(_, node)| !node.is_null()) else {
            return Fill::new();
        };
        let mut fill = Fill::new();
        for (label, node) in self.reader.entries(node, &format!("`{key}`")) {
            let text = match node {
                // An empty value is valid: the label is written with it.
                Node::Scalar(scalar) if scalar.is_null() => Some(String::new()),
                node => self.reader.scalar(node, "a text").and_then(|scalar| {
                    value::<String>(self.reader, &scalar).map(|Value { value, .. }| value)
                }),
            };
            let name: Option<Value<LabelName>> = value(self.reader, &label);
            if let (Some(name), Some(text)) = (name, text) {
                fill.insert(name.value, Value { value: text, span: name.span });
            }
        }
        fill
    }
}

fn given_text(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Scalar> {
    let (_, node) = fields.take(key).filter(|(_, node)| !node.is_null())?;
    fields.reader.scalar(node, &format!("a text for `{key}`"))
}

fn each<T>(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    mut read: impl FnMut(&mut Reader<'_>, Node) -> Option<T>,
) -> Vec<T> {
    let Some((_, node)) = fields.take(key).filter(|(_, node)| !node.is_null()) else {
        return Vec::new();
    };
    let items = fields.reader.items(node, &format!("a list under `{key}`"));
    items.into_iter().filter_map(|item| read(fields.reader, item)).collect()
}

/// A scalar, its environment variables replaced, as a value.
pub(super) fn value<T: FromStr<Err: Display>>(
    reader: &mut Reader<'_>,
    scalar: &Scalar,
) -> Option<Value<T>> {
    match parse_value(&scalar.text) {
        Ok(value) => Some(Value { value, span: Some(scalar.span) }),
        Err(error) => {
            let location = reader.source().location(scalar.span);
            let diagnostic = if has_secret(&scalar.text) {
                Diagnostic::error(error).at(location).without_excerpt()
            } else {
                let message = format!("`{}`: {error}", scalar.text);
                Diagnostic::error(message).at(location)
            };
            reader.record(diagnostic);
            None
        }
    }
}

fn secret(reader: &mut Reader<'_>, scalar: &Scalar) -> Secret {
    match expand_secret(&scalar.text) {
        Ok(text) => Secret::new(text),
        Err(error) => {
            let location = reader.source().location(scalar.span);
            reader.record(Diagnostic::error(error).at(location).without_excerpt());
            Secret::default()
        }
    }
}

/// `true` or `false`.
struct Switch(bool);

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected true or false";
        match text {
            "true" => Ok(Switch(true)),
            "false" => Ok(Switch(false)),
            // What YAML 1.1 has besides.
            "yes" | "on" | "True" | "TRUE" => Err(format!("{EXPECTED}; did you mean `true`?")),
            "no" | "off" | "False" | "FALSE" => Err(format!("{EXPECTED}; did you mean `false`?")),
            _ => Err(unknown_word(text, EXPECTED, ["true", "false"])),
        }
    }
}

/// A whole number from 1.
struct Count(NonZeroUsize);

impl FromStr for Count {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Count).map_err(|_| "expected a whole number, 1 or more")
    }
}
