//! Grafana's variables inside queries.
//!
//! `$x`, `${x:regex}`, `[[x]]` and `$__rate_interval` are no `PromQL`. Each is masked by something of the same length that is, so that a
//! place in the masked query is the same place in the real one, and nothing has to be put back.

use std::ops::Range;

/// A query that a `PromQL` reader can read, and where variables are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Masked {
    pub(super) query: String,
    pub(super) variables: Vec<Range<usize>>,
}

impl Masked {
    /// A query without variables.
    pub(super) fn plain(query: &str) -> Masked {
        Masked { query: query.to_owned(), variables: Vec::new() }
    }

    /// Masks all variables outside quotes; inside, they are text like any other.
    pub(super) fn new(query: &str) -> Masked {
        let (mut masked, mut variables) = (String::with_capacity(query.len()), Vec::new());
        let mut state = State::default();
        let mut at = 0;
        while let Some(rest) = query.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some(len) = variable(rest).filter(|_| state.quote.is_none()) {
                let behind = query.get(at + len..).unwrap_or_default();
                masked.push_str(&state.mask(&masked, behind, len));
                variables.push(at..at + len);
                at += len;
            } else {
                let c = rest.chars().next().unwrap_or_default();
                state.pass(c, &masked);
                masked.push(c);
                at += c.len_utf8();
            }
        }
        Masked { query: masked, variables }
    }

    /// Whether a place has a variable in it.
    pub(super) fn has_variable(&self, at: &Range<usize>) -> bool {
        self.variables.iter().any(|its| its.start < at.end && at.start < its.end)
    }
}

/// Whether a text has a variable in it.
pub(super) fn contains_variable(text: &str) -> bool {
    text.char_indices().any(|(at, _)| text.get(at..).and_then(variable).is_some())
}

/// The length of the variable that a text begins with.
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
    if let Some(inner) = text.strip_prefix("[[") {
        let len = word(inner)?;
        let behind = inner.get(len..)?;
        let format = if behind.starts_with(':') { behind.find("]]")? } else { 0 };
        return behind.get(format..)?.starts_with("]]").then_some(len + format + 4);
    }
    text.strip_prefix('$').and_then(word).map(|len| len + 1)
}

#[derive(Default)]
struct State {
    quote: Option<char>,
    escaped: bool,
    brackets: usize,
    /// Open parentheses, and whether each holds label names.
    parens: Vec<bool>,
}

impl State {
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
        match c {
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

    /// Something of the same length that may stand here.
    fn mask(&self, before: &str, behind: &str, len: usize) -> String {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        if self.brackets > 0 || last_word(before).eq_ignore_ascii_case("offset") {
            // A duration, unless its unit follows.
            return if behind.starts_with(|c: char| c.is_ascii_alphabetic()) {
                format!("{:0>len$}", "1")
            } else {
                format!("{:0>len$}", "1s")
            };
        }
        let part = before.ends_with(is_word) || behind.starts_with(is_word);
        let named = behind.trim_start().starts_with(['{', '[', '(', '=', '!']) && !part;
        let compared =
            behind.trim_start().starts_with(['=', '!']) && before.trim_end().ends_with(['{', ',']);
        let label = self.parens.last() == Some(&true);
        if part || label || compared || (named && !behind.trim_start().starts_with(['=', '!'])) {
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
    fn masked_queries_are_queries_of_the_same_length() {
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
        ] {
            let masked = Masked::new(query);
            assert_eq!(masked.query.len(), query.len(), "{query}");
            assert!(!masked.variables.is_empty(), "{query}");
            if let Err(error) = promql::parse(&masked.query) {
                panic!("{query} became {}: {error}", masked.query);
            }
        }
    }

    #[test]
    fn what_is_no_variable_stays() {
        for query in [
            "a{b=~\"x$\"}",
            "label_replace(a, \"b\", \"$1\", \"c\", \"(.*)\")",
            "a[5m]",
            "a{b=\"$x\"}",
        ] {
            assert_eq!(Masked::new(query), Masked::plain(query));
        }
        assert!(
            contains_variable("a|$x") && contains_variable("[[x]]") && contains_variable("${x}")
        );
        assert!(
            !contains_variable("a$|b") && !contains_variable("$1") && !contains_variable("[a-z]")
        );
    }
}
