//! The words of a query: what white space separates outside of quotes.

/// Splits a query at white space, except in quotes. A quote that is not closed reaches to the end.
pub(in crate::tools::audit) fn words(query: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut escaped) = (None, None, false);
    for (at, c) in query.char_indices() {
        if let Some(open) = quote {
            if c == open && !escaped {
                quote = None;
            }
            escaped = c == '\\' && !escaped && open != '`';
            continue;
        }
        if c.is_whitespace() {
            words.extend(start.take().and_then(|start| query.get(start..at)));
            continue;
        }
        if matches!(c, '"' | '\'' | '`') {
            quote = Some(c);
        }
        start.get_or_insert(at);
    }
    words.extend(start.and_then(|start| query.get(start..)));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_keeps_its_white_space() {
        let query = "a {\n  b = \"c  d\\\"  e\",\n  f=`\\`\n} ";
        assert_eq!(words(query), ["a", "{", "b", "=", "\"c  d\\\"  e\",", "f=`\\`", "}"]);
        assert_eq!(words("a \"b  c"), ["a", "\"b  c"]);
        assert!(words(" \n").is_empty());
    }
}
