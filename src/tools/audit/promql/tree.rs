//! A query as a tree with places, so that it can be edited where it stands.
//!
//! `promql-parser` says whether a query is `PromQL`, but not where its parts are. This tree does, and nothing is done with
//! it unless both agree on every selector, label list and function: see [`super::parse`].

use std::ops::Range;

use super::tokens::{Kind, Token, meaning, tokens};

/// How deep expressions may nest.
const MAX_DEPTH: usize = 64;

/// An expression and its place, ranges and modifiers included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Expr {
    pub(in crate::tools::audit) at: Range<usize>,
    pub(in crate::tools::audit) node: Node,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) enum Node {
    /// A number or a text.
    Literal,
    Selector(Selector),
    Call {
        name: String,
        arguments: Vec<Expr>,
    },
    Aggregate(Aggregate),
    Binary(Box<Binary>),
    /// `(…)`, `-…`, or an expression with `[…:…]`, `offset` or `@` behind it.
    Wrapped {
        inner: Box<Expr>,
        parenthesised: bool,
    },
}

/// `name{…}[…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Selector {
    /// Where the name stands, if it does.
    pub(in crate::tools::audit) name: Option<Range<usize>>,
    /// Where the braces stand, with what is between.
    pub(in crate::tools::audit) braces: Option<Range<usize>>,
    pub(in crate::tools::audit) matchers: Vec<Matcher>,
    pub(in crate::tools::audit) has_range: bool,
}

/// `label op "value"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Matcher {
    pub(in crate::tools::audit) at: Range<usize>,
    pub(in crate::tools::audit) label: Range<usize>,
    pub(in crate::tools::audit) op: &'static str,
    /// The value, without quotes and escapes.
    pub(in crate::tools::audit) value: String,
}

/// `sum by (…) (…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Aggregate {
    pub(in crate::tools::audit) op: String,
    pub(in crate::tools::audit) grouping: Option<Grouping>,
    pub(in crate::tools::audit) arguments: Vec<Expr>,
}

/// `by (…)` or `without (…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Grouping {
    pub(in crate::tools::audit) without: bool,
    pub(in crate::tools::audit) labels: LabelList,
}

/// `(label, …)`, each with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct LabelList {
    pub(in crate::tools::audit) at: Range<usize>,
    pub(in crate::tools::audit) labels: Vec<(String, Range<usize>)>,
}

/// `a op on (…) group_left (…) b`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Binary {
    pub(in crate::tools::audit) op: String,
    pub(in crate::tools::audit) left: Expr,
    pub(in crate::tools::audit) right: Expr,
    /// `on` or `ignoring`.
    pub(in crate::tools::audit) matching: Option<(bool, LabelList)>,
    /// `group_left` or `group_right`, and the labels behind it.
    pub(in crate::tools::audit) group: Option<(bool, Option<LabelList>)>,
}

impl LabelList {
    pub(in crate::tools::audit) fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|(its, _)| its == label)
    }
}

impl Expr {
    /// The expression and everything below it, in order.
    pub(in crate::tools::audit) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        match &self.node {
            Node::Literal | Node::Selector(_) => {}
            Node::Call { arguments, .. } => arguments.iter().for_each(|it| it.walk(visit)),
            Node::Aggregate(aggregate) => aggregate.arguments.iter().for_each(|it| it.walk(visit)),
            Node::Binary(binary) => {
                binary.left.walk(visit);
                binary.right.walk(visit);
            }
            Node::Wrapped { inner, .. } => inner.walk(visit),
        }
    }

    /// Every list of labels: `by`, `without`, `on`, `ignoring`, `group_left`, `group_right`.
    pub(in crate::tools::audit) fn label_lists(&self) -> Vec<&LabelList> {
        let mut lists = Vec::new();
        self.walk(&mut |expr| match &expr.node {
            Node::Aggregate(aggregate) => {
                lists.extend(aggregate.grouping.as_ref().map(|grouping| &grouping.labels));
            }
            Node::Binary(binary) => {
                lists.extend(binary.matching.as_ref().map(|(_, labels)| labels));
                lists.extend(binary.group.as_ref().and_then(|(_, labels)| labels.as_ref()));
            }
            _ => {}
        });
        lists
    }
}

/// Aggregation operators, and how many arguments stand in front of the vector.
const AGGREGATES: &[&str] = &[
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "quantile",
    "count_values",
    "limitk",
    "limit_ratio",
];

