//! A parser for `PromQL` that keeps byte ranges.
//!
//! `promql-parser` decides whether a query is valid, but does not report where its parts are. This
//! parser does. A query is only edited if both parsers agree on it: see [`super::parse`].

use std::ops::Range;

use super::ast::{
    Aggregate, Binary, Expr, Grouping, LabelList, Matcher, Node, Selector, precedence,
};
use super::tokens::{Token, TokenKind, string_value};

/// Maximum nesting of expressions. The parser is recursive.
const MAX_DEPTH: usize = 64;

/// Aggregation operators.
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

/// Parses the tokens of a query; `None` if it is not valid.
pub(super) fn parse_tree(query: &str, tokens: Vec<Token>) -> Option<Expr> {
    let mut parser = Parser { query, tokens, next: 0, depth: 0 };
    let expr = parser.binary(0)?;
    (parser.next == parser.tokens.len()).then_some(expr)
}

struct Parser<'a> {
    query: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> Option<&'a str> {
        self.query.get(self.tokens.get(self.next + by)?.at.clone())
    }

    fn kind(&self) -> Option<TokenKind> {
        self.tokens.get(self.next).map(|token| token.kind)
    }

    fn is_word(&self, words: &[&str]) -> bool {
        self.kind() == Some(TokenKind::Word)
            && self.peek().is_some_and(|text| words.contains(&text.to_ascii_lowercase().as_str()))
    }

    fn take(&mut self) -> Option<Range<usize>> {
        let at = self.tokens.get(self.next)?.at.clone();
        self.next += 1;
        Some(at)
    }

    fn sign(&mut self, sign: &str) -> Option<Range<usize>> {
        (self.peek() == Some(sign) && self.kind() == Some(TokenKind::Sign)).then(|| self.take())?
    }

    fn end(&self) -> usize {
        let last = self.next.checked_sub(1).and_then(|last| self.tokens.get(last));
        last.map_or(0, |token| token.at.end)
    }

    /// An expression of operators with at least this precedence.
    fn binary(&mut self, min_precedence: u8) -> Option<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut left = self.unary()?;
        while let Some((op, precedence, is_right_associative)) = self.peek().and_then(operator) {
            if precedence < min_precedence {
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
            let right =
                self.binary(if is_right_associative { precedence } else { precedence + 1 })?;
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
            // Lower precedence than `^`, higher than `*`.
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
                (self.kind()? == TokenKind::Number).then(|| self.take())?;
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
                    (self.kind()? == TokenKind::Number).then(|| self.take())?;
                }
                self.modified(&mut expr);
            } else {
                return Some(expr);
            }
        }
    }

    /// `[5m]`, or `[1h:5m]`. Returns true for the latter, a subquery.
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
            TokenKind::Number | TokenKind::String => {
                let at = self.take()?;
                Some(Expr { at, node: Node::Literal })
            }
            TokenKind::Sign if self.peek() == Some("(") => {
                self.take()?;
                let inner = Box::new(self.binary(0)?);
                self.sign(")")?;
                let node = Node::Wrapped { inner, parenthesised: true };
                Some(Expr { at: start..self.end(), node })
            }
            TokenKind::Sign if self.peek() == Some("{") => self.selector(None),
            TokenKind::Sign => None,
            TokenKind::Word => self.word(start),
        }
    }

    fn word(&mut self, start: usize) -> Option<Expr> {
        let word = self.peek()?;
        let lower = word.to_ascii_lowercase();
        let next = self.ahead(1);
        let grouped =
            next.is_some_and(|it| ["by", "without"].contains(&it.to_ascii_lowercase().as_str()));
        if AGGREGATES.contains(&lower.as_str()) && (next == Some("(") || grouped) {
            self.take()?;
            let mut grouping = self.grouping()?;
            let arguments = self.arguments()?;
            if grouping.is_none() {
                grouping = self.grouping()?;
            }
            let node = Node::Aggregate(Aggregate { op: lower, grouping, arguments });
            return Some(Expr { at: start..self.end(), node });
        }
        if next == Some("(") {
            self.take()?;
            let node = Node::Call { name: word.to_owned(), arguments: self.arguments()? };
            return Some(Expr { at: start..self.end(), node });
        }
        if matches!(lower.as_str(), "inf" | "nan") && next != Some("{") {
            let at = self.take()?;
            return Some(Expr { at, node: Node::Literal });
        }
        let name = self.take()?;
        self.selector(Some(name))
    }

    /// `by (…)`, `without (…)` or nothing.
    #[expect(clippy::option_option, reason = "the outer Option is a syntax error")]
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
        while self.kind()? == TokenKind::Word {
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
        let (mut name, mut name_matcher) = (name, None);
        let (mut matchers, mut braces) = (Vec::new(), None);
        if let Some(open) = self.sign("{") {
            while matches!(self.kind()?, TokenKind::Word | TokenKind::String) {
                let matcher =
                    if self.kind()? == TokenKind::String { None } else { Some(self.matcher()?) };
                let at = match &matcher {
                    Some(matcher) => matcher.at.clone(),
                    None => self.take()?,
                };
                let written = self.written_name(&at, matcher.as_ref());
                match (written, matcher) {
                    (Some(written), _) if name.is_none() => {
                        (name, name_matcher) = (Some(written), Some(at));
                    }
                    (_, Some(matcher)) => matchers.push(matcher),
                    (_, None) => return None,
                }
                if self.sign(",").is_none() {
                    break;
                }
            }
            braces = Some(open.start..self.sign("}")?.end);
        }
        let selector = Selector { name, name_matcher, braces, matchers, has_range: false };
        Some(Expr { at: start..self.end(), node: Node::Selector(selector) })
    }

    /// The name in `"name"` or `__name__="name"`, without the quotes, if it needs no escapes.
    fn written_name(&self, at: &Range<usize>, matcher: Option<&Matcher>) -> Option<Range<usize>> {
        if matcher.is_some_and(|it| self.query.get(it.label.clone()) != Some("__name__")) {
            return None;
        }
        let quoted = match matcher {
            None => at.clone(),
            Some(it) if it.op == "=" => at.end.checked_sub(it.value.len() + 2)?..at.end,
            Some(_) => return None,
        };
        let inner = quoted.start + 1..quoted.end - 1;
        let name = self.query.get(inner.clone())?;
        // A value with escapes is longer than its text.
        if matcher.is_some_and(|it| it.value != name) {
            return None;
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let is_name = name.starts_with(|c: char| is_part(c) && !c.is_ascii_digit());
        (is_name && name.chars().all(is_part)).then_some(inner)
    }

    fn matcher(&mut self) -> Option<Matcher> {
        let label = self.take()?;
        let op = ["=", "!=", "=~", "!~"].into_iter().find(|op| self.peek() == Some(op))?;
        self.take()?;
        (self.kind()? == TokenKind::String).then_some(())?;
        let value = self.take()?;
        let at = label.start..value.end;
        Some(Matcher { at, label, op, value: string_value(self.query.get(value)?)? })
    }
}

/// A binary operator: its name, its precedence, and whether it is right-associative.
fn operator(text: &str) -> Option<(String, u8, bool)> {
    let lower = text.to_ascii_lowercase();
    let precedence = precedence(&lower)?;
    Some((lower, precedence, precedence == 6))
}
