//! Queries of template variables.

use std::ops::Range;

/// What a variable asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// `label_values(selector, label)`.
    Values { selector: Range<usize>, label: Range<usize> },
    /// `query_result(query)`, or a query alone.
    Result(Range<usize>),
    /// `metrics(pattern)`: names of families.
    Names(Range<usize>),
    /// Something that names no family.
    Nothing,
}

/// Takes a variable's query apart.
pub(super) fn asks(query: &str) -> Asks {
    let start = query.len() - query.trim_start().len();
    let end = query.trim_end().len();
    let inside = |function: &str| -> Option<Range<usize>> {
        let rest = query.get(start..end)?.strip_prefix(function)?.trim_start();
        let rest = rest.strip_prefix('(')?.strip_suffix(')')?;
        Some(trimmed(query, end - 1 - rest.len()..end - 1))
    };
    if let Some(inner) = inside("label_values") {
        return match last_comma(query, &inner) {
            Some(comma) => Asks::Values {
                selector: trimmed(query, inner.start..comma),
                label: trimmed(query, comma + 1..inner.end),
            },
            None => Asks::Nothing,
        };
    }
    if let Some(inner) = inside("query_result") {
        return Asks::Result(inner);
    }
    if let Some(inner) = inside("metrics") {
        return Asks::Names(inner);
    }
    if inside("label_names").is_some() {
        return Asks::Nothing;
    }
    Asks::Result(start..end)
}

fn trimmed(text: &str, at: Range<usize>) -> Range<usize> {
    let inner = text.get(at.clone()).unwrap_or_default();
    let start = at.start + inner.len() - inner.trim_start().len();
    start..start + inner.trim().len()
}

/// The last comma that stands in no braces, parentheses or quotes.
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
    fn what_variables_ask() {
        let shown = |query: &'static str| {
            let text = |at: Range<usize>| query.get(at).unwrap_or_default();
            match asks(query) {
                Asks::Values { selector, label } => vec!["values", text(selector), text(label)],
                Asks::Result(at) => vec!["result", text(at)],
                Asks::Names(at) => vec!["names", text(at)],
                Asks::Nothing => vec!["nothing"],
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
            ("sum(a)", &["result", "sum(a)"]),
        ] {
            assert_eq!(shown(query), expected, "{query}");
        }
    }
}
