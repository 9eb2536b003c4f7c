//! What is wrong with a pack, where, and what to do about it.
//!
//! Checking never stops at the first fault: whoever fixes a pack wants to see all of them at once.

use std::fmt;
use std::sync::Arc;

/// Longest excerpt printed, in characters. A pack may be one endless line; its faults stay readable.
const EXCERPT_CHARS: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands. `None` for a setting that did not come from a pack.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    /// A fault of a pack.
    #[must_use]
    pub fn at(place: Place, message: impl Into<String>, remedy: impl Into<String>) -> Fault {
        Fault { place: Some(place), message: message.into(), remedy: remedy.into() }
    }

    /// A fault of the settings that packs are compiled with.
    #[must_use]
    pub fn of_settings(message: impl Into<String>, remedy: impl Into<String>) -> Fault {
        Fault { place: None, message: message.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        writeln!(f, "{}", self.message)?;
        if let Some(excerpt) = self.place.as_ref().and_then(|place| place.excerpt.as_ref()) {
            writeln!(f, "{excerpt}")?;
        }
        write!(f, "  help: {}", self.remedy)
    }
}

/// Something worth knowing of a pack that is right as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is about.
    pub place: Place,
    /// What is so.
    pub message: String,
    /// What to do where that is not wanted.
    pub remedy: String,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name, as the operator gave it.
    pub file: Arc<str>,
    /// Line, from 1. 0 when the file as a whole is meant.
    pub line: usize,
    /// Column in characters, from 1. 0 when the line as a whole is meant.
    pub column: usize,
    /// The line itself.
    pub excerpt: Option<Excerpt>,
}

impl Place {
    /// The file as a whole.
    #[must_use]
    pub fn file(name: &str) -> Place {
        Place { file: name.into(), line: 0, column: 0, excerpt: None }
    }

    /// The first place in this file's text that gives a key; the file as a whole where none does.
    #[must_use]
    pub fn of_key(&self, text: &str, key: &str) -> Place {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        let found = text.match_indices(key).find(|(at, _)| {
            let (before, from) = text.split_at(*at);
            let behind = from.trim_start_matches(key).trim_start_matches(['"', '\'', ' ']);
            !before.ends_with(part) && behind.starts_with(':')
        });
        let Some((byte, _)) = found else { return self.clone() };
        let before = text.split_at(byte).0;
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let excerpt = Excerpt::of_word(text, line, column);
        Place { line, column, excerpt, ..self.clone() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        match (self.line, self.column) {
            (0, _) => Ok(()),
            (line, 0) => write!(f, ":{line}"),
            (line, column) => write!(f, ":{line}:{column}"),
        }
    }
}

/// A line of a file, with the part that is meant underlined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    line: usize,
    text: String,
    indent: usize,
    width: usize,
}

impl Excerpt {
    /// The word that stands at a place of a YAML text; `None` where the text has no such place.
    #[must_use]
    pub fn of_word(text: &str, line: usize, column: usize) -> Option<Excerpt> {
        let source = Source::new("", text);
        let byte = source.byte_at(line, column.max(1));
        let from = text.get(byte..).filter(|_| line > 0 && line <= text.lines().count())?;
        let quote = from.chars().next().filter(|c| matches!(c, '"' | '\''));
        let word = from.lines().next().unwrap_or_default();
        let width = if let Some(quote) = quote {
            word.chars().skip(1).take_while(|c| *c != quote).count() + 2
        } else {
            let ends = [": ", " #", ", ", "}", "]"].iter().filter_map(|end| word.find(end));
            let word = word.split_at(ends.min().unwrap_or(word.len())).0.trim_end();
            word.trim_end_matches(':').chars().count()
        };
        Some(Excerpt::new(text, Spot { line, column, width, byte }))
    }

    /// Cuts what is printable out of `source`, around a spot.
    fn new(source: &str, spot: Spot) -> Excerpt {
        let (before, behind) = source.split_at_checked(spot.byte).unwrap_or((source, ""));
        let column = spot.column.saturating_sub(1);
        let shown = if column < EXCERPT_CHARS { column } else { EXCERPT_CHARS / 2 };
        let before: Vec<char> =
            before.chars().rev().take_while(|c| *c != '\n').take(shown).collect();
        let behind: Vec<char> =
            behind.chars().take_while(|c| *c != '\n').take(EXCERPT_CHARS - shown).collect();
        // A control character would garble the terminal and the column under which the caret stands.
        let visible = |c: &char| if c.is_control() { ' ' } else { *c };
        let text: String = before.iter().rev().chain(&behind).map(visible).collect();
        Excerpt {
            line: spot.line,
            text: text.trim_end().to_owned(),
            indent: before.len(),
            width: spot.width.min(behind.len()).max(1),
        }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>5} | {}", self.line, self.text)?;
        write!(f, "      | {:indent$}{:^<width$}", "", "", indent = self.indent, width = self.width)
    }
}

