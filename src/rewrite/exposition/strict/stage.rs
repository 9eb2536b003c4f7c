//! The stage after the engine: first it reads, then it writes.

use super::collection::Collection;
use super::reader::Reader;
use super::text::write_help;
use super::writer::Writer;
use crate::exposition::{Format, MetricType};
use crate::mapping::Plan;
use crate::rewrite::exposition::limits::LimitExceeded;
use crate::rewrite::exposition::options::Options;
use crate::rewrite::exposition::report::Report;
use crate::rewrite::exposition::written_headers::WrittenHeaders;

/// Holds what the engine writes, and writes it again at the end of the input.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Strict {
    format: Format,
    /// What the engine has written and was not read yet: whole lines.
    input: Vec<u8>,
    reader: Reader,
    kept: Collection,
    writer: Option<Writer>,
}

impl Strict {
    pub(in crate::rewrite::exposition) fn new(options: &Options) -> Self {
        Strict {
            format: options.format,
            input: Vec::new(),
            reader: Reader::new(options.format, options.limits),
            kept: Collection::default(),
            writer: None,
        }
    }

    /// Where the engine writes to. Call [`read`](Self::read) after each piece.
    pub(in crate::rewrite::exposition) fn input(&mut self) -> &mut Vec<u8> {
        &mut self.input
    }

    /// Keeps what the engine has written.
    ///
    /// # Errors
    ///
    /// More would have to be kept than the limits allow.
    pub(in crate::rewrite::exposition) fn read(
        &mut self,
        report: &mut Report,
    ) -> Result<(), LimitExceeded> {
        self.reader.read(&self.input, &mut self.kept, report)?;
        self.input.clear();
        Ok(())
    }

    /// Whether [`complete`](Self::complete) was called.
    pub(in crate::rewrite::exposition) fn is_complete(&self) -> bool {
        self.writer.is_some()
    }

    /// The engine has written everything. `headers` complete those of families that rules have
    /// written before the headers of their input arrived.
    pub(in crate::rewrite::exposition) fn complete(
        &mut self,
        plan: &Plan,
        headers: &[WrittenHeaders],
        report: &mut Report,
    ) {
        self.input = Vec::new();
        for late in headers {
            self.add_headers(late);
        }
        self.writer = Some(Writer::new(plan, self.format, &mut self.kept, report));
    }

    fn add_headers(&mut self, late: &WrittenHeaders) {
        let Some(id) = self.kept.names.find(&late.name) else { return };
        let headers = &mut self.kept.names.get_mut(id).headers;
        if let (None, Some(help)) = (&headers.help, &late.help) {
            let mut text = Vec::new();
            write_help(help, self.format, &mut text);
            headers.help = Some(text.into());
        }
        if let (None, Some(metric_type)) = (&headers.metric_type, late.metric_type)
            && metric_type != MetricType::Other
        {
            headers.metric_type = Some(metric_type.word(self.format).as_bytes().into());
        }
        if headers.unit.is_none() {
            headers.unit.clone_from(&late.unit);
        }
    }

    /// Appends the next piece. Returns whether everything is written.
    pub(in crate::rewrite::exposition) fn write_piece(
        &mut self,
        plan: &Plan,
        report: &mut Report,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(writer) = &mut self.writer else { return true };
        writer.write_piece(plan, &self.kept, report, out)
    }
}
