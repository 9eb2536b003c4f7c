//! Template variables of Grafana in queries.
//!
//! `$x`, `${x:regex}`, `[[x]]` and `$__rate_interval` are not `PromQL`. Each is replaced by valid
//! `PromQL` of the same length, so that an offset in the masked query is the same offset in the
//! original.

use std::ops::Range;

/// A query whose variables are replaced by `PromQL` of the same length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MaskedQuery {
    /// The query with masks.
    pub(super) text: String,
    /// Where the variables are.
    pub(super) variables: Vec<Range<usize>>,
    /// The query may contain variables.
    pub(super) is_templated: bool,
}

impl MaskedQuery {
    /// A query in which `$` has no special meaning.
    pub(super) fn plain(query: &str) -> MaskedQuery {
        MaskedQuery { text: query.to_owned(), variables: Vec::new(), is_templated: false }
    }

    /// Masks all variables outside of quotes. In quotes they are valid `PromQL` already.
    pub(super) fn templated(query: &str) -> MaskedQuery {
        let (mut masked, mut variables) = (String::with_capacity(query.len()), Vec::new());
        let mut state = MaskState::default();
        let mut at = 0;
        while let Some(rest) = query.get(at..).filter(|rest| !rest.is_empty()) {
            let is_code = state.quote.is_none() && !state.comment;
            if let Some(len) = variable(rest).filter(|_| is_code) {
                let after = query.get(at + len..).unwrap_or_default();
                masked.push_str(&state.mask(&masked, after, len));
                variables.push(at..at + len);
                at += len;
            } else {
                let c = rest.chars().next().unwrap_or_default();
                state.pass(c, &masked);
                masked.push(c);
                at += c.len_utf8();
            }
        }
        MaskedQuery { text: masked, variables, is_templated: true }
    }

    /// True if a range overlaps a variable.
    pub(super) fn has_variable(&self, at: &Range<usize>) -> bool {
        self.variables.iter().any(|its| its.start < at.end && at.start < its.end)
    }
}

/// True if a text contains a variable.
pub(super) fn contains_variable(text: &str) -> bool {
    text.char_indices().any(|(at, _)| text.get(at..).and_then(variable).is_some())
}

