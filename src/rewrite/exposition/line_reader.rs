//! Reads an exposition line by line, and outputs what can be output at once.

use super::error_message::error_message;
use super::family::HeaderAction;
use super::options::{Error, Malformed, Options};
use super::output::Output;
use super::reason::DropReason;
use super::recorder::Recorder;
use super::resolved_plan::ResolvedPlan;
use super::sample_line::SampleLine;
use super::state::ExpositionState;
use crate::exposition::{Flaw, Format, Header, HeaderKind, MetricType, Sample, Scan, Scanner};
use crate::mapping::Plan;

/// A byte order mark. It is not part of the format, but no reason to drop the first line.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The last line of an `OpenMetrics` exposition. Nothing may follow it.
const EOF: &[u8] = b"# EOF\n";

/// A whole line: its length, and whether it is output unchanged.
type LineOutcome = (usize, bool);

/// Reads lines.
#[derive(Debug)]
pub(super) struct LineReader<R> {
    options: Options,
    scanner: Scanner,
    pub(super) state: ExpositionState<R>,
    /// The first bytes were checked for a byte order mark.
    begun: bool,
    /// The last line was `# EOF`.
    eof: bool,
    /// Number of the last line read.
    line: u64,
}

impl<R: Recorder> LineReader<R> {
    pub(super) fn new(plan: &Plan, options: Options, recorder: R) -> Self {
        let limits = options.limits;
        LineReader {
            options,
            scanner: Scanner::new(limits.line_bytes, limits.labels, options.format),
            state: ExpositionState::new(plan, &options, recorder),
            begun: false,
            eof: false,
            line: 0,
        }
    }

    /// Reads the whole lines at the beginning of the input.
    ///
    /// If the input is `complete`, an incomplete line at its end is malformed.
    ///
    /// # Errors
    ///
    /// A limit is exceeded, or a malformed line is found and the options are to fail.
    pub(super) fn read(
        &mut self,
        plan: &mut ResolvedPlan,
        out: &mut Output<'_>,
        complete: bool,
    ) -> Result<(), Error> {
        if !self.begun {
            let input = out.rest();
            if BOM.starts_with(input) {
                // A part of a mark, or nothing: wait for the line after it.
                return Ok(());
            }
            self.begun = true;
            if input.starts_with(BOM) {
                out.skip(BOM.len());
            }
        }
        loop {
            self.line += self.state.read_alike(&self.scanner, out);
            let rest = out.rest();
            if rest.is_empty() {
                return Ok(());
            }
            let scan = self.scanner.scan(rest);
            let Some((len, unchanged)) = self.line(plan, rest, scan, complete, out)? else {
                return Ok(());
            };
            if unchanged {
                out.keep(len);
            } else {
                out.skip(len);
            }
        }
    }

    /// As [`read`](Self::read), but copies everything. Returns how many bytes were read.
    pub(super) fn read_short(
        &mut self,
        plan: &mut ResolvedPlan,
        input: &[u8],
        complete: bool,
        out: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        let mut out = Output::new(input, out);
        self.read(plan, &mut out, complete)?;
        Ok(out.finish().0)
    }

