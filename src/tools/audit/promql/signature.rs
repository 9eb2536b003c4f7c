//! What two parsers must agree on before a query is edited.

use std::ops::Range;

use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr as Parsed, LabelModifier};

use super::ast::{Expr, Node};

/// The selectors, label lists, functions and operators of a query. Both parsers must find the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Signature {
    parts: Vec<String>,
}

impl Signature {
    /// The signature of our tree.
    pub(super) fn of_tree(query: &str, tree: &Expr) -> Vec<String> {
        let mut signature = Signature::default();
        tree.walk(&mut |expr| signature.expr(query, expr));
        signature.sorted()
    }

    /// The signature of the tree of `promql-parser`.
    pub(super) fn of_parsed(parsed: &Parsed) -> Vec<String> {
        let mut signature = Signature::default();
        signature.parsed(parsed);
        signature.sorted()
    }

    fn sorted(mut self) -> Vec<String> {
        self.parts.sort_unstable();
        self.parts
    }

    fn list<'a>(&mut self, kind: &str, labels: impl Iterator<Item = &'a str>) {
        let mut labels: Vec<&str> = labels.collect();
        labels.sort_unstable();
        labels.dedup();
        self.parts.push(format!("{kind}({})", labels.join(",")));
    }

    fn selector(&mut self, name: Option<&str>, mut matchers: Vec<String>, ranged: bool) {
        matchers.sort_unstable();
        let name = name.unwrap_or_default();
        self.parts.push(format!("{name}{{{}}}{ranged}", matchers.join(",")));
    }

    fn expr(&mut self, query: &str, expr: &Expr) {
        let text = |at: &Range<usize>| query.get(at.clone()).unwrap_or_default();
        match &expr.node {
            Node::Selector(selector) => {
                let matchers = selector.matchers.iter();
                let matchers =
                    matchers.map(|it| format!("{}{}{:?}", text(&it.label), it.op, it.value));
                let mut matchers: Vec<String> = matchers.collect();
                let mut name = selector.name.as_ref().map(text);
                if selector.name_matcher.is_some() {
                    matchers.extend(name.take().map(|name| format!("__name__={name:?}")));
                }
                self.selector(name, matchers, selector.has_range);
            }
            Node::Call { name, .. } => self.parts.push(format!("call {name}")),
            Node::Aggregate(aggregate) => {
                self.parts.push(format!("aggregate {}", aggregate.op));
                if let Some(grouping) = &aggregate.grouping {
                    let kind = if grouping.without { "without" } else { "by" };
                    self.list(kind, grouping.labels.labels.iter().map(|(label, _)| label.as_str()));
                }
            }
            Node::Binary(binary) => {
                self.parts.push(format!("binary {}", binary.op));
                if let Some((on, labels)) = &binary.matching {
                    let kind = if *on { "on" } else { "ignoring" };
                    self.list(kind, labels.labels.iter().map(|(label, _)| label.as_str()));
                }
            }
            Node::Literal | Node::Wrapped { .. } => {}
        }
    }

    fn vector(&mut self, selector: &parser::VectorSelector, ranged: bool) {
        let op = |op: &MatchOp| match op {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Re(_) => "=~",
            MatchOp::NotRe(_) => "!~",
        };
        let matchers = selector.matchers.matchers.iter();
        let mut matchers: Vec<String> =
            matchers.map(|it| format!("{}{}{:?}", it.name, op(&it.op), it.value)).collect();
        // Alternatives in braces are an extension of promql-parser that our tree does not have.
        matchers.extend(selector.matchers.or_matchers.iter().map(|_| "or".to_owned()));
        self.selector(selector.name.as_deref(), matchers, ranged);
    }

    fn parsed(&mut self, expr: &Parsed) {
        match expr {
            Parsed::Aggregate(aggregate) => {
                self.parts
                    .push(format!("aggregate {}", aggregate.op.to_string().to_ascii_lowercase()));
                match &aggregate.modifier {
                    Some(LabelModifier::Include(labels)) => {
                        self.list("by", labels.labels.iter().map(String::as_str));
                    }
                    Some(LabelModifier::Exclude(labels)) => {
                        self.list("without", labels.labels.iter().map(String::as_str));
                    }
                    None => {}
                }
                if let Some(param) = &aggregate.param {
                    self.parsed(param);
                }
                self.parsed(&aggregate.expr);
            }
            Parsed::Unary(unary) => self.parsed(&unary.expr),
            Parsed::Binary(binary) => {
                self.parts.push(format!("binary {}", binary.op.to_string().to_ascii_lowercase()));
                let matching = binary.modifier.as_ref().and_then(|it| it.matching.as_ref());
                match matching {
                    Some(LabelModifier::Include(labels)) => {
                        self.list("on", labels.labels.iter().map(String::as_str));
                    }
                    Some(LabelModifier::Exclude(labels)) => {
                        self.list("ignoring", labels.labels.iter().map(String::as_str));
                    }
                    None => {}
                }
                self.parsed(&binary.lhs);
                self.parsed(&binary.rhs);
            }
            Parsed::Paren(paren) => self.parsed(&paren.expr),
            Parsed::Subquery(subquery) => self.parsed(&subquery.expr),
            Parsed::VectorSelector(selector) => self.vector(selector, false),
            Parsed::MatrixSelector(matrix) => self.vector(&matrix.vs, true),
            Parsed::Call(call) => {
                self.parts.push(format!("call {}", call.func.name));
                call.args.args.iter().for_each(|argument| self.parsed(argument));
            }
            Parsed::NumberLiteral(_) | Parsed::StringLiteral(_) | Parsed::Extension(_) => {}
        }
    }
}
