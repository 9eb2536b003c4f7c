//! An explanation as text.

use std::fmt;
use std::io::{self, Write};

use super::lines::{is_alike, write_line};
use super::report::Report;
use super::series::{is_estimated, write_series};
use crate::cli::diagnostic::BOLD;
use crate::rewrite::exposition::{ExplainedSeries, Fate, Line, StageOutline};
use crate::tools::{Indent, WIDTH, wrap};

/// About how many bytes are written at once.
const PIECE: usize = 64 << 10;

/// Writes the lines of each stage, then the series that are written at the end.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about what was written")]
pub(super) struct TextReport<W> {
    to: W,
    /// What was not written yet.
    text: String,
    /// Also write how wrong each estimate can be.
    errors: bool,
    /// The first of the current lines that have one explanation, and the last after it. There are
    /// many: buckets of a histogram, or unknown families.
    alike: Option<(Line, Option<Line>)>,
    is_first_stage: bool,
    /// What the current stage has.
    has_lines: bool,
    has_series: bool,
    /// A series has estimated counts.
    is_estimated: bool,
}

impl<W: Write> TextReport<W> {
    pub(super) fn new(to: W, errors: bool) -> Self {
        TextReport {
            to,
            text: String::new(),
            errors,
            alike: None,
            is_first_stage: true,
            has_lines: false,
            has_series: false,
            is_estimated: false,
        }
    }

    fn write_alike(&mut self, outline: &StageOutline) -> fmt::Result {
        let Some((first, last)) = self.alike.take() else { return Ok(()) };
        write_line(&first, last.as_ref(), outline.series(), &mut self.text)
    }

    /// The lines of the stage are complete.
    fn end_lines(&mut self, outline: &StageOutline) -> fmt::Result {
        self.write_alike(outline)?;
        if !self.is_first_stage && !self.has_lines {
            self.has_lines = true;
            self.text.push_str("nothing\n");
        }
        Ok(())
    }

    fn write_if_long(&mut self) -> io::Result<()> {
        if self.text.len() < PIECE { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> io::Result<()> {
        self.to.write_all(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }
}

impl<W: Write> Report for TextReport<W> {
    const HAS_OUTPUT: bool = false;

    fn begin_stage(&mut self, _: &StageOutline) -> io::Result<()> {
        if !self.is_first_stage {
            let title = format!("\n{BOLD}and then, in the output of these rules{BOLD:#}\n");
            self.text.push_str(&title);
        }
        (self.has_lines, self.has_series) = (false, false);
        Ok(())
    }

    fn line(&mut self, outline: &StageOutline, line: Line) -> io::Result<()> {
        let is_touched = line.fate != Fate::Passed || !line.read_by.is_empty();
        if !self.is_first_stage && !is_touched {
            return Ok(());
        }
        self.has_lines = true;
        if let Some((first, last)) = &mut self.alike
            && is_alike(first, &line)
        {
            *last = Some(line);
            return Ok(());
        }
        self.write_alike(outline).map_err(io::Error::other)?;
        self.alike = Some((line, None));
        self.write_if_long()
    }

    fn series(&mut self, outline: &StageOutline, series: &ExplainedSeries) -> io::Result<()> {
        self.end_lines(outline).map_err(io::Error::other)?;
        if !self.has_series {
            self.has_series = true;
            let title = format!("\n{BOLD}aggregated, and written at the end{BOLD:#}\n");
            self.text.push_str(&title);
        }
        self.is_estimated |= is_estimated(series);
        write_series(series, self.errors, &mut self.text).map_err(io::Error::other)?;
        self.write_if_long()
    }

    fn end_stage(&mut self, outline: &StageOutline) -> io::Result<()> {
        self.end_lines(outline).map_err(io::Error::other)?;
        self.is_first_stage = false;
        self.write()
    }

    fn output(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if self.is_estimated {
            let more =
                if self.errors { "" } else { "; `--family` shows how wrong each count can be" };
            let text = format!("~ estimated: the input has no such bucket boundary{more}");
            self.text.push('\n');
            let indent = Indent { first: "", next: "  " };
            wrap(&text, WIDTH, indent, &mut self.text).map_err(io::Error::other)?;
        }
        self.write()?;
        self.to.flush()
    }
}