    /// Handles the line at the beginning of `input`. `None` if it is incomplete.
    #[allow(clippy::inline_always, reason = "measured: a call for each line costs two percent")]
    #[inline(always)]
    fn line(
        &mut self,
        plan: &mut ResolvedPlan,
        input: &[u8],
        scan: Scan,
        complete: bool,
        out: &mut Output<'_>,
    ) -> Result<Option<LineOutcome>, Error> {
        if scan == Scan::Incomplete && !complete {
            return Ok(None);
        }
        self.line += 1;
        if std::mem::take(&mut self.eof) {
            self.early_eof(out)?;
        }
        Ok(Some(match scan {
            Scan::Sample(sample) => (sample.len, self.sample(plan, input, sample, out)?),
            Scan::Header { header, len } => (len, self.header(plan, header, &input[..len])?),
            Scan::Comment { len } => (len, self.comment(&input[..len])?),
            Scan::Flawed { len, flaw } => (len, self.malformed(self.line, flaw, &input[..len])?),
            Scan::Incomplete => {
                let newline = memchr::memchr(b'\n', input);
                let len = newline.map_or(input.len(), |end| end + 1);
                (len, self.malformed(self.line, Flaw::Unterminated, &input[..len])?)
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

    /// Handles the sample at the beginning of `input`. Returns whether it is output unchanged.
    fn sample(
        &mut self,
        plan: &mut ResolvedPlan,
        input: &[u8],
        sample: Sample,
        out: &mut Output<'_>,
    ) -> Result<bool, Error> {
        let text = &input[..sample.len];
        let line = SampleLine { number: self.line, text, sample, scanner: &self.scanner };
        self.state.sample(plan, &line, out).map_err(|exceeded| exceeded.at(self.line))
    }

    /// Handles a comment or a blank line. `OpenMetrics` has neither, except its last line.
    #[cold]
    fn comment(&mut self, line: &[u8]) -> Result<bool, Error> {
        // Gathered families are written before the end.
        self.eof = line == EOF;
        if self.eof {
            self.scanner.forget();
            return Ok(false);
        }
        match self.options.format {
            Format::Text => Ok(true),
            Format::OpenMetrics => self.malformed(self.line, Flaw::BadHeader, line),
        }
    }

    /// A line follows `# EOF`, which is a comment then.
    #[cold]
    fn early_eof(&mut self, out: &mut Output<'_>) -> Result<(), Error> {
        let passes = match self.options.format {
            Format::Text => true,
            Format::OpenMetrics => self.malformed(self.line - 1, Flaw::BadHeader, EOF)?,
        };
        if passes {
            out.replacement().extend_from_slice(EOF);
        }
        Ok(())
    }

    fn header(
        &mut self,
        plan: &mut ResolvedPlan,
        header: Header,
        line: &[u8],
    ) -> Result<bool, Error> {
        if self.options.format == Format::OpenMetrics && !header.is_valid_open_metrics(line) {
            return self.malformed(self.line, Flaw::BadHeader, line);
        }
        let action =
            self.state.header(plan, header, line).map_err(|exceeded| exceeded.at(self.line))?;
        Ok(match action {
            HeaderAction::Pass => true,
            HeaderAction::Wait => false,
            // All headers are held, and the first ones are written.
            HeaderAction::Repeated if self.options.strict => true,
            HeaderAction::Repeated
                if self.options.repeated_types && has_numbers_in_labels(header) =>
            {
                self.state.families.repeat_type(header.name.of(line));
                true
            }
            HeaderAction::Repeated => {
                self.state.report.drop(DropReason::RepeatedHeader);
                false
            }
        })
    }

    fn malformed(&mut self, number: u64, flaw: Flaw, line: &[u8]) -> Result<bool, Error> {
        if let Some(text) = error_message(line) {
            return Err(Error::UpstreamFailed { line: number, text });
        }
        self.state.recorder.malformed(number, line, flaw);
        match self.options.malformed {
            Malformed::Drop => {
                self.state.report.drop(DropReason::Malformed(flaw));
                Ok(false)
            }
            Malformed::Pass => {
                self.state.report.malformed_passed += 1;
                Ok(true)
            }
            Malformed::Fail => Err(Error::Malformed { line: number, flaw }),
        }
    }

    /// The error for a next line that exceeds the limit.
    pub(super) fn too_long(&self) -> Error {
        Error::LineTooLong { line: self.line + 1, limit: self.options.limits.line_bytes }
    }

    /// Number of the last line read.
    pub(super) fn line_number(&self) -> u64 {
        self.line
    }

    /// The exposition is complete. Returns an error if it was cut.
    pub(super) fn complete(&mut self) -> Result<(), Error> {
        if self.options.format == Format::OpenMetrics && !self.eof {
            return Err(Error::NoEof);
        }
        self.state.complete();
        Ok(())
    }

    /// What must end the exposition, if anything.
    pub(super) fn last_line(&self) -> &'static [u8] {
        if self.eof { EOF } else { b"" }
    }
}

/// Whether the samples of this type have a label (`le`, `quantile`) that Prometheus parses as a
/// number.
fn has_numbers_in_labels(header: Header) -> bool {
    matches!(header.kind, HeaderKind::Type(MetricType::Histogram | MetricType::Summary))
}
