//! Parses `PromQL` with two parsers that must agree, and keeps the byte range of every part.

mod ast;
mod signature;
mod spelling;
mod tokens;
mod tree;
mod words;

pub(super) use ast::{
    Aggregate, Binary, Expr, LabelList, Matcher, Node, Selector, keeps_name, precedence,
};
pub(super) use words::words;

use signature::Signature;

/// Maximum number of brackets and signs of one query. `promql-parser` recurses for each of them.
const MAX_BRACKETS: usize = 1000;

/// Parses a query.
///
/// # Errors
///
/// The message of `promql-parser`, or that the two parsers disagree.
pub(super) fn parse(query: &str) -> Result<Expr, String> {
    const DISAGREE: &str = "two PromQL parsers disagree about it";
    if query.bytes().filter(|byte| matches!(byte, b'(' | b'-' | b'+')).count() > MAX_BRACKETS {
        return Err("it is nested too deeply".to_owned());
    }
    let tokens = tokens::tokenize(query).ok_or("a string is not terminated")?;
    let common = spelling::common_spelling(query, &tokens).ok_or(DISAGREE)?;
    let parsed = promql_parser::parser::parse(&common)?;
    let tree = tree::parse_tree(query, tokens).ok_or(DISAGREE)?;
    if Signature::of_parsed(&parsed) == Signature::of_tree(query, &tree) {
        Ok(tree)
    } else {
        Err(DISAGREE.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parsers_agree_on_queries() {
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
            "sum By (x) (a{b=~`c\\.d`, e=`\"`}) > 1_000",
            "sum(rate({\"a\", b='c'}[5m])) + {`a:b`} * {b='c', 'a'}",
            "{__name__=\"a\",b=\"c\"} + count by (__name__) ({__name__=~\".+\"})",
        ] {
            if let Err(error) = parse(query) {
                panic!("{query}: {error}");
            }
        }
    }

    #[test]
    fn invalid_and_unsupported_queries_are_refused() {
        for query in [
            "",
            "sum(",
            "a{b=\"c\" or b=\"d\"}",
            "a{b}",
            "{\"a b\"}",
            "rate(a)",
            "a b",
            "sum by (a",
        ] {
            assert!(parse(query).is_err(), "{query}");
        }
        assert!(parse(&"(".repeat(5000)).is_err());
    }

    #[test]
    fn ranges_are_bytes_of_the_query() {
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
