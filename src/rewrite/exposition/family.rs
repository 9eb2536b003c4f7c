//! One family of an exposition, and which of its headers were written.

use super::editions::ExportedBoundaries;
use super::resolved_plan::ResolvedPlan;
use crate::exposition::{HeaderKind, MetricType};
use crate::mapping::plan::exposition::FamilyPlan;

/// Which part of a histogram or summary a sample is, by the suffix of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HistogramPart {
    Bucket,
    Sum,
    Count,
    /// The creation time, which only `OpenMetrics` has: of a histogram, a summary or a counter.
    Created,
}

/// One family, read or written.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one header")]
pub(super) struct Family {
    pub(super) name: Box<[u8]>,
    /// How it is rewritten. Empty if no pack names it.
    pub(super) plan: FamilyPlan,
    /// The rules of patterns that read it are in the plan.
    pub(super) resolved: bool,
    /// A `# TYPE` or `# HELP` line arrived.
    pub(super) declared: bool,
    pub(super) metric_type: Option<MetricType>,
    /// The help text, still escaped, of a family that rules read.
    pub(super) help: Option<Box<[u8]>>,
    /// The unit of a family that rules read. Only `OpenMetrics` has units.
    pub(super) unit: Option<Box<[u8]>>,
    /// Header lines that are output before the first sample of this name.
    pub(super) waiting: Vec<u8>,
    pub(super) help_written: bool,
    pub(super) type_written: bool,
    pub(super) unit_written: bool,
    /// A sample of this name was output.
    pub(super) started: bool,
    /// A sample of this name arrived.
    pub(super) arrived: bool,
    /// All of its rules gather its samples, and recognize equal series themselves.
    pub(super) gathers: bool,
    /// Boundaries of its first series, if it is not gathered and its editions differ.
    pub(super) boundaries: ExportedBoundaries,
    /// Number of its series that are remembered, to recognize an equal one.
    pub(super) remembered: usize,
}

/// How many series of a family are remembered if no pack says that the family repeats. A target
/// that exports its families twice has few series in each; remembering every series of every family
/// would cost each exposition time and memory.
const REMEMBERED: usize = 256;

/// What to do with a header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderAction {
    /// Output it unchanged.
    Pass,
    /// Keep it. Whether it is output depends on the samples.
    Wait,
    /// The family has this header already. Strict parsers refuse a second one.
    Repeated,
}

impl Family {
    pub(super) fn new(name: &[u8], plan: FamilyPlan) -> Self {
        Family {
            name: name.into(),
            plan,
            resolved: false,
            gathers: false,
            declared: false,
            metric_type: None,
            help: None,
            unit: None,
            waiting: Vec::new(),
            help_written: false,
            type_written: false,
            unit_written: false,
            started: false,
            arrived: false,
            boundaries: ExportedBoundaries::default(),
            remembered: 0,
        }
    }

    /// The family is in the input: adds the rules of patterns.
    pub(super) fn resolve(&mut self, plan: &mut ResolvedPlan) {
        plan.read_family(&self.name, &mut self.plan);
        let rules = &self.plan.rules;
        self.gathers = !rules.is_empty() && rules.iter().all(|&rule| !plan.rule(rule).stream);
        self.resolved = true;
    }

    /// Whether the next series must be compared with those that arrived before.
    pub(super) fn is_deduplicated(&self) -> bool {
        self.plan.deduplicated || (!self.gathers && self.remembered < REMEMBERED)
    }

    /// Whether no pack names this family.
    pub(super) fn is_plain(&self) -> bool {
        self.is_not_read() && !self.plan.deduplicated && !self.plan.written
    }

    /// Whether its samples pass unless a rule has written an equal series.
    pub(super) fn is_not_read(&self) -> bool {
        let plan = &self.plan;
        plan.rules.is_empty() && plan.dropped.is_empty() && plan.reference.is_none()
    }

    /// Whether its headers are held until a sample shows whether they are needed.
    pub(super) fn holds_headers(&self) -> bool {
        !self.plan.rules.is_empty() || !self.plan.dropped.is_empty()
    }

    /// Handles a header line.
    pub(super) fn header(&mut self, kind: HeaderKind, text: &[u8], line: &[u8]) -> HeaderAction {
        self.declared = true;
        let is_read = !self.plan.rules.is_empty();
        let written = match kind {
            HeaderKind::Help => {
                if self.help.is_none() && is_read {
                    self.help = Some(text.into());
                }
                self.help_written
            }
            HeaderKind::Unit => {
                if self.unit.is_none() && is_read {
                    self.unit = Some(text.into());
                }
                self.unit_written || self.started
            }
            // A type after the first sample is refused like a second one.
            HeaderKind::Type(metric_type) => {
                self.metric_type.get_or_insert(metric_type);
                self.type_written || self.started
            }
        };
        if written {
            return HeaderAction::Repeated;
        }
        match kind {
            HeaderKind::Help => self.help_written = true,
            HeaderKind::Type(_) => self.type_written = true,
            HeaderKind::Unit => self.unit_written = true,
        }
        if !self.holds_headers() {
            return HeaderAction::Pass;
        }
        self.waiting.extend_from_slice(line);
        HeaderAction::Wait
    }
}
