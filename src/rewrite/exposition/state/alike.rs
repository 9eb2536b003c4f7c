//! The fast path: samples for which nothing has to be decided.
//!
//! Its loops are functions of their own. Within the function that reads all other lines, they have
//! fewer registers, and cost one percent more instructions.

use super::current::FastPath;
use super::exposition_state::ExpositionState;
use crate::exposition::Scanner;
use crate::mapping::plan::exposition::RuleId;
use crate::rewrite::exposition::gathered::GatheredId;
use crate::rewrite::exposition::output::Output;
use crate::rewrite::exposition::recorder::Recorder;

impl<R: Recorder> ExpositionState<R> {
    /// Reads samples that differ from the one before only in the value of their last label, as long
    /// as nothing has to be decided: they pass like the one before, or are the next buckets.
    ///
    /// Returns the number of lines. [`sample`](Self::sample) has to take the next one.
    #[inline]
    pub(in crate::rewrite::exposition) fn read_alike(
        &mut self,
        scanner: &Scanner,
        out: &mut Output<'_>,
    ) -> u64 {
        let lines = match self.current.fast_path {
            FastPath::None => return 0,
            FastPath::Pass => self.pass_alike(scanner, out),
            FastPath::Bucket { rule, id, forward } => {
                self.add_alike(scanner, rule, id, forward, out)
            }
            FastPath::Renamed(rule) => self.rename_alike(scanner, rule, out),
        };
        self.report.samples_in += lines;
        lines
    }

    #[inline(never)]
    fn pass_alike(&mut self, scanner: &Scanner, out: &mut Output<'_>) -> u64 {
        let input = out.rest();
        let (mut lines, mut read) = (0, 0);
        while let Some(alike) = scanner.alike(&input[read..]) {
            read += alike.len;
            lines += 1;
        }
        out.keep(read);
        self.report.passed += lines;
        lines
    }

    #[inline(never)]
    fn add_alike(
        &mut self,
        scanner: &Scanner,
        rule: RuleId,
        id: GatheredId,
        forward: bool,
        out: &mut Output<'_>,
    ) -> u64 {
        let Some(rows) = self.gathered.histograms_mut(id) else { return 0 };
        let input = out.rest();
        let (mut lines, mut read) = (0, 0);
        loop {
            let rest = &input[read..];
            let Some(alike) = scanner.alike(rest) else { break };
            let cell = match rows.boundaries.next_cell(rest, alike.label) {
                Some(cell) => cell,
                None => match rows.boundaries.cell(alike.label.of(rest)) {
                    Ok(cell) => cell,
                    Err(_) => break,
                },
            };
            #[allow(clippy::cast_precision_loss, reason = "at most 15 digits")]
            let value = alike.integer(rest) as f64;
            if rows.bytes_to_widen(cell).is_some() || !rows.add_bucket(cell, value) {
                break;
            }
            read += alike.len;
            lines += 1;
        }
        if forward {
            out.keep(read);
            self.report.kept += lines;
        } else if lines > 0 {
            out.skip(read);
        }
        self.report.read(rule, lines);
        lines
    }

    #[inline(never)]
    fn rename_alike(&mut self, scanner: &Scanner, rule: RuleId, out: &mut Output<'_>) -> u64 {
        let mut lines = 0;
        while let Some(alike) = scanner.alike(out.rest()) {
            let line = &out.rest()[..alike.len];
            let written = out.replacement();
            written.extend_from_slice(&self.current.rendered_prefix);
            written.extend_from_slice(&line[alike.label.start()..]);
            out.skip(alike.len);
            lines += 1;
        }
        self.report.read(rule, lines);
        self.report.wrote(rule, lines);
        lines
    }
}
