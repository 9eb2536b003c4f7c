//! Whether a label matcher matches a value.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;

use super::promql::Matcher;
use super::template_vars::contains_variable;

/// Whether a matcher matches a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    Yes,
    No,
    /// The matcher contains a template variable, or a regular expression that cannot be parsed.
    Unknown,
}

/// Whether all matchers of one label match a value.
pub(super) fn all_match(matchers: &[&Matcher], value: &str, templated: bool) -> Match {
    let mut unknown = false;
    for matcher in matchers {
        match matches(matcher, value, templated) {
            Match::No => return Match::No,
            Match::Unknown => unknown = true,
            Match::Yes => {}
        }
    }
    if unknown { Match::Unknown } else { Match::Yes }
}

/// Whether a matcher matches a value. As in Prometheus, regular expressions are anchored at both
/// ends. `templated` says whether `$x` is a template variable.
pub(super) fn matches(matcher: &Matcher, value: &str, templated: bool) -> Match {
    if templated && contains_variable(&matcher.value) {
        return Match::Unknown;
    }
    let yes = match matcher.op {
        "=" => matcher.value == value,
        "!=" => matcher.value != value,
        op => match is_match(&matcher.value, value) {
            Some(is_match) => is_match == (op == "=~"),
            None => return Match::Unknown,
        },
    };
    if yes { Match::Yes } else { Match::No }
}

/// Maximum number of regular expressions that are kept.
const MAX_COMPILED: usize = 1024;

thread_local! {
    /// Regular expressions by their text; `None` if one cannot be parsed. Files repeat a few of them
    /// in thousands of queries, and each is matched against many values.
    static COMPILED: RefCell<HashMap<String, Option<Regex>>> = RefCell::default();
}

/// Whether a regular expression matches a whole value; `None` if it cannot be parsed.
fn is_match(pattern: &str, value: &str) -> Option<bool> {
    COMPILED.with_borrow_mut(|compiled| {
        if !compiled.contains_key(pattern) {
            if compiled.len() == MAX_COMPILED {
                compiled.clear();
            }
            let regex = Regex::new(&format!("^(?s:{pattern})$")).ok();
            compiled.insert(pattern.to_owned(), regex);
        }
        Some(compiled.get(pattern)?.as_ref()?.is_match(value))
    })
}

/// True for `label=~".*"`.
pub(super) fn matches_everything(matcher: &Matcher, templated: bool) -> bool {
    matcher.op == "=~" && matcher.value == ".*" && matches(matcher, "", templated) == Match::Yes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_match_as_in_prometheus() {
        for (op, pattern, value, expected) in [
            ("=", "a", "a", Match::Yes),
            ("=~", "a", "ab", Match::No), // anchored
            ("=~", "a|b.*", "bcd", Match::Yes),
            ("!~", "a|b", "c", Match::Yes),
            ("!=", "", "", Match::No),
            ("=~", ".*", "", Match::Yes),
            ("=~", "$x", "a", Match::Unknown),
            ("=~", "(", "a", Match::Unknown),
            ("=~", "a$", "a", Match::Yes),
        ] {
            let matcher = Matcher { at: 0..0, label: 0..0, op, value: pattern.to_owned() };
            assert_eq!(matches(&matcher, value, true), expected, "{op} {pattern} {value}");
        }
    }
}
