//! YAML as a tree with places.
//!
//! A derived `Deserialize` stops at the first key it does not know. A tree lets the reader go on and
//! report every fault of a file in one run, and keeps scalars as they are spelled: `00025.0` is a
//! bucket boundary whose spelling matters.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{
    Error, Location, MessageFormatter as _, NonFiniteFloatPolicy, Spanned, UserMessageFormatter,
};

use super::fault::{Fault, Faults, Source, Spot};

/// How deep a file may nest. Reading is recursive: brackets without end would use up the stack. The
/// shapes that are read here need five levels.
const MAX_DEPTH: usize = 32;

/// A node and its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) spot: Spot,
    pub(super) value: Value,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    /// A scalar: unquoted when it was quoted, otherwise spelled as in the file.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of a mapping.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) spot: Spot,
    pub(super) text: String,
}

impl Value {
    /// What it is, for people.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Scalar(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "keys and values",
        }
    }
}

/// Parses one document.
///
/// # Errors
///
/// The first place that is not YAML. What stands behind it cannot be known.
pub(super) fn parse(source: &Source) -> Result<Node, Faults> {
    // Numbers are judged where they are meant as numbers, with the rest of the faults.
    let options = serde_saphyr::options! {
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
    };
    serde_saphyr::from_str_with_options::<Spanned<Raw>>(source.text(), options)
        .map(|raw| node(raw, source))
        .map_err(|error| Faults(vec![fault(error.without_snippet(), source)]))
}

fn fault(error: &Error, source: &Source) -> Fault {
    let mut spot = error.location().map(spot).unwrap_or_default();
    // Where the parser gives up it does not always know the byte.
    spot.byte = source.byte_at(spot.line, spot.column);
    let (message, remedy) = match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("the key `{key}` is given twice"), "keep one of them")
        }
        Error::MultipleDocuments { .. } => {
            ("a second YAML document begins here".to_owned(), "put each document into its own file")
        }
        other => (
            format!("not readable as YAML: {}", UserMessageFormatter.format_message(other)),
            "correct the YAML; nothing else in this file has been checked",
        ),
    };
    source.fault(spot, message, remedy)
}

fn spot(at: Location) -> Spot {
    Spot {
        line: number(at.line()),
        column: number(at.column()),
        width: number(at.span().len()),
        byte: at.span().byte_offset().map_or(usize::MAX, number),
    }
}

fn number(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn node(raw: Spanned<Raw>, source: &Source) -> Node {
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Text(text) => Value::Scalar(text),
        Raw::Unquoted => Value::Scalar(spelling(&raw.defined, source)),
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(item, source)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    (Key { spot: spot(key.defined), text: key.value }, node(value, source))
                })
                .collect(),
        ),
    };
    Node { spot: spot(raw.defined), value }
}

/// The text of a scalar that YAML takes for a number or a truth value.
fn spelling(at: &Location, source: &Source) -> String {
    let span = at.span();
    let bytes = span.byte_offset().zip(span.byte_len()).and_then(|(start, len)| {
        let start = number(start);
        source.text().get(start..start.saturating_add(number(len)))
    });
    bytes.unwrap_or_default().to_owned()
}

/// A node as the deserializer shows it.
enum Raw {
    Null,
    Text(String),
    /// A number or truth value, whose spelling is found in the source.
    Unquoted,
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Unquoted)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Unquoted)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Unquoted)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Unquoted)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Unquoted)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Unquoted)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalars(text: &str) -> Vec<String> {
        let node = parse(&Source::new("a.yaml", text)).unwrap();
        let Value::List(items) = node.value else { panic!("not a list") };
        items
            .into_iter()
            .map(|item| match item.value {
                Value::Scalar(text) => text,
                other => other.noun().to_owned(),
            })
            .collect()
    }

    #[test]
    fn scalars_keep_their_spelling() {
        assert_eq!(
            scalars(
                "[00025.0, 25, 1e3, 2_5, 0x19, 'a''b', \"q\\\"x\", yes, ~, -0, +5, 1e999, .nan]"
            ),
            [
                "00025.0", "25", "1e3", "2_5", "0x19", "a'b", "q\"x", "yes", "nothing", "-0", "+5",
                "1e999", ".nan"
            ]
        );
    }

    #[test]
    fn places_count_characters() {
        let node = parse(&Source::new("a.yaml", "# ü\n- é: x\n")).unwrap();
        let Value::List(items) = &node.value else { panic!("not a list") };
        let Value::Map(entries) = &items[0].value else { panic!("not a map") };
        assert_eq!(entries[0].0.spot, Spot { line: 2, column: 3, width: 1, byte: 7 });
        assert_eq!(entries[0].1.spot, Spot { line: 2, column: 6, width: 1, byte: 11 });
    }

    #[test]
    fn a_fault_of_syntax_has_a_place() {
        for (text, place) in [
            ("a: [\n", "1:4"),
            ("a: b: c", "1:5"),
            ("a: 1\na: 2\n", "2:1"),
            ("a: b\n---\nc: d", "3:1"),
            ("? [x]\n: 3", "1:3"),
            ("a: *b", "1:4"),
        ] {
            let fault = parse(&Source::new("f", text)).unwrap_err().to_string();
            assert!(fault.starts_with(&format!("f:{place}: ")), "{fault}");
            let line = place.split(':').next().unwrap().parse::<usize>().unwrap();
            let line = text.lines().nth(line - 1).unwrap();
            assert!(fault.contains(&format!("| {line}\n")), "{fault}");
        }
    }
}