/// The parts of a text before, between and after its variables.
pub(super) fn parts_around_variables(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(len) = variable(rest) {
            parts.extend(text.get(from..at));
            at += len;
            from = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    parts.extend(text.get(from..));
    parts
}

/// The length of the variable at the beginning of a text.
fn variable(text: &str) -> Option<usize> {
    let word = |text: &str| {
        let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let part = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        first.then(|| text.chars().take_while(part).count())
    };
    if let Some(inner) = text.strip_prefix("${") {
        let len = inner.find('}')?;
        return inner.get(..len).and_then(word).map(|_| len + 3);
    }
    // The templates of other tools, such as `[{{.window}}]`.
    if text.starts_with("{{") {
        return text.find("}}").map(|len| len + 2);
    }
    if let Some(inner) = text.strip_prefix("[[") {
        let len = word(inner)?;
        let after = inner.get(len..)?;
        let format = if after.starts_with(':') { after.find("]]")? } else { 0 };
        return after.get(format..)?.starts_with("]]").then_some(len + format + 4);
    }
    text.strip_prefix('$').and_then(word).map(|len| len + 1)
}

#[derive(Default)]
struct MaskState {
    quote: Option<char>,
    escaped: bool,
    /// After `#`, to the end of the line.
    comment: bool,
    in_braces: bool,
    brackets: usize,
    /// Open parentheses, and whether each holds label names.
    parens: Vec<bool>,
}

impl MaskState {
    fn pass(&mut self, c: char, before: &str) {
        if let Some(quote) = self.quote {
            if self.escaped {
                self.escaped = false;
            } else if c == '\\' && quote != '`' {
                self.escaped = true;
            } else if c == quote {
                self.quote = None;
            }
            return;
        }
        if self.comment {
            self.comment = c != '\n';
            return;
        }
        match c {
            '#' => self.comment = true,
            '{' | '}' => self.in_braces = c == '{',
            '"' | '\'' | '`' => self.quote = Some(c),
            '[' => self.brackets += 1,
            ']' => self.brackets = self.brackets.saturating_sub(1),
            '(' => {
                let word = last_word(before);
                let lists = ["by", "without", "on", "ignoring", "group_left", "group_right"];
                self.parens.push(lists.contains(&word.to_ascii_lowercase().as_str()));
            }
            ')' => {
                self.parens.pop();
            }
            _ => {}
        }
    }

    /// `PromQL` of length `len` that is valid between `before` and `after`.
    fn mask(&self, before: &str, after: &str, len: usize) -> String {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        if self.brackets > 0 || last_word(before).eq_ignore_ascii_case("offset") {
            // A duration, or its number if the unit follows.
            return if after.starts_with(|c: char| c.is_ascii_alphabetic()) {
                format!("{:0>len$}", "1")
            } else {
                format!("{:0>len$}", "1s")
            };
        }
        let part = before.ends_with(is_word) || after.starts_with(is_word);
        let next = after.trim_start();
        // A whole matcher.
        if self.in_braces && !part && (next.starts_with([',', '}'])) && len > 3 {
            return format!("{}=\"\"", "v".repeat(len - 3));
        }
        // The name of a function.
        if next.starts_with('(') && !part && !self.in_braces && len > 1 {
            return format!("{:<len$}", if len > 2 { "abs" } else { "ln" });
        }
        let named = next.starts_with(['{', '[', '(', '=', '!']) && !part;
        let compared = next.starts_with(['=', '!']) && before.trim_end().ends_with(['{', ',']);
        let label = self.parens.last() == Some(&true);
        if part || label || compared || (named && !next.starts_with(['=', '!'])) {
            return "v".repeat(len);
        }
        "1".repeat(len)
    }
}

fn last_word(text: &str) -> &str {
    let text = text.trim_end();
    text.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::audit::promql;

    #[test]
    fn masked_queries_are_valid_and_have_the_same_length() {
        for query in [
            "rate(a{x=~\"$x\",y=\"${y:regex}\"}[$__rate_interval])",
            "rate(a[$x] offset $y)",
            "rate(a[[[interval]]])",
            "max_over_time(a[$__range:${step}])",
            "sum(a) by ($label, b) > $threshold",
            "sum by ([[label:csv]]) (a)",
            "topk($n, a)",
            "kong_$what{$label=\"1\"}",
            "$metric{x=\"y\"} / 2",
            "rate($metric[5m])",
            "rate(a[${__range_s}s]) == $__to",
            "histogram_quantile(0.$q, a)",
            "# it's $x\nrate(a[$x])",
            "a{b=~\"5..\",$filter}",
            "$agg(rate(a[5m]))",
            "rate(a[{{.window}}])",
        ] {
            let masked = MaskedQuery::templated(query);
            assert_eq!(masked.text.len(), query.len(), "{query}");
            assert!(!masked.variables.is_empty(), "{query}");
            if let Err(error) = promql::parse(&masked.text) {
                panic!("{query} became {}: {error}", masked.text);
            }
        }
    }

    #[test]
    fn other_text_is_not_masked() {
        for query in [
            "a{b=~\"x$\"}",
            "label_replace(a, \"b\", \"$1\", \"c\", \"(.*)\")",
            "a[5m]",
            "a{b=\"$x\"}",
        ] {
            assert_eq!(MaskedQuery::templated(query).text, query);
        }
        assert!(
            contains_variable("a|$x") && contains_variable("[[x]]") && contains_variable("${x}")
        );
        assert_eq!(parts_around_variables("a_${x}_é[[y]]$z"), ["a_", "_é", "", ""]);
        assert_eq!(parts_around_variables("a$1"), ["a$1"]);
        assert!(
            !contains_variable("a$|b") && !contains_variable("$1") && !contains_variable("[a-z]")
        );
    }
}
