//! Queries: read by two readers that must agree, with the place of every part.

mod tokens;
mod tree;

use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr as Parsed, LabelModifier};

pub(super) use tree::{Aggregate, Binary, Expr, LabelList, Matcher, Node, Selector};

/// Brackets and signs of one query; no one writes so many.
const MAX_BRACKETS: usize = 1000;

/// Reads a query.
///
/// # Errors
///
/// What is wrong with it, in the words of `promql-parser`; or that the two readers read it differently.
pub(super) fn parse(query: &str) -> Result<Expr, String> {
    // Ours stops at a depth; the other one recurses as deep as there are brackets.
    if query.bytes().filter(|byte| matches!(byte, b'(' | b'-' | b'+')).count() > MAX_BRACKETS {
        return Err("it nests too deeply".to_owned());
    }
    let parsed = parser::parse(query)?;
    let tree = tree::tree(query).ok_or("it is read differently by two readers")?;
    let mut seen = Seen::default();
    seen.parsed(&parsed);
    let mut ours = Seen::default();
    tree.walk(&mut |expr| ours.expr(query, expr));
    if seen.sorted() == ours.sorted() {
        Ok(tree)
    } else {
        Err("it is read differently by two readers".to_owned())
    }
}

/// What both readers must agree on.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    parts: Vec<String>,
}

impl Seen {
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
        let text = |at: &std::ops::Range<usize>| query.get(at.clone()).unwrap_or_default();
        match &expr.node {
            Node::Selector(selector) => {
                let matchers = selector.matchers.iter();
                let matchers =
                    matchers.map(|it| format!("{}{}{:?}", text(&it.label), it.op, it.value));
                self.selector(
                    selector.name.as_ref().map(text),
                    matchers.collect(),
                    selector.has_range,
                );
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
        // Alternatives inside braces are not PromQL's own; they must not look like none.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_readers_agree_on_queries() {
        for query in [
            "up",
            "sum(rate(a_bucket{x=\"1\",le=~\"2|3\",}[5m] offset 1h)) by (le, x)",
            "sum by (a) (x) / on (a) group_left (b) avg without (c) (y{z!=''})",
            "histogram_quantile(0.99, sum(rate(a[5m])) by (le)) > bool 3 and on () vector(1)",
            "-a ^ 2 * (b - c) % 4",
            "max_over_time(rate(a[5m])[1h:1m] @ end()) or {__name__=~\"x|y\"} unless Inf_x",
            "topk(3, a) == count_values(\"v\", b)",
            "# why\nsum (\n  a\n) BY (b)",
            "absent(a{b=`c`}) atan2 b offset -5m",
            "a:b:c[1h30m:]",
        ] {
            if let Err(error) = parse(query) {
                panic!("{query}: {error}");
            }
        }
    }

    #[test]
    fn what_is_no_query_or_too_odd_is_refused() {
        for query in
            ["", "sum(", "a{b=\"c\" or b=\"d\"}", "a{b}", "{\"a\"}", "rate(a)", "a b", "sum by (a"]
        {
            assert!(parse(query).is_err(), "{query}");
        }
        assert!(parse(&"(".repeat(5000)).is_err());
    }

    #[test]
    fn places_are_those_of_the_text() {
        let query = "sum by (le) (rate(a{x=\"1\"}[5m] offset 1m)) / 2";
        let mut found = Vec::new();
        parse(query).expect("a query").walk(&mut |expr| found.extend(query.get(expr.at.clone())));
        assert_eq!(
            found,
            [
                query,
                "sum by (le) (rate(a{x=\"1\"}[5m] offset 1m))",
                "rate(a{x=\"1\"}[5m] offset 1m)",
                "a{x=\"1\"}[5m] offset 1m",
                "2",
            ]
        );
    }
}
