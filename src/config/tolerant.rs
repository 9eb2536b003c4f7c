//! Reads a settings file that is known to be wrong, for everything that is wrong with it.
//!
//! The YAML reader stops at the first fault. So the key at fault is blanked out, with all that stands below it, and
//! the rest is read again, until nothing is at fault any more. Places stay what they are: nothing moves.

use std::path::Path;

use serde_saphyr::Error;

use super::{Fault, File, options};

/// Most faults that are told of one file. Whoever has more wants to see the first ones.
const MAX_FAULTS: usize = 50;

/// All faults of a text's keys and values, and what is right of the file. What the settings mean together is not
/// looked at.
pub(super) fn read(text: &str, path: &Path) -> (File, Vec<Fault>) {
    let mut lines = Lines::new(text);
    let mut faults = Vec::new();
    let mut blanked: Vec<(usize, String)> = Vec::new();
    while faults.len() < MAX_FAULTS {
        let error = match serde_saphyr::from_str_with_options::<File>(&lines.text(), options()) {
            Ok(file) => return (file, faults),
            Err(error) => error,
        };
        let error = error.without_snippet();
        let of_value = is_of_value(error);
        // Behind the first fault, a text that cannot be read any more is our own doing.
        if !of_value && !faults.is_empty() {
            break;
        }
        let Some((line, column)) = place(error) else {
            faults.push(Fault::from_yaml(error).in_file(path));
            break;
        };
        let missing = match error {
            Error::SerdeMissingField { field, .. } => Some(*field),
            _ => None,
        };
        // What was blanked out is missing, but not for want of a key.
        let here = lines.end(line);
        let ours = missing.is_some_and(|field| {
            blanked.iter().any(|(at, key)| (line..here).contains(at) && key == field)
        });
        if !ours {
            faults.push(Fault::from_yaml(error).in_file(path));
        }
        let done = if missing.is_some() {
            lines.blank_item(line)
        } else {
            lines.blank_key(line, column).map(|key| blanked.push((line, key)))
        };
        if !of_value || done.is_none() {
            break;
        }
    }
    (File::default(), faults)
}

/// True where the text is YAML and only a key or a value does not fit.
fn is_of_value(error: &Error) -> bool {
    matches!(
        error,
        Error::Message { .. }
            | Error::Unexpected { .. }
            | Error::InvalidScalar { .. }
            | Error::SerdeInvalidType { .. }
            | Error::SerdeInvalidValue { .. }
            | Error::SerdeUnknownField { .. }
            | Error::SerdeMissingField { .. }
            | Error::DuplicateMappingKey { .. }
    )
}

fn place(error: &Error) -> Option<(usize, usize)> {
    let location = error.location()?;
    let line = usize::try_from(location.line()).ok()?.checked_sub(1)?;
    Some((line, usize::try_from(location.column()).ok()?.checked_sub(1)?))
}

/// The lines of a text, of which parts can be blanked out.
struct Lines(Vec<Vec<char>>);

impl Lines {
    fn new(text: &str) -> Lines {
        Lines(text.lines().map(|line| line.chars().collect()).collect())
    }

