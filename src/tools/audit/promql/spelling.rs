//! Spellings of `PromQL` that `promql-parser` does not know.

use std::fmt::Write as _;

use super::tokens::{Token, TokenKind, string_value};

/// The query as `promql-parser` reads it: strings in double quotes, names in quotes as matchers of
/// `__name__`, numbers without underscores. It means the same, but its offsets differ.
pub(super) fn common_spelling(query: &str, tokens: &[Token]) -> Option<String> {
    let mut text = String::with_capacity(query.len());
    let mut from = 0;
    let sign = |index: Option<usize>, signs: &[&str]| {
        let token = index.and_then(|index| tokens.get(index));
        token.and_then(|it| query.get(it.at.clone())).is_some_and(|it| signs.contains(&it))
    };
    for (index, token) in tokens.iter().enumerate() {
        text.push_str(query.get(from..token.at.start)?);
        from = token.at.end;
        let written = query.get(token.at.clone())?;
        match token.kind {
            TokenKind::String => {
                let is_name = sign(index.checked_sub(1), &["{", ","])
                    && sign(Some(index + 1), &["}", ","])
                    && is_in_braces(query, tokens, index);
                if is_name {
                    text.push_str("__name__=");
                }
                if written.starts_with('`') {
                    write!(text, "{:?}", string_value(written)?).ok()?;
                } else {
                    text.push_str(written);
                }
            }
            TokenKind::Number => text.push_str(&written.replace('_', "")),
            TokenKind::Word | TokenKind::Sign => text.push_str(written),
        }
    }
    text.push_str(query.get(from..)?);
    Some(text)
}

/// True if the nearest bracket that is open before a token is a brace.
fn is_in_braces(query: &str, tokens: &[Token], index: usize) -> bool {
    let before = tokens.get(..index).unwrap_or_default().iter().rev();
    let mut signs = before.filter(|it| it.kind == TokenKind::Sign);
    let bracket = signs.find_map(|it| match query.get(it.at.clone())? {
        "{" => Some(true),
        "}" | "(" | ")" => Some(false),
        _ => None,
    });
    bracket == Some(true)
}
