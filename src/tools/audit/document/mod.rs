//! JSON and YAML as trees whose texts know where they stand, so that one of them can be changed and nothing else.
//!
//! A text may hold a document of its own (a dashboard in a `ConfigMap`), and that one's texts can be changed likewise: an edit
//! of the inner document is an edit of the text that holds it.

mod json;
mod scalar;
mod yaml;

use std::collections::BTreeMap;
use std::ops::Range;

pub(super) use scalar::{Edit, Style, apply};

/// How deep documents may nest. Reading is recursive.
const MAX_DEPTH: usize = 100;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// A text, and where it stands, quotes included.
    Text(Text),
    /// A number, a truth value or nothing, as it is spelled.
    Other(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// A text, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) at: Range<usize>,
    pub(super) style: Style,
}

impl Node {
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Node::Map(entries) => entries.iter().find(|(its, _)| its == key).map(|(_, node)| node),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&Text> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text under a key.
    pub(super) fn str(&self, key: &str) -> Option<&str> {
        self.get(key)?.text().map(|text| text.value.as_str())
    }

    pub(super) fn list(&self, key: &str) -> &[Node] {
        match self.get(key) {
            Some(Node::List(items)) => items,
            _ => &[],
        }
    }

    /// Every text below, keys not counted.
    pub(super) fn texts<'a>(&'a self, visit: &mut dyn FnMut(&'a str)) {
        match self {
            Node::Text(text) => visit(&text.value),
            Node::Other(_) => {}
            Node::List(items) => items.iter().for_each(|item| item.texts(visit)),
            Node::Map(entries) => entries.iter().for_each(|(_, item)| item.texts(visit)),
        }
    }

    /// What the document says, wherever it says it, with other texts at some places.
    pub(super) fn content(&self, instead: &BTreeMap<usize, String>) -> Content {
        match self {
            Node::Text(text) => {
                Content::Text(instead.get(&text.at.start).unwrap_or(&text.value).clone())
            }
            Node::Other(text) => Content::Other(text.clone()),
            Node::List(items) => {
                Content::List(items.iter().map(|item| item.content(instead)).collect())
            }
            Node::Map(entries) => {
                let entry = |(key, item): &(String, Node)| (key.clone(), item.content(instead));
                Content::Map(entries.iter().map(entry).collect())
            }
        }
    }
}

/// A document without places: two documents say the same when these are equal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Text(String),
    Other(String),
    List(Vec<Content>),
    Map(Vec<(String, Content)>),
}

/// Reads a file: JSON, or any number of YAML documents.
///
/// # Errors
///
/// Line and reason.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, String> {
    if text.trim_start().starts_with(['{', '[']) {
        match json::parse(text) {
            Ok(node) => return Ok(vec![node]),
            // A YAML file may begin with a brace as well: a flow mapping, or a template's placeholder.
            Err(error) => return yaml::parse(text).map_err(|_| error),
        }
    }
    yaml::parse(text)
}

/// Reads JSON alone.
pub(super) fn parse_json(text: &str) -> Option<Node> {
    json::parse(text).ok()
}

/// The line, from 1, that a byte stands in.
pub(super) fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
