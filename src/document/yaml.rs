//! YAML as a tree of nodes.
//!
//! Built on the events of a YAML 1.2 parser. Scalars are not resolved to numbers or truth values:
//! the reader of a scalar decides what it means, and its spelling is kept.

use std::collections::{HashMap, HashSet};

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle};

use super::diagnostic::Diagnostic;
use super::node::{Limits, List, Map, Node, Scalar, Style};
use super::source::Source;
use super::span::Span;

/// The most memory, in bytes, that anchors and aliases may take by repeating nodes. A few lines of
/// YAML can name more than any machine has.
const MAX_REPEATED_BYTES: usize = 32 << 20;

/// What a node costs besides its text, in bytes.
const NODE_BYTES: usize = size_of::<(Scalar, Node)>();

const SYNTAX_HELP: &str = "correct the YAML; the rest of this file has not been checked";

const ALIAS_HELP: &str =
    "quote a text that begins with `*`; the rest of this file has not been checked";

const BRACE_HELP: &str = "put a text that contains `{`, `}` or `: ` in quotes; the rest of this file has \
                          not been checked";

/// Reads every document of a text. Aliases are replaced by what they name, `<<` by the keys of the
/// maps it merges.
///
/// # Errors
///
/// The first place that is not YAML, or that exceeds a limit. What follows it cannot be known.
pub fn parse(source: &Source, limits: Limits) -> Result<Vec<Node>, Diagnostic> {
    if source.text().len() > limits.max_bytes {
        return Err(too_long(source, limits));
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = limits.max_depth;
    options.block_nesting_limit = limits.max_depth;
    let mut builder = Builder {
        source,
        limits,
        documents: Vec::new(),
        open: Vec::new(),
        anchors: HashMap::new(),
        repeated: 0,
    };
    for event in Parser::new_from_str_with_options(source.text(), options) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker();
            let byte = at.byte_offset();
            let byte = byte.unwrap_or_else(|| source.byte_at(at.line(), at.col() + 1));
            let message = match error.kind() {
                ErrorKind::RecursionLimitExceeded => too_deep(limits),
                _ => format!("not readable as YAML: {}", error.info()),
            };
            let help = syntax_help(&message, source, byte);
            source.error(Span::at(byte), message, help)
        })?;
        builder.event(event, Span::new(span.byte_range().unwrap_or_default()))?;
    }
    Ok(builder.documents)
}

/// What to do about a place that is not YAML. A selector without quotes is the most likely reason.
fn syntax_help(message: &str, source: &Source, byte: usize) -> &'static str {
    let (before, after) = source.text().split_at_checked(byte).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    // The error is at the brace, or after it.
    let has_brace = line.contains('{') || after.starts_with('{');
    if message.contains("alias") {
        ALIAS_HELP
    } else if has_brace {
        BRACE_HELP
    } else {
        SYNTAX_HELP
    }
}

/// The error for a text that exceeds its limit.
pub(super) fn too_long(source: &Source, limits: Limits) -> Diagnostic {
    let message = format!("longer than {} MiB", limits.max_bytes >> 20);
    Diagnostic::error(message).at(source.whole()).with_help("split the file")
}

fn too_deep(limits: Limits) -> String {
    format!("nested more than {} levels deep", limits.max_depth)
}

struct Builder<'a> {
    source: &'a Source,
    limits: Limits,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    repeated: usize,
}

