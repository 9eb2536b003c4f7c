//! Comment lines: `# HELP`, `# TYPE`, `# UNIT`, and all others.

use super::{Flaw, Format, MetricType, Span, is_name_byte, is_name_start};

/// A `# HELP`, `# TYPE` or `# UNIT` line. Spans are offsets in that line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Help, type or unit.
    pub kind: HeaderKind,
    /// The family's name.
    pub name: Span,
    /// The text after the name and one separator: the escaped help text, the type, or the unit.
    pub text: Span,
}

/// The kind of a header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderKind {
    /// `# HELP name text`
    Help,
    /// `# TYPE name type`
    Type(MetricType),
    /// `# UNIT name unit`. Only in `OpenMetrics`; elsewhere it is a comment.
    Unit,
}

impl Header {
    /// Whether Prometheus accepts the header in `OpenMetrics`, which is stricter than the text format:
    /// each part follows one space, `untyped` is no type, and a unit is a suffix of the name.
    ///
    /// `line` is the header, with or without its newline.
    #[must_use]
    pub fn is_valid_open_metrics(&self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let (name, text) = (self.name.of(line), self.text.of(line));
        // "# HELP ", and perhaps a quote.
        let name_at = b"# HELP ".len();
        let quotes = usize::from(line.get(name_at) == Some(&b'"'));
        let name_end = self.name.end() + quotes;
        self.name.start() == name_at + quotes
            && line.starts_with(b"# ")
            && line.get(name_at - 1) == Some(&b' ')
            && line.get(name_end) == Some(&b' ')
            && match self.kind {
                HeaderKind::Help => true,
                HeaderKind::Type(_) => text != b"untyped",
                HeaderKind::Unit => {
                    let rest = name.strip_suffix(text);
                    text.is_empty() || rest.is_some_and(|rest| rest.ends_with(b"_"))
                }
            }
    }
}

/// Parses a comment line without its newline; `hash` is the offset of its `#`.
///
/// Returns `Ok(None)` for an ordinary comment. A header is `#`, blanks, the keyword and another
/// blank: Prometheus ignores `#TYPE x` and a bare `# TYPE`, and refuses `# TYPE ` without a name.
pub(super) fn parse(line: &[u8], hash: usize, format: Format) -> Result<Option<Header>, Flaw> {
    let keyword_at = skip_blanks(line, hash + 1);
    let has_blank = keyword_at > hash + 1;
    // Prometheus treats some NULs as the end of the input and silently ignores the rest: those in a
    // comment without a blank, and one directly after the blanks.
    if line.get(keyword_at) == Some(&0) || !has_blank && line.contains(&0) {
        return Err(Flaw::BadHeader);
    }
    if !has_blank {
        return Ok(None);
    }
    let keyword = line.get(keyword_at..keyword_at + 4).unwrap_or_default();
    let is_unit = keyword == b"UNIT" && format == Format::OpenMetrics;
    if keyword != b"HELP" && keyword != b"TYPE" && !is_unit {
        return Ok(None);
    }
    let name_at = skip_blanks(line, keyword_at + 4);
    if name_at == keyword_at + 4 {
        return Ok(None);
    }
    let (name, end) = name(line, name_at).ok_or(Flaw::BadHeader)?;
    let text = Span::new((end + 1).min(line.len()), line.len());
    let kind = if keyword == b"TYPE" {
        HeaderKind::Type(MetricType::from_word(text.of(line), format).ok_or(Flaw::BadHeader)?)
    } else {
        if std::str::from_utf8(text.of(line)).is_err() {
            return Err(Flaw::BadUtf8);
        }
        if is_unit { HeaderKind::Unit } else { HeaderKind::Help }
    };
    Ok(Some(Header { kind, name, text }))
}

/// A plain or (since Prometheus 3) quoted metric name, and the offset after it.
fn name(line: &[u8], at: usize) -> Option<(Span, usize)> {
    if line.get(at) == Some(&b'"') {
        let mut end = at + 1;
        loop {
            match line.get(end)? {
                b'"' => return Some((Span::new(at + 1, end), end + 1)),
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
    }
    if !line.get(at).is_some_and(|&b| is_name_start(b)) {
        return None;
    }
    let length = line[at..].iter().take_while(|&&b| is_name_byte(b)).count();
    Some((Span::new(at, at + length), at + length))
}

fn skip_blanks(line: &[u8], from: usize) -> usize {
    from + line[from..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<(HeaderKind, &str, &str)>, Flaw> {
        let found = parse(line.as_bytes(), line.find('#').unwrap(), Format::Text)?;
        let text = |span: Span| std::str::from_utf8(span.of(line.as_bytes())).unwrap();
        Ok(found.map(|h| (h.kind, text(h.name), text(h.text))))
    }

    #[test]
    fn headers_and_comments_as_in_prometheus() {
        let help = HeaderKind::Help;
        let gauge = HeaderKind::Type(MetricType::Gauge);
        assert_eq!(read("# HELP a_b some \\n text"), Ok(Some((help, "a_b", "some \\n text"))));
        assert_eq!(read("#\tHELP  a"), Ok(Some((help, "a", ""))));
        assert_eq!(read("# TYPE a gauge"), Ok(Some((gauge, "a", "gauge"))));
        assert_eq!(read(" # TYPE\ta\tgauge"), Ok(Some((gauge, "a", "gauge"))));
        assert_eq!(read("# TYPE \"my.metric\" gauge"), Ok(Some((gauge, "my.metric", "gauge"))));
        assert_eq!(read(r#"# HELP "a\"b" c"#), Ok(Some((help, r#"a\"b"#, "c"))));
        assert_eq!(read(r#"# HELP "a\\" c"#), Ok(Some((help, r"a\\", "c"))));
        assert_eq!(read(r#"# HELP "a\" c"#), Err(Flaw::BadHeader)); // the name is not closed
        assert_eq!(read("#TYPE a gauge"), Ok(None)); // no blank: a comment
        assert_eq!(read("# TYPE"), Ok(None)); // no blank after it: a comment
        assert_eq!(read("# TYPEa gauge"), Ok(None));
        assert_eq!(read("# EOF"), Ok(None));
        assert_eq!(read("#"), Ok(None));
        assert_eq!(read("# a\0b"), Ok(None));
        assert_eq!(read("#a\0b"), Err(Flaw::BadHeader));
        assert_eq!(read("#  \0"), Err(Flaw::BadHeader));
        assert_eq!(read("# TYPE "), Err(Flaw::BadHeader));
        assert_eq!(read("# HELP {"), Err(Flaw::BadHeader));
        assert_eq!(read("# TYPE a"), Err(Flaw::BadHeader));
        assert_eq!(read("# TYPE a Counter"), Err(Flaw::BadHeader));
        assert_eq!(read("# TYPE a  counter"), Err(Flaw::BadHeader));
        assert_eq!(read("# TYPE a counter "), Err(Flaw::BadHeader));
        assert_eq!(read("# TYPE a unknown"), Err(Flaw::BadHeader));
        assert_eq!(parse(b"# HELP a caf\xe9", 0, Format::Text), Err(Flaw::BadUtf8));
    }
}
