//! Two texts side by side, with differing lines marked.

use std::collections::HashSet;

use serde::Serialize;

/// Most lines of one side that are shown.
const MAX_LINES: usize = 4_000;

/// Longest piece of a line that is shown.
const MAX_LINE_BYTES: usize = 2_000;

/// The input and the output.
#[derive(Debug, Serialize)]
pub(super) struct Diff {
    before: Side,
    after: Side,
}

/// The lines of one side that are shown.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    lines: Vec<Line>,
    /// Number of lines that match the filter, including those that are not shown.
    matching: usize,
    total: usize,
}

/// One line, and whether the other side lacks it.
#[derive(Debug, Serialize)]
struct Line {
    changed: bool,
    text: String,
}

impl Diff {
    /// Shows lines that contain `filter`. A different order of lines is not a difference.
    pub(super) fn new(before: &[u8], after: &[u8], filter: &str) -> Diff {
        let set = |text| lines(text).collect::<HashSet<&[u8]>>();
        let (old, new) = (set(before), set(after));
        Diff { before: Side::new(before, &new, filter), after: Side::new(after, &old, filter) }
    }
}

impl Side {
    fn new(text: &[u8], other: &HashSet<&[u8]>, filter: &str) -> Side {
        let finder = memchr::memmem::Finder::new(filter);
        let matching = || lines(text).filter(|line| finder.find(line).is_some());
        let line = |line: &[u8]| Line { changed: !other.contains(line), text: readable(line) };
        Side {
            lines: matching().take(MAX_LINES).map(line).collect(),
            matching: matching().count(),
            total: lines(text).count(),
        }
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// A line for display: bytes that are not UTF-8 are replaced, and a long line is cut.
fn readable(line: &[u8]) -> String {
    #[allow(clippy::disallowed_methods, reason = "for display only, nothing of it is forwarded")]
    let mut text = String::from_utf8_lossy(&line[..line.len().min(MAX_LINE_BYTES)]).into_owned();
    if line.len() > MAX_LINE_BYTES {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(side: &Side) -> Vec<(bool, &str)> {
        side.lines.iter().map(|line| (line.changed, line.text.as_str())).collect()
    }

    #[test]
    fn what_the_other_side_lacks_is_marked() {
        let sides = Diff::new(b"a 1\nb 1\n\nc 1", b"c 1\na 1\nbb 1\n", "");
        assert_eq!(shown(&sides.before), [(false, "a 1"), (true, "b 1"), (false, "c 1")]);
        assert_eq!(shown(&sides.after), [(false, "c 1"), (false, "a 1"), (true, "bb 1")]);
    }

    #[test]
    fn a_filter_and_limits() {
        let many = "x 1\n".repeat(5_000);
        let sides = Diff::new(many.as_bytes(), b"x 1\ny 1\n", "x");
        assert_eq!((sides.before.lines.len(), sides.before.matching), (MAX_LINES, 5_000));
        assert_eq!((sides.after.matching, sides.after.total), (1, 2));
        let sides = Diff::new(&[b'\xff'; 3_000], b"", "");
        assert_eq!(sides.before.lines[0].text.chars().count(), MAX_LINE_BYTES + 1);
    }
}