    fn text(&self) -> String {
        let lines = self.0.iter().map(|line| line.iter().collect::<String>());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Blanks the key of block style that a place belongs to, and gives back its name.
    fn blank_key(&mut self, line: usize, column: usize) -> Option<String> {
        let (dash, start) = beginning(self.0.get(line)?)?;
        let key: String = self.0[line].iter().skip(start).take_while(|c| **c != ':').collect();
        if column < start || self.0[line].len() <= start {
            return None;
        }
        let end = self.blank_below(line, start);
        // An item of a list of which nothing is left goes as a whole.
        let next = self.0.iter().skip(end).find_map(|line| beginning(line));
        let from = match dash {
            Some(dash) if next.is_none_or(|(dash, next)| dash.is_some() || next != start) => dash,
            _ => start,
        };
        self.blank_from(line, from);
        self.blank_empty_parent(line, from);
        Some(key.trim_matches(['"', '\'', ' ']).to_owned())
    }

    /// Blanks the item of a list that begins at or above a line.
    fn blank_item(&mut self, line: usize) -> Option<()> {
        let (at, dash) =
            (0..=line).rev().find_map(|at| Some((at, beginning(self.0.get(at)?)?.0?)))?;
        self.blank_below(at, dash + 1);
        self.blank_from(at, dash);
        self.blank_empty_parent(at, dash);
        Some(())
    }

    /// The line behind the keys that begin at this one.
    fn end(&self, line: usize) -> usize {
        let start = self.0.get(line).and_then(|line| beginning(line)).map_or(0, |(_, start)| start);
        let rest = self.0.iter().enumerate().skip(line + 1);
        let outside =
            |text: &[char]| beginning(text).is_some_and(|(dash, at)| dash.unwrap_or(at) < start);
        rest.into_iter().find(|(_, text)| outside(text)).map_or(self.0.len(), |(at, _)| at)
    }

    /// Blanks what stands below the key that begins there; the line behind it is given back.
    fn blank_below(&mut self, line: usize, start: usize) -> usize {
        let mut end = line + 1;
        while let Some(below) = self.0.get_mut(end) {
            let belongs = beginning(below).is_none_or(|(dash, text)| match dash {
                // A list may stand as far to the left as its key.
                Some(dash) => dash >= start,
                None => text > start,
            });
            if !belongs {
                break;
            }
            below.clear();
            end += 1;
        }
        end
    }

    fn blank_from(&mut self, line: usize, start: usize) {
        self.0[line].truncate(start);
    }

    /// What has nothing below it any more would be read as a key, or an item, without a value.
    fn blank_empty_parent(&mut self, line: usize, column: usize) {
        let is_blank = |line: &[char]| line.iter().all(|c| c.is_whitespace());
        if !is_blank(&self.0[line]) {
            return;
        }
        let Some(above) = (0..line).rev().find(|above| opens(&self.0[*above]).is_some()) else {
            return;
        };
        let next = self.0.iter().skip(line + 1).find_map(|line| beginning(line));
        let Some((from, start)) = opens(&self.0[above]).flatten() else { return };
        let has_more =
            next.is_some_and(|(dash, next)| dash.map_or(next > start, |dash| dash >= start));
        if start <= column && !has_more {
            self.blank_from(above, from);
            self.blank_empty_parent(above, from);
        }
    }
}

/// Of a line that nothing but a comment or space is `None`. What stands below a line that ends as a key or a dash
/// belongs to that: gives from where on the line would be blanked, and the least column of what belongs to it.
#[allow(clippy::option_option, reason = "no text, and text that opens nothing, are two things")]
fn opens(line: &[char]) -> Option<Option<(usize, usize)>> {
    let mut last = line.iter().rposition(|c| !c.is_whitespace())?;
    // The name of an anchor may follow.
    if let Some(anchor) = line.iter().rposition(|c| *c == '&')
        && line[anchor..=last].iter().all(|c| !c.is_whitespace())
    {
        last = line[..anchor].iter().rposition(|c| !c.is_whitespace())?;
    }
    match (beginning(line), line[last]) {
        (None, '-') => Some(Some((last, last + 1))),
        (None, _) => None,
        (Some((dash, start)), ':') => Some(Some((dash.unwrap_or(start), start))),
        (Some(_), _) => Some(None),
    }
}

/// Where a line's last `- ` stands, if it begins with any, and where its text begins; `None` where it has none.
fn beginning(line: &[char]) -> Option<(Option<usize>, usize)> {
    let mut dash = None;
    let mut at = 0;
    loop {
        match (line.get(at)?, line.get(at + 1)) {
            (' ', _) => {}
            ('-', Some(' ') | None) => dash = Some(at),
            ('#', _) => return None,
            _ => return Some((dash, at)),
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places of all faults.
    fn places(text: &str) -> Vec<String> {
        let faults = read(text, Path::new("c")).1;
        let texts = faults.into_iter().map(|fault| fault.to_string());
        texts.map(|text| text.split(' ').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn every_fault_is_found() {
        let text = concat!(
            "emti: old\n",
            "buckets: exact\n",
            "fill: {9x: a}\n",
            "targets:\n",
            "  - nmae: a\n",
            "    url: http://a/\n",
            "  - name: b/c\n",
            "    url: kong:8100\n",
            "  - name: d\n",
            "web:\n",
            "  write_timeout: 10\n",
            "  # nothing else\n",
            "limits:\n",
            "  labels: -1\n",
            "  line_bytes: 1XB\n",
            "emit: new\n",
            "emit: new\n",
        );
        let expected = [
            "c:1:1:", "c:2:10:", "c:3:8:", "c:5:5:", "c:7:11:", "c:8:10:", "c:9:5:", "c:11:18:",
            "c:14:11:", "c:15:15:", "c:17:1:",
        ];
        assert_eq!(places(text), expected);
    }

    #[test]
    fn what_is_blanked_out_makes_no_new_fault() {
        for (text, expected) in [
            ("targets:\n- url: kong:8100\n- url: http://a/\n", &["c:2:8:"][..]),
            ("targets:\n- {nmae: a, url: x}\n", &["c:2:4:"]),
            (
                "targets:\n  - url: x\nstatsd:\n  listen:\n    - address: y\n",
                &["c:2:10:", "c:5:16:"],
            ),
            ("web: &a\n  gzip_level: 99\nadmin: *a\n", &["c:2:15:"]),
            ("web:\n  listen_address: x\n", &["c:2:19:"]),
            ("web: {listen_address: x,\n  gzip_level: 77}\n", &["c:1:23:"]),
            ("targets:\n  - name: a/b\n    url: x\nemit: new\n", &["c:2:11:", "c:3:10:"]),
            ("emit: [\n", &["c:1:7:"]),
            ("", &[]),
        ] {
            assert_eq!(places(text), expected, "{text}");
        }
    }

    #[test]
    fn no_mutilated_file_does_harm() {
        let text = "emit: old\ntargets:\n  - name: a\n    url: http://a/\nfill: {a: b}\nstatsd:\n  listen:\n  - address: udp://:1\n";
        for at in 0..text.len() {
            let (before, behind) = text.split_at(at);
            for insert in ["", "x", "\n", "- ", "{", ":", "\"", "\t"] {
                let behind = behind.get(1..).unwrap_or_default();
                drop(read(&format!("{before}{insert}{behind}"), Path::new("c")));
            }
        }
    }
}
