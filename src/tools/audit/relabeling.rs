//! Relabeling rules of metrics, and the parts of their patterns.

/// A relabeling rule that is applied to series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Relabeling {
    /// The line of the file, from 1.
    pub(super) line: usize,
    /// The name of the job or the like.
    pub(super) title: String,
    /// The action, in lower case.
    pub(super) action: String,
    pub(super) sources: Vec<String>,
    pub(super) separator: String,
    pub(super) pattern: String,
    /// The label that it writes.
    pub(super) target: Option<String>,
}

impl Relabeling {
    /// True if it selects labels by name.
    pub(super) fn is_of_labels(&self) -> bool {
        ["labeldrop", "labelkeep", "labelmap"].contains(&self.action.as_str())
    }

    /// The rule, for people.
    pub(super) fn shown(&self) -> String {
        let pattern = &self.pattern;
        if self.sources.is_empty() {
            return format!("{} {pattern}", self.action);
        }
        format!("{} {} =~ {pattern}", self.action, self.sources.join(&self.separator))
    }

    /// The pattern as alternatives, each with one pattern for each source label. `None` if it cannot
    /// be divided.
    pub(super) fn parts(&self) -> Option<Vec<Vec<&str>>> {
        if self.sources.len() == 1 {
            return Some(vec![vec![self.pattern.as_str()]]);
        }
        let is_any = |pattern: &str| ["(.*)", ".*"].contains(&pattern);
        if is_any(&self.pattern) {
            return Some(vec![vec![".*"; self.sources.len()]]);
        }
        let alternatives = split(outer(&self.pattern), "|")?;
        let alternatives = alternatives.into_iter().map(|it| {
            let parts = split(it, &self.separator)?;
            (parts.len() == self.sources.len()).then_some(parts)
        });
        alternatives.collect()
    }
}

/// A pattern without a group around all of it.
fn outer(pattern: &str) -> &str {
    let inner = pattern.strip_prefix("(?:").or_else(|| pattern.strip_prefix('('));
    match inner.and_then(|it| it.strip_suffix(')')) {
        Some(inner) if !inner.starts_with('?') && split(inner, "|").is_some() => inner,
        _ => pattern,
    }
}

/// The parts of a pattern between separators outside of groups and classes. `None` if groups do not
/// match.
fn split<'a>(pattern: &'a str, separator: &str) -> Option<Vec<&'a str>> {
    if separator.is_empty() {
        return None;
    }
    let (mut parts, mut from, mut at, mut depth) = (Vec::new(), 0, 0, 0_usize);
    let mut in_class = false;
    while let Some(rest) = pattern.get(at..).filter(|rest| !rest.is_empty()) {
        if depth == 0 && !in_class && rest.starts_with(separator) {
            parts.push(pattern.get(from..at)?);
            at += separator.len();
            from = at;
            continue;
        }
        let c = rest.chars().next()?;
        match c {
            '\\' => at += rest.chars().nth(1).map_or(0, char::len_utf8),
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += c.len_utf8();
    }
    parts.push(pattern.get(from..)?);
    (depth == 0).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_divided_by_source_label() {
        let parts = |pattern: &str, sources: usize| {
            let relabeling = Relabeling {
                sources: vec!["a".to_owned(); sources],
                separator: ";".to_owned(),
                pattern: pattern.to_owned(),
                ..Relabeling::default()
            };
            let parts = relabeling.parts()?;
            Some(parts.into_iter().map(|it| it.join(" ")).collect::<Vec<_>>().join(" or "))
        };
        for (pattern, sources, expected) in [
            ("a;b", 1, Some("a;b")),
            ("a;b", 2, Some("a b")),
            ("(a|b);[;)]c", 2, Some("(a|b) [;)]c")),
            ("a;b|c;d", 2, Some("a b or c d")),
            ("(a;b|c;d)", 2, Some("a b or c d")),
            ("(?:a;b)", 2, Some("a b")),
            ("(a);(b)", 2, Some("(a) (b)")),
            ("a\\;b;c", 2, Some("a\\;b c")),
            ("(.*)", 2, Some(".* .*")),
            ("a;b", 3, None),
            ("a.*b", 2, None),
            ("(a;)b", 2, None),
            ("a);(b", 2, None),
        ] {
            assert_eq!(parts(pattern, sources).as_deref(), expected, "{pattern}");
        }
    }
}
