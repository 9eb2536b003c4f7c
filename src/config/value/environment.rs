//! References to environment variables in settings.

use std::fmt::Display;
use std::str::FromStr;

/// Parses a scalar of the settings file.
///
/// # Errors
///
/// What is wrong with it; the text itself is not quoted.
pub(in crate::config) fn parse_value<T>(text: &str) -> Result<T, String>
where
    T: FromStr,
    T::Err: Display,
{
    let text = expand(text, |name| std::env::var(name).ok())?;
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Replaces `${NAME}` and `${NAME:-default}`. `$${` is a literal `${`.
///
/// # Errors
///
/// A variable without a value and without a default, or a reference that does not end. An empty
/// text in its place would not be noticed until a scrape fails.
pub(super) fn expand(
    text: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        expanded.push_str(before);
        let (reference, after) =
            after.split_once('}').ok_or("`${` without `}`; write `$${` for a literal `${`")?;
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        let value = lookup(name).filter(|value| default.is_none() || !value.is_empty());
        match (value, default) {
            (Some(value), _) => expanded.push_str(&value),
            (None, Some(default)) => expanded.push_str(default),
            (None, None) => {
                return Err(format!(
                    "the environment has no variable `{name}`; set it, or write `${{{name}:-default}}`"
                ));
            }
        }
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// As [`expand`], with errors that quote neither the text nor the name of a variable.
pub(in crate::config) fn expand_secret(text: &str) -> Result<String, String> {
    let missing = std::cell::Cell::new(false);
    let lookup = |name: &str| {
        let value = std::env::var(name).ok();
        missing.set(value.is_none());
        value
    };
    // What looks like a variable's name may be a part of the secret.
    expand(text, lookup).map_err(|_| {
        if missing.get() {
            "the environment lacks a variable that this secret refers to; write `$${` for a literal `${`"
        } else {
            "this secret has `${` without `}`; write `$${` for a literal `${`"
        }
        .to_owned()
    })
}
