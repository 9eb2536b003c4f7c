//! One line after the other: what passes, what is dropped, what the body has to decide on.

use std::sync::Arc;

use super::families::HeaderAction;
use super::output::Output;
use super::{Error, Malformed, Options};
use crate::exposition::{Flaw, Header, HeaderKind, MetricType, Sample, Scan, Scanner};
use crate::mapping::Plan;
use crate::rewrite::exposition::state::ExpositionState;

/// A byte order mark: no part of the format, and no reason to lose the first line.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The last line of an `OpenMetrics` exposition; nothing may follow it.
const EOF: &[u8] = b"# EOF\n";

/// Reads lines and writes those that leave now.
#[derive(Debug)]
pub(super) struct LineReader {
    options: Options,
    scanner: Scanner,
    pub(super) body: ExpositionState,
    /// The first bytes have been looked at.
    begun: bool,
    /// The last line was `# EOF`.
    eof: bool,
    /// Lines read.
    line: u64,
}

impl LineReader {
    pub(super) fn new(plan: Arc<Plan>, options: Options) -> Self {
        let limits = options.limits;
        LineReader {
            options,
            scanner: Scanner::new(limits.line_bytes, limits.labels, options.exemplars),
            body: ExpositionState::new(plan, limits),
            begun: false,
            eof: false,
            line: 0,
        }
    }

    /// Reads the whole lines that the input begins with, and writes what leaves now.
    ///
    /// With `complete`, no more will come: an unfinished line is a flawed one.
    pub(super) fn read(&mut self, out: &mut Output<'_>, complete: bool) -> Result<(), Error> {
        let plan = Arc::clone(&self.body.plan);
        if !self.begun {
            let input = out.rest();
            if BOM.starts_with(input) {
                // All or part of a mark, or nothing at all: wait for the line behind it.
                return Ok(());
            }
            self.begun = true;
            if input.starts_with(BOM) {
                out.skip(BOM.len());
            }
        }
        loop {
            let rest = out.rest();
            if rest.is_empty() {
                return Ok(());
            }
            let (len, keep) = if let Some(sample) = self.scanner.scan_alike(rest) {
                let line = &rest[..sample.len];
                self.line += 1;
                match self.body.alike(&self.scanner, line, sample, out) {
                    Some(keep) => (sample.len, keep),
                    None => (sample.len, self.sample(&plan, line, sample, out)?),
                }
            } else {
                let scan = self.scanner.scan(rest);
                match self.line(&plan, rest, scan, complete, out)? {
                    Some(line) => line,
                    None => return Ok(()),
                }
            };
            if keep {
                out.keep(len);
            } else {
                out.skip(len);
            }
        }
    }

    /// As [`read`](Self::read), with everything copied. Returns how many bytes were read.
    pub(super) fn read_short(
        &mut self,
        input: &[u8],
        complete: bool,
        out: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        let mut out = Output::new(input, out);
        self.read(&mut out, complete)?;
        Ok(out.finish().0)
    }

    /// Decides on the line that `input` begins with: its length, and whether it leaves as it came.
    /// `None` where the rest of it has yet to come.
    fn line(
        &mut self,
        plan: &Plan,
        input: &[u8],
        scan: Scan,
        complete: bool,
        out: &mut Output<'_>,
    ) -> Result<Option<(usize, bool)>, Error> {
        if scan == Scan::Incomplete && !complete {
            return Ok(None);
        }
        self.line += 1;
        if std::mem::take(&mut self.eof) {
            // An end that was not the last line was a comment.
            out.replacement().extend_from_slice(EOF);
        }
        Ok(Some(match scan {
            Scan::Sample(sample) => {
                (sample.len, self.sample(plan, &input[..sample.len], sample, out)?)
            }
            Scan::Header { header, len } => (len, self.header(plan, header, &input[..len])?),
            Scan::Comment { len } => {
                // What is held leaves before the end.
                self.eof = input[..len] == *EOF;
                if self.eof {
                    self.scanner.forget();
                }
                (len, !self.eof)
            }
            Scan::Flawed { len, flaw } => (len, self.flawed(flaw, &input[..len])?),
            Scan::Incomplete => {
                let newline = memchr::memchr(b'\n', input);
                let len = newline.map_or(input.len(), |end| end + 1);
                (len, self.flawed(Flaw::Unterminated, &input[..len])?)
            }
            Scan::TooLong => {
                let limit = self.options.limits.line_bytes;
                return Err(Error::LineTooLong { line: self.line, limit });
            }
            Scan::TooManyLabels => {
                let limit = self.options.limits.labels;
                return Err(Error::TooManyLabels { line: self.line, limit });
            }
        }))
    }

    fn sample(
        &mut self,
        plan: &Plan,
        line: &[u8],
        sample: Sample,
        out: &mut Output<'_>,
    ) -> Result<bool, Error> {
        let decided = self.body.sample(plan, &self.scanner, line, sample, out);
        if self.body.trace.is_some() {
            self.body.record(self.line, line);
        }
        decided.map_err(|over| over.at(self.line))
    }

    fn header(&mut self, plan: &Plan, header: Header, line: &[u8]) -> Result<bool, Error> {
        let fate = self.body.header(plan, header, line).map_err(|over| over.at(self.line))?;
        Ok(match fate {
            HeaderAction::Pass => true,
            HeaderAction::Wait => false,
            HeaderAction::Repeated
                if self.options.repeated_types && has_numbers_in_labels(header) =>
            {
                true
            }
            HeaderAction::Repeated => {
                self.body.report.drop("repeated_header");
                false
            }
        })
    }

    fn flawed(&mut self, flaw: Flaw, line: &[u8]) -> Result<bool, Error> {
        if let Some(trace) = &mut self.body.trace {
            trace.flawed.push((self.line, line.into(), flaw.reason()));
        }
        match self.options.malformed {
            Malformed::Drop => {
                self.body.report.drop(flaw.reason());
                Ok(false)
            }
            Malformed::Pass => {
                self.body.report.malformed_passed += 1;
                Ok(true)
            }
            Malformed::Fail => Err(Error::Malformed { line: self.line, flaw }),
        }
    }

    pub(super) fn too_long(&self) -> Error {
        Error::LineTooLong { line: self.line + 1, limit: self.options.limits.line_bytes }
    }

    /// What must end the body, if anything.
    pub(super) fn last_line(&self) -> &'static [u8] {
        if self.eof { EOF } else { b"" }
    }
}

/// A type whose samples have a label (`le`, `quantile`) that Prometheus reads as a number.
fn has_numbers_in_labels(header: Header) -> bool {
    matches!(header.kind, HeaderKind::Type(MetricType::Histogram | MetricType::Summary))
}
