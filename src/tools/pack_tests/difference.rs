//! The difference between expected and actual lines.

use std::fmt;

/// Expected lines that are missing, and actual lines that were not expected.
#[derive(Debug, Default)]
pub struct Difference {
    lines: Vec<(Side, String)>,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Expected,
    Actual,
}

/// Maximum number of lines in the text.
const SHOWN: usize = 30;

impl Difference {
    /// Compares lines in order, and returns all lines from the first to the last difference. `None`
    /// if all are equal.
    pub(super) fn of_lines(expected: &[u8], actual: &[u8]) -> Option<Difference> {
        let split = |text: &[u8]| -> Vec<String> {
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| line.escape_ascii().to_string().replace("\\\"", "\"")).collect()
        };
        let (expected, actual) = (split(expected), split(actual));
        let alike = |pairs: &mut dyn Iterator<Item = (&String, &String)>| {
            pairs.take_while(|(a, b)| a == b).count()
        };
        let head = alike(&mut expected.iter().zip(&actual));
        let (expected, actual) = (&expected[head..], &actual[head..]);
        let tail = alike(&mut expected.iter().rev().zip(actual.iter().rev()));
        let (expected, actual) =
            (&expected[..expected.len() - tail], &actual[..actual.len() - tail]);
        let mut difference = Difference::default();
        for line in expected {
            difference.missing(line.clone());
        }
        for line in actual {
            difference.unexpected(line.clone());
        }
        difference.is_any().then_some(difference)
    }

    pub(super) fn missing(&mut self, line: String) {
        self.lines.push((Side::Expected, line));
    }

    pub(super) fn unexpected(&mut self, line: String) {
        self.lines.push((Side::Actual, line));
    }

    pub(super) fn is_any(&self) -> bool {
        !self.lines.is_empty()
    }
}

/// `- ` for expected lines, `+ ` for actual lines.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (side, line) in self.lines.iter().take(SHOWN) {
            let mark = match side {
                Side::Expected => '-',
                Side::Actual => '+',
            };
            writeln!(f, "{mark} {line}")?;
        }
        match self.lines.len().checked_sub(SHOWN) {
            Some(more) if more > 0 => writeln!(f, "… and {more} more"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_compared_in_their_order() {
        let of = |a: &str, b: &str| {
            Difference::of_lines(a.as_bytes(), b.as_bytes())
                .map(|it| it.to_string())
                .unwrap_or_default()
        };
        assert_eq!(of("a\nb\n", "a\n\nb"), "");
        assert_eq!(of("a\nb\nc\n", "a\nx\nc"), "- b\n+ x\n");
        assert_eq!(of("a\nb\n", "b\na\n"), "- a\n- b\n+ b\n+ a\n");
        assert_eq!(of("a\n", "a\na\n"), "+ a\n");
        assert_eq!(of("", &"x\n".repeat(40)).lines().last(), Some("… and 10 more"));
    }
}