/// Everything that is wrong, in the order of the files. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// A stretch of a pack's text: the place of a fault before anything is known to be wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    /// Line, from 1.
    pub(super) line: usize,
    /// Column in characters, from 1.
    pub(super) column: usize,
    /// Characters.
    pub(super) width: usize,
    /// Bytes from the start of the text. Found again by this, a spot costs the same wherever it is.
    pub(super) byte: usize,
}

/// A pack's text and the name it goes by.
#[derive(Debug)]
pub(super) struct Source {
    file: Arc<str>,
    text: String,
}

impl Source {
    pub(super) fn new(file: &str, text: &str) -> Source {
        Source { file: file.into(), text: text.to_owned() }
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The characters from a spot on.
    pub(super) fn from(&self, spot: Spot) -> impl Iterator<Item = char> + '_ {
        self.text.get(spot.byte..).unwrap_or_default().chars()
    }

    /// The byte at which a line's column begins; the end of the text if there is none.
    pub(super) fn byte_at(&self, line: usize, column: usize) -> usize {
        let lines = self.text.split_inclusive('\n').take(line.saturating_sub(1));
        let start: usize = lines.map(str::len).sum();
        let in_line = self.text.get(start..).unwrap_or_default().chars();
        start + in_line.take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
    }

    pub(super) fn place(&self, spot: Spot) -> Place {
        Place {
            file: Arc::clone(&self.file),
            line: spot.line,
            column: spot.column,
            excerpt: Some(Excerpt::new(&self.text, spot)),
        }
    }

    pub(super) fn note(
        &self,
        spot: Spot,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Note {
        Note { place: self.place(spot), message: message.into(), remedy: remedy.into() }
    }

    pub(super) fn fault(
        &self,
        spot: Spot,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Fault {
        Fault::at(self.place(spot), message, remedy)
    }
}

/// The known word that was probably meant, when one is close enough.
#[must_use]
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.len() / 4 && *distance < candidate.len()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be put in, taken out or replaced to turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(line: usize, column: usize, width: usize, byte: usize) -> Spot {
        Spot { line, column, width, byte }
    }

    #[test]
    fn a_fault_prints_its_place_its_line_and_a_remedy() {
        let source = Source::new("a.yaml", "name: ü\nold: fam{y}\n");
        let fault = source.fault(spot(2, 6, 3, 14), "No.", "Do that.");
        assert_eq!(
            fault.to_string(),
            "a.yaml:2:6: No.\n    2 | old: fam{y}\n      |      ^^^\n  help: Do that."
        );
    }

    #[test]
    fn the_excerpt_of_an_endless_line_is_short() {
        let line = "x".repeat(100_000);
        let source = Source::new("a.yaml", &line);
        let text = source.fault(spot(1, 50_000, 9, 49_999), "", "").to_string();
        assert!(text.chars().count() < 400, "{text}");
        assert!(text.contains("^^^^^^^^^\n"), "{text}");
    }

    #[test]
    fn places_beyond_the_text_do_no_harm() {
        let source = Source::new("a.yaml", "ü");
        for byte in [1, 2, 900] {
            let text = source.fault(spot(7, 900, 90, byte), "m", "r").to_string();
            assert!(text.starts_with("a.yaml:7:900: m\n"), "{text}");
        }
    }

    #[test]
    fn words_are_found_by_their_place() {
        let text = "a: [x, \"y z\"]\nemit: older # no\n{k: v}\n";
        for (line, column, underlined) in
            [(1, 1, "a"), (1, 5, "x"), (1, 8, "\"y z\""), (2, 7, "older"), (3, 2, "k"), (3, 5, "v")]
        {
            let excerpt = Excerpt::of_word(text, line, column).unwrap().to_string();
            let (shown, marks) = excerpt.split_once('\n').unwrap();
            let marked = shown.chars().zip(marks.chars()).filter(|(_, mark)| *mark == '^');
            assert_eq!(marked.map(|(c, _)| c).collect::<String>(), underlined);
        }
        assert_eq!(Excerpt::of_word(text, 0, 0), None);
        assert_eq!(Excerpt::of_word(text, 9, 1), None);
    }

    #[test]
    fn suggestions_are_close_or_none() {
        let known = ["merge", "includes", "only_with", "a"];
        assert_eq!(closest("merg", known), Some("merge"));
        assert_eq!(closest("megre", known), Some("merge"));
        assert_eq!(closest("onlywith", known), Some("only_with"));
        assert_eq!(closest("label", known), None);
        assert_eq!(closest("b", known), None);
    }
}
