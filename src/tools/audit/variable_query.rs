//! Queries of Grafana's template variables.

use std::ops::Range;

/// The query of a template variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum VariableQuery {
    /// `label_values(selector, label)`.
    LabelValues { selector: Range<usize>, label: Range<usize> },
    /// `query_result(query)`: the samples of the result, as text.
    QueryResult(Range<usize>),
    /// A selector alone: the series, as text.
    Series(Range<usize>),
    /// `metrics(pattern)`: the names of families.
    Metrics(Range<usize>),
    /// A query that names no family.
    Other,
}

impl VariableQuery {
    /// Finds the parts of a query.
    pub(super) fn parse(query: &str) -> VariableQuery {
        let start = query.len() - query.trim_start().len();
        let end = query.trim_end().len();
        let inside = |function: &str| -> Option<Range<usize>> {
            let rest = query.get(start..end)?.strip_prefix(function)?.trim_start();
            let rest = rest.strip_prefix('(')?.strip_suffix(')')?;
            Some(trimmed(query, end - 1 - rest.len()..end - 1))
        };
        if let Some(inner) = inside("label_values") {
            return match last_comma(query, &inner) {
                Some(comma) => VariableQuery::LabelValues {
                    selector: trimmed(query, inner.start..comma),
                    label: trimmed(query, comma + 1..inner.end),
                },
                None => VariableQuery::Other,
            };
        }
        if let Some(inner) = inside("query_result") {
            return VariableQuery::QueryResult(inner);
        }
        if let Some(inner) = inside("metrics") {
            return VariableQuery::Metrics(inner);
        }
        if inside("label_names").is_some() {
            return VariableQuery::Other;
        }
        VariableQuery::Series(start..end)
    }
}

/// A range without the white space at its ends.
fn trimmed(text: &str, at: Range<usize>) -> Range<usize> {
    let inner = text.get(at.clone()).unwrap_or_default();
    let start = at.start + inner.len() - inner.trim_start().len();
    start..start + inner.trim().len()
}

/// The last comma outside of braces, parentheses and quotes.
fn last_comma(text: &str, at: &Range<usize>) -> Option<usize> {
    let (mut depth, mut quote, mut escaped, mut comma) = (0_usize, None, false, None);
    for (offset, byte) in text.get(at.clone())?.bytes().enumerate() {
        if let Some(open) = quote {
            if byte == open && !escaped {
                quote = None;
            }
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b'"' | b'\'' => quote = Some(byte),
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => comma = Some(at.start + offset),
            _ => {}
        }
    }
    comma
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_of_variables_are_parsed() {
        let shown = |query: &'static str| {
            let text = |at: Range<usize>| query.get(at).unwrap_or_default();
            match VariableQuery::parse(query) {
                VariableQuery::LabelValues { selector, label } => {
                    vec!["values", text(selector), text(label)]
                }
                VariableQuery::QueryResult(at) => vec!["result", text(at)],
                VariableQuery::Series(at) => vec!["series", text(at)],
                VariableQuery::Metrics(at) => vec!["names", text(at)],
                VariableQuery::Other => vec!["nothing"],
            }
        };
        for (query, expected) in [
            (
                "label_values(a{b=\"x,)\",c=~\"$d\"}, e)",
                &["values", "a{b=\"x,)\",c=~\"$d\"}", "e"][..],
            ),
            (" label_values( a , b ) ", &["values", "a", "b"]),
            ("label_values(instance)", &["nothing"]),
            ("query_result(sum(a) by (b))", &["result", "sum(a) by (b)"]),
            ("metrics(a_.*)", &["names", "a_.*"]),
            ("label_names()", &["nothing"]),
            (" a{b=\"c\"} ", &["series", "a{b=\"c\"}"]),
        ] {
            assert_eq!(shown(query), expected, "{query}");
        }
    }
}