/// Reads a query; `None` where it is none.
pub(super) fn tree(query: &str) -> Option<Expr> {
    let mut reader = Reader { query, tokens: tokens(query)?, next: 0, depth: 0 };
    let expr = reader.binary(0)?;
    (reader.next == reader.tokens.len()).then_some(expr)
}

struct Reader<'a> {
    query: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> Option<&'a str> {
        self.query.get(self.tokens.get(self.next + by)?.at.clone())
    }

    fn kind(&self) -> Option<Kind> {
        self.tokens.get(self.next).map(|token| token.kind)
    }

    fn is_word(&self, words: &[&str]) -> bool {
        self.kind() == Some(Kind::Word)
            && self.peek().is_some_and(|text| words.contains(&text.to_ascii_lowercase().as_str()))
    }

    fn take(&mut self) -> Option<Range<usize>> {
        let at = self.tokens.get(self.next)?.at.clone();
        self.next += 1;
        Some(at)
    }

    fn sign(&mut self, sign: &str) -> Option<Range<usize>> {
        (self.peek() == Some(sign) && self.kind() == Some(Kind::Sign)).then(|| self.take())?
    }

    fn end(&self) -> usize {
        let last = self.next.checked_sub(1).and_then(|last| self.tokens.get(last));
        last.map_or(0, |token| token.at.end)
    }

    /// Operators that bind at least as strongly as `floor`.
    fn binary(&mut self, floor: u8) -> Option<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut left = self.unary()?;
        while let Some((op, strength, right_first)) = self.peek().and_then(operator) {
            if strength < floor {
                break;
            }
            self.take()?;
            if self.is_word(&["bool"]) {
                self.take()?;
            }
            let mut matching = None;
            if self.is_word(&["on", "ignoring"]) {
                let on = self.is_word(&["on"]);
                self.take()?;
                matching = Some((on, self.labels()?));
            }
            let mut group = None;
            if self.is_word(&["group_left", "group_right"]) {
                let left = self.is_word(&["group_left"]);
                self.take()?;
                let labels = if self.peek() == Some("(") { Some(self.labels()?) } else { None };
                group = Some((left, labels));
            }
            let right = self.binary(if right_first { strength } else { strength + 1 })?;
            let at = left.at.start..right.at.end;
            let binary = Binary { op, left, right, matching, group };
            left = Expr { at, node: Node::Binary(Box::new(binary)) };
        }
        self.depth -= 1;
        Some(left)
    }

    fn unary(&mut self) -> Option<Expr> {
        if matches!(self.peek(), Some("-" | "+")) {
            let start = self.take()?.start;
            // Weaker than `^`, stronger than `*`.
            let inner = Box::new(self.binary(6)?);
            let at = start..inner.at.end;
            return Some(Expr { at, node: Node::Wrapped { inner, parenthesised: false } });
        }
        let mut expr = self.primary()?;
        loop {
            if self.peek() == Some("[") {
                let ranged = self.brackets()?;
                match &mut expr.node {
                    Node::Selector(selector) if !ranged && !selector.has_range => {
                        selector.has_range = true;
                        expr.at.end = self.end();
                    }
                    _ if ranged => expr = self.wrapped(expr),
                    _ => return None,
                }
            } else if self.is_word(&["offset"]) {
                self.take()?;
                if self.peek() == Some("-") {
                    self.take()?;
                }
                (self.kind()? == Kind::Number).then(|| self.take())?;
                self.modified(&mut expr);
            } else if self.peek() == Some("@") {
                self.take()?;
                if self.is_word(&["start", "end"]) {
                    self.take()?;
                    self.sign("(")?;
                    self.sign(")")?;
                } else {
                    if self.peek() == Some("-") {
                        self.take()?;
                    }
                    (self.kind()? == Kind::Number).then(|| self.take())?;
                }
                self.modified(&mut expr);
            } else {
                return Some(expr);
            }
        }
    }

    /// `[5m]`, or `[1h:5m]`, which makes a subquery: true.
    fn brackets(&mut self) -> Option<bool> {
        self.sign("[")?;
        let mut subquery = false;
        while self.peek()? != "]" {
            subquery |= self.peek()? == ":";
            self.take()?;
        }
        self.sign("]")?;
        Some(subquery)
    }

    fn modified(&self, expr: &mut Expr) {
        expr.at.end = self.end();
    }

    fn wrapped(&self, inner: Expr) -> Expr {
        let at = inner.at.start..self.end();
        Expr { at, node: Node::Wrapped { inner: Box::new(inner), parenthesised: false } }
    }

    fn primary(&mut self) -> Option<Expr> {
        let start = self.tokens.get(self.next)?.at.start;
        match self.kind()? {
            Kind::Number | Kind::Text => {
                let at = self.take()?;
                Some(Expr { at, node: Node::Literal })
            }
            Kind::Sign if self.peek() == Some("(") => {
                self.take()?;
                let inner = Box::new(self.binary(0)?);
                self.sign(")")?;
                let node = Node::Wrapped { inner, parenthesised: true };
                Some(Expr { at: start..self.end(), node })
            }
            Kind::Sign if self.peek() == Some("{") => self.selector(None),
            Kind::Sign => None,
            Kind::Word => self.word(start),
        }
    }

    fn word(&mut self, start: usize) -> Option<Expr> {
        let word = self.peek()?;
        let lower = word.to_ascii_lowercase();
        let behind = self.ahead(1);
        let grouped = matches!(behind, Some("by" | "without" | "BY" | "WITHOUT"));
        if AGGREGATES.contains(&lower.as_str()) && (behind == Some("(") || grouped) {
            self.take()?;
            let mut grouping = self.grouping()?;
            let arguments = self.arguments()?;
            if grouping.is_none() {
                grouping = self.grouping()?;
            }
            let node = Node::Aggregate(Aggregate { op: lower, grouping, arguments });
            return Some(Expr { at: start..self.end(), node });
        }
        if behind == Some("(") {
            self.take()?;
            let node = Node::Call { name: word.to_owned(), arguments: self.arguments()? };
            return Some(Expr { at: start..self.end(), node });
        }
        if matches!(lower.as_str(), "inf" | "nan") && behind != Some("{") {
            let at = self.take()?;
            return Some(Expr { at, node: Node::Literal });
        }
        let name = self.take()?;
        self.selector(Some(name))
    }

    /// `by (…)`, `without (…)` or nothing.
    #[expect(clippy::option_option, reason = "unreadable, or not there")]
    fn grouping(&mut self) -> Option<Option<Grouping>> {
        if !self.is_word(&["by", "without"]) {
            return Some(None);
        }
        let without = self.is_word(&["without"]);
        self.take()?;
        Some(Some(Grouping { without, labels: self.labels()? }))
    }

    fn arguments(&mut self) -> Option<Vec<Expr>> {
        self.sign("(")?;
        let mut arguments = Vec::new();
        while self.peek()? != ")" {
            arguments.push(self.binary(0)?);
            if self.sign(",").is_none() {
                break;
            }
        }
        self.sign(")")?;
        Some(arguments)
    }

    fn labels(&mut self) -> Option<LabelList> {
        let start = self.sign("(")?.start;
        let mut labels = Vec::new();
        while self.kind()? == Kind::Word {
            let at = self.take()?;
            labels.push((self.query.get(at.clone())?.to_owned(), at));
            if self.sign(",").is_none() {
                break;
            }
        }
        self.sign(")")?;
        Some(LabelList { at: start..self.end(), labels })
    }

    fn selector(&mut self, name: Option<Range<usize>>) -> Option<Expr> {
        let start = match &name {
            Some(name) => name.start,
            None => self.tokens.get(self.next)?.at.start,
        };
        let (mut matchers, mut braces) = (Vec::new(), None);
        if let Some(open) = self.sign("{") {
            while self.kind()? == Kind::Word {
                matchers.push(self.matcher()?);
                if self.sign(",").is_none() {
                    break;
                }
            }
            braces = Some(open.start..self.sign("}")?.end);
        }
        let node = Node::Selector(Selector { name, braces, matchers, has_range: false });
        Some(Expr { at: start..self.end(), node })
    }

    fn matcher(&mut self) -> Option<Matcher> {
        let label = self.take()?;
        let op = ["=", "!=", "=~", "!~"].into_iter().find(|op| self.peek() == Some(op))?;
        self.take()?;
        (self.kind()? == Kind::Text).then_some(())?;
        let value = self.take()?;
        let at = label.start..value.end;
        Some(Matcher { at, label, op, value: meaning(self.query.get(value)?)? })
    }
}

/// An operator: its name, how strongly it binds, and whether the right side is taken first.
fn operator(text: &str) -> Option<(String, u8, bool)> {
    let lower = text.to_ascii_lowercase();
    let strength = match lower.as_str() {
        "or" => 1,
        "and" | "unless" => 2,
        "==" | "!=" | "<" | ">" | "<=" | ">=" => 3,
        "+" | "-" => 4,
        "*" | "/" | "%" | "atan2" => 5,
        "^" => 6,
        _ => return None,
    };
    Some((lower, strength, strength == 6))
}