/// A collection whose end has not been read.
struct Open {
    node: Node,
    anchor: usize,
    /// In a map, the key that waits for its value.
    key: Option<Scalar>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let node = Node::Scalar(self.scalar(&text, style, span));
                self.add(node, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.start(Node::List(List { span, items: Vec::new() }), anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                self.start(Node::Map(Map { span, entries: Vec::new() }), anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.add(closed(open.node, span), open.anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    let message = "an alias of an anchor that is not complete";
                    return Err(self.source.error(span, message, "write the value out"));
                };
                let node = node.clone();
                self.repeat(&node, span)?;
                self.add(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: Span) -> Scalar {
        let style = match style {
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
            ScalarStyle::Plain => Style::Plain,
        };
        // For a value that is left out, the parser makes up a `~`.
        let is_left_out = style == Style::Plain && self.source.slice(span).is_empty();
        let text = if is_left_out { String::new() } else { text.to_owned() };
        Scalar { text, span, style }
    }

    fn start(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        if self.open.len() >= self.limits.max_depth {
            return Err(self.source.error(node.span(), too_deep(self.limits), SYNTAX_HELP));
        }
        self.open.push(Open { node, anchor, key: None });
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        if anchor > 0 {
            self.repeat(&node, node.span())?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match (&mut open.node, open.key.take()) {
            (Node::List(list), _) => list.items.push(node),
            (Node::Map(map), Some(key)) => {
                // A value that is left out has no place of its own; its key is the place to
                // look.
                let span =
                    if node.span().is_empty() { Span::at(key.span.end) } else { node.span() };
                map.entries.push((key, placed(node, span)));
            }
            (Node::Map(_), None) => {
                let span = node.span();
                open.key = Some(match node {
                    Node::Scalar(scalar) => scalar,
                    _ => Scalar { text: String::new(), span, style: Style::Plain },
                });
            }
            (Node::Scalar(_), _) => unreachable!("scalars have no children"),
        }
        Ok(())
    }

    /// Counts what a copy of a node costs.
    fn repeat(&mut self, node: &Node, span: Span) -> Result<(), Diagnostic> {
        self.repeated = self.repeated.saturating_add(weight(node));
        if self.repeated > MAX_REPEATED_BYTES {
            let message = "anchors and aliases repeat too much";
            return Err(self.source.error(span, message, "write the values out"));
        }
        Ok(())
    }
}

fn placed(node: Node, span: Span) -> Node {
    match node {
        Node::Scalar(scalar) => Node::Scalar(Scalar { span, ..scalar }),
        other => other,
    }
}

/// A collection with its end. A block ends with its last node, not where the parser noticed.
fn closed(node: Node, end: Span) -> Node {
    let ends = |last: Option<usize>, start: usize| {
        let last = last.unwrap_or(start).max(start);
        if end.is_empty() { last } else { end.end.max(last) }
    };
    match node {
        Node::List(list) => {
            let last = list.items.iter().map(|item| item.span().end).max();
            let end = ends(last, list.span.end);
            Node::List(List { span: Span { end, ..list.span }, ..list })
        }
        Node::Map(map) => {
            let last = map.entries.last().map(|(key, item)| item.span().end.max(key.span.end));
            let end = ends(last, map.span.end);
            Node::Map(Map { span: Span { end, ..map.span }, entries: merged(map.entries) })
        }
        Node::Scalar(scalar) => Node::Scalar(scalar),
    }
}

/// Replaces `<<` by the entries of the maps it names. A key of the map itself wins, then that of an
/// earlier map.
fn merged(entries: Vec<(Scalar, Node)>) -> Vec<(Scalar, Node)> {
    let is_merge = |(key, node): &(Scalar, Node)| {
        let of_maps = match node {
            Node::Map(_) => true,
            Node::List(list) => list.items.iter().all(|item| matches!(item, Node::Map(_))),
            Node::Scalar(_) => false,
        };
        key.style == Style::Plain && key.text == "<<" && of_maps
    };
    if !entries.iter().any(is_merge) {
        return entries;
    }
    let (merges, mut entries): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_merge);
    let mut known: HashSet<String> = entries.iter().map(|(key, _)| key.text.clone()).collect();
    for (_, node) in merges {
        let maps = match node {
            Node::List(list) => list.items,
            other => vec![other],
        };
        for map in maps {
            let Node::Map(map) = map else { continue };
            entries
                .extend(map.entries.into_iter().filter(|(key, _)| known.insert(key.text.clone())));
        }
    }
    entries
}

/// The memory that a node takes, roughly.
fn weight(node: &Node) -> usize {
    NODE_BYTES
        + match node {
            Node::Scalar(scalar) => scalar.text.len(),
            Node::List(list) => list.items.iter().map(weight).sum(),
            Node::Map(map) => map.entries.iter().map(|(key, it)| key.text.len() + weight(it)).sum(),
        }
}
