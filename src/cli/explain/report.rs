//! The output of `explain`, which is written while the exposition is read.

use std::io;

use crate::rewrite::exposition::{ExplainedSeries, Line, StageOutline};

/// Writes an explanation. For each stage: [`begin_stage`](Self::begin_stage), its lines, its
/// series, [`end_stage`](Self::end_stage); then [`end`](Self::end).
pub(super) trait Report {
    /// Whether the report contains the output of the gateway.
    const HAS_OUTPUT: bool;

    fn begin_stage(&mut self, outline: &StageOutline) -> io::Result<()>;

    fn line(&mut self, outline: &StageOutline, line: Line) -> io::Result<()>;

    fn series(&mut self, outline: &StageOutline, series: &ExplainedSeries) -> io::Result<()>;

    fn end_stage(&mut self, outline: &StageOutline) -> io::Result<()>;

    /// A piece of the gateway's output: whole lines. Called after the first stage.
    fn output(&mut self, piece: &[u8]) -> io::Result<()>;

    fn end(&mut self) -> io::Result<()>;
}
