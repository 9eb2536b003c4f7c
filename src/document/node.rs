//! A document as a tree of nodes that know where they are written.

use super::span::Span;

/// What a document may cost. Beyond it, reading is an error.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest text, in bytes.
    pub max_bytes: usize,
    /// The deepest nesting. Trees are walked by recursion, so this bounds the stack.
    pub max_depth: usize,
}

impl Limits {
    /// For files that are written by hand: packs and settings.
    pub const WRITTEN: Limits = Limits { max_bytes: 8 << 20, max_depth: 32 };

    /// For files that other programs export: dashboards.
    pub const EXPORTED: Limits = Limits { max_bytes: 256 << 20, max_depth: 100 };
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// YAML without quotes.
    Plain,
    /// YAML in single quotes.
    SingleQuoted,
    /// JSON or YAML in double quotes.
    DoubleQuoted,
    /// YAML after `|` or `>`.
    Block,
    /// A JSON number, `true`, `false` or `null`.
    Bare,
}

/// A value that is neither a list nor a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text: without quotes and escapes, otherwise spelled as in the file (`00025.0`).
    pub text: String,
    /// The bytes it is read from, quotes included. For a block, its lines without the header.
    pub span: Span,
    /// How it is written.
    pub style: Style,
}

impl Scalar {
    /// True for `null` as YAML and JSON write it: nothing at all, `~` or `null`, without quotes.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.style, Style::Plain | Style::Bare)
            && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// Values in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// From the first item, or the bracket, to the last.
    pub span: Span,
    /// The items.
    pub items: Vec<Node>,
}

/// Values under keys, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// From the first key, or the brace, to the last value.
    pub span: Span,
    /// Keys and values. A key may occur twice: [`Reader`](super::Reader) reports it. A key that is
    /// not a scalar has an empty text.
    pub entries: Vec<(Scalar, Node)>,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A text, a number, a truth value or null.
    Scalar(Scalar),
    /// Values in an order.
    List(List),
    /// Values under keys.
    Map(Map),
}

impl Node {
    /// The null of an empty document.
    #[must_use]
    pub fn null(span: Span) -> Node {
        Node::Scalar(Scalar { text: String::new(), span, style: Style::Plain })
    }

    /// Where the node is written. For an alias, where the anchor is.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Node::Scalar(scalar) => scalar.span,
            Node::List(list) => list.span,
            Node::Map(map) => map.span,
        }
    }

    /// True for null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(Scalar::is_null)
    }

    /// What the node is, for messages.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Node::Scalar(scalar) if scalar.is_null() => "nothing",
            Node::Scalar(_) => "a text",
            Node::List(_) => "a list",
            Node::Map(_) => "keys and values",
        }
    }

    /// The node as a scalar.
    #[must_use]
    pub fn scalar(&self) -> Option<&Scalar> {
        match self {
            Node::Scalar(scalar) => Some(scalar),
            Node::List(_) | Node::Map(_) => None,
        }
    }

    /// The node as a text: any scalar of YAML, a quoted one of JSON.
    #[must_use]
    pub fn text(&self) -> Option<&Scalar> {
        self.scalar().filter(|scalar| scalar.style != Style::Bare)
    }

    /// The value of a key; `None` if the node is not a map or has no such key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Node::Map(map) => map.entries.iter().find(|(its, _)| its.text == key).map(|(_, it)| it),
            Node::Scalar(_) | Node::List(_) => None,
        }
    }

    /// The text of a key's value.
    #[must_use]
    pub fn str(&self, key: &str) -> Option<&str> {
        self.get(key)?.text().map(|scalar| scalar.text.as_str())
    }

    /// The items of a key's value; none if it is not a list.
    #[must_use]
    pub fn list(&self, key: &str) -> &[Node] {
        match self.get(key) {
            Some(Node::List(list)) => &list.items,
            _ => &[],
        }
    }

    /// Every scalar of the tree, without keys, in the order of the file.
    pub fn scalars<'a>(&'a self, visit: &mut dyn FnMut(&'a Scalar)) {
        match self {
            Node::Scalar(scalar) => visit(scalar),
            Node::List(list) => list.items.iter().for_each(|item| item.scalars(visit)),
            Node::Map(map) => map.entries.iter().for_each(|(_, item)| item.scalars(visit)),
        }
    }
}
