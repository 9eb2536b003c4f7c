//! An explanation as JSON: one object for each stage, each the `next` of the one before.

use std::io::{self, Write};

use serde::Serialize;

use super::report::Report;
use crate::rewrite::exposition::{ExplainedSeries, Line, StageOutline};

/// Writes the keys `lines`, `series`, `output` and `next`, item by item.
pub(super) struct JsonReport<W> {
    to: W,
    /// Number of stages that have begun.
    stages: usize,
    /// The key whose items are written.
    list: List,
    is_empty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Lines,
    Series,
}

impl<W: Write> JsonReport<W> {
    pub(super) fn new(to: W) -> Self {
        JsonReport { to, stages: 0, list: List::Lines, is_empty: true }
    }

    /// Begins a line, `depth` levels into the object of the stage.
    fn new_line(&mut self, depth: usize) -> io::Result<()> {
        write!(self.to, "\n{:width$}", "", width = 2 * (self.stages - 1 + depth))
    }

    fn begin_list(&mut self, list: List) -> io::Result<()> {
        let key = match list {
            List::Lines => "lines",
            List::Series => "series",
        };
        (self.list, self.is_empty) = (list, true);
        self.new_line(1)?;
        write!(self.to, "\"{key}\": [")
    }

    fn end_list(&mut self) -> io::Result<()> {
        if !self.is_empty {
            self.new_line(1)?;
        }
        write!(self.to, "],")
    }

    fn item(&mut self, item: &impl Serialize) -> io::Result<()> {
        if !std::mem::take(&mut self.is_empty) {
            write!(self.to, ",")?;
        }
        // A newline within a string is escaped.
        for line in serde_json::to_string_pretty(item)?.lines() {
            self.new_line(2)?;
            write!(self.to, "{line}")?;
        }
        Ok(())
    }

    fn end_lines(&mut self) -> io::Result<()> {
        if self.list == List::Lines {
            self.end_list()?;
            self.begin_list(List::Series)?;
        }
        Ok(())
    }

    /// Writes a part of a string.
    fn text(&mut self, text: &str) -> io::Result<()> {
        let quoted = serde_json::to_string(text)?;
        let unquoted = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        write!(self.to, "{}", unquoted.unwrap_or_default())
    }
}

impl<W: Write> Report for JsonReport<W> {
    const HAS_OUTPUT: bool = true;

    fn begin_stage(&mut self, _: &StageOutline) -> io::Result<()> {
        if self.stages > 0 {
            write!(self.to, "\",")?;
            self.new_line(1)?;
            write!(self.to, "\"next\": ")?;
        }
        self.stages += 1;
        write!(self.to, "{{")?;
        self.begin_list(List::Lines)
    }

    fn line(&mut self, _: &StageOutline, line: Line) -> io::Result<()> {
        self.item(&line)
    }

    fn series(&mut self, _: &StageOutline, series: &ExplainedSeries) -> io::Result<()> {
        self.end_lines()?;
        self.item(series)
    }

    fn end_stage(&mut self, _: &StageOutline) -> io::Result<()> {
        self.end_lines()?;
        self.end_list()?;
        self.new_line(1)?;
        write!(self.to, "\"output\": \"")
    }

    fn output(&mut self, piece: &[u8]) -> io::Result<()> {
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            match std::str::from_utf8(line) {
                Ok(text) => self.text(text)?,
                Err(_) => self.text(&line.escape_ascii().to_string())?,
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        write!(self.to, "\"")?;
        while self.stages > 0 {
            self.new_line(0)?;
            write!(self.to, "}}")?;
            self.stages -= 1;
        }
        writeln!(self.to)?;
        self.to.flush()
    }
}
