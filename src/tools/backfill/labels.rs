//! The name and the labels of a series, as text of an exposition.

use crate::exposition::{
    Format, Scan, Scanner, parse_number, write_escaped, write_number, write_value,
};

/// A series has at most this many labels. Prometheus accepts any number.
pub(super) const MAX_LABELS: usize = 1_000;

/// Labels with their values.
pub(super) type Labels = Vec<(Box<[u8]>, Box<[u8]>)>;

/// Names and values are spelled as in an exposition: values escaped, names in quotes where they need
/// them. Labels are sorted by name, and none is empty, so equal series are equal text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LabelSet {
    pub(super) name: Box<[u8]>,
    pub(super) labels: Labels,
}

impl LabelSet {
    /// The name and the labels of the sample that a scanner has read.
    pub(super) fn of_sample(scanner: &Scanner, line: &[u8]) -> LabelSet {
        let name = scanner.name().of(line);
        let mut set = LabelSet { name: spelled(name, true), labels: Vec::new() };
        for label in scanner.labels() {
            let mut value = Vec::new();
            write_value(label.value.of(line), &mut value);
            set.labels.push((label.name.of(line).into(), value.into()));
        }
        set.normalized()
    }

    /// Reads what [`text`](Self::text) has written.
    pub(super) fn from_text(text: &[u8]) -> LabelSet {
        let line = [text, b" 0\n"].concat();
        let mut scanner = Scanner::new(line.len(), MAX_LABELS, Format::Text);
        match scanner.scan(&line) {
            Scan::Sample(_) => LabelSet::of_sample(&scanner, &line),
            _ => LabelSet::default(),
        }
    }

    /// Labels with texts as people see them, of which `__name__` is the name.
    pub(super) fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> LabelSet {
        let mut set = LabelSet::default();
        for (name, value) in pairs {
            if name == "__name__" {
                set.name = spelled(value.as_bytes(), true);
                continue;
            }
            let mut escaped = Vec::new();
            write_escaped(value.as_bytes(), &mut escaped);
            set.labels.push((spelled(name.as_bytes(), false), escaped.into()));
        }
        set.normalized()
    }

    fn normalized(mut self) -> LabelSet {
        self.labels.retain(|(_, value)| !value.is_empty());
        self.labels.sort_unstable();
        self
    }

    /// The value of a label. Empty if there is none.
    pub(super) fn get(&self, label: &[u8]) -> &[u8] {
        let found = self.labels.iter().find(|(name, _)| &**name == label);
        found.map_or(b"", |(_, value)| value)
    }

    /// The same series with its boundary or quantile in the shortest spelling, if that is another one.
    pub(super) fn with_canonical_number(&self) -> Option<LabelSet> {
        let is_number = |name: &[u8]| matches!(name, b"le" | b"quantile");
        let index = self.labels.iter().position(|(name, _)| is_number(name))?;
        let value = &self.labels[index].1;
        let mut canonical = Vec::new();
        write_number(parse_number(value)?, &mut canonical);
        if *canonical == **value {
            return None;
        }
        let mut set = self.clone();
        set.labels[index].1 = canonical.into();
        Some(set)
    }

    /// The series as in a line of an exposition.
    pub(super) fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let is_quoted = self.name.starts_with(b"\"");
        if !is_quoted {
            text.extend_from_slice(&self.name);
        }
        if is_quoted || !self.labels.is_empty() {
            text.push(b'{');
        }
        let first = if is_quoted { Some((&self.name[..], None)) } else { None };
        let labels = self.labels.iter().map(|(name, value)| (&name[..], Some(value)));
        for (index, (name, value)) in first.into_iter().chain(labels).enumerate() {
            if index > 0 {
                text.push(b',');
            }
            text.extend_from_slice(name);
            if let Some(value) = value {
                text.extend_from_slice(b"=\"");
                text.extend_from_slice(value);
                text.push(b'"');
            }
        }
        if is_quoted || !self.labels.is_empty() {
            text.push(b'}');
        }
        text
    }
}

/// A name, with quotes unless every reader accepts it without.
fn spelled(name: &[u8], is_metric: bool) -> Box<[u8]> {
    let is_legal = |(index, byte): (usize, &u8)| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'_' => true,
        b'0'..=b'9' => index > 0,
        b':' => is_metric,
        _ => false,
    };
    if !name.is_empty() && name.iter().enumerate().all(is_legal) {
        return name.into();
    }
    let mut quoted = vec![b'"'];
    write_value(name, &mut quoted);
    quoted.push(b'"');
    quoted.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> LabelSet {
        let mut scanner = Scanner::new(1_000, 10, Format::Text);
        let line = format!("{line} 1\n");
        assert!(matches!(scanner.scan(line.as_bytes()), Scan::Sample(_)), "{line}");
        LabelSet::of_sample(&scanner, line.as_bytes())
    }

    #[test]
    fn equal_series_are_equal_text() {
        for (line, expected) in [
            ("up", "up"),
            ("up{}", "up"),
            (r#"a{b="2",a="1",c=""}"#, r#"a{a="1",b="2"}"#),
            (r#"a{ b = "x\q" , }"#, r#"a{b="x\\q"}"#),
            (r#"{"a.b",c="1"}"#, r#"{"a.b",c="1"}"#),
            (r#"{c="1","a_b","c.d"="2"}"#, r#"a_b{"c.d"="2",c="1"}"#),
        ] {
            let set = read(line);
            assert_eq!(String::from_utf8(set.text()).unwrap(), expected);
            assert_eq!(read(expected), set, "{expected}");
        }
        let pairs = [("b", "x\"\\\n"), ("__name__", "a"), ("empty", ""), ("a", "1")];
        let set = LabelSet::from_pairs(pairs);
        assert_eq!(String::from_utf8(set.text()).unwrap(), r#"a{a="1",b="x\"\\\n"}"#);
        assert_eq!(read(r#"a{b="x\"\\\n",a="1"}"#), set);
        assert_eq!((set.get(b"a"), set.get(b"z")), (&b"1"[..], &b""[..]));
    }
}
