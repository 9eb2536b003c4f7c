//! The families of one exposition, and which of their headers were written.

use std::collections::HashMap;

use super::output::Output;
use crate::exposition::{HeaderKind, MetricType, write_value};
use crate::mapping::plan::exposition::{FamilyPlan, Plan};

/// Index of a family in [`Families`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FamilyId(usize);

/// Which part of a histogram or summary a sample is, by the suffix of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HistogramPart {
    Bucket,
    Sum,
    Count,
}

/// One family, read or written.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one header")]
pub(super) struct Family {
    pub(super) name: Box<[u8]>,
    /// How it is rewritten. Empty if no pack names it.
    pub(super) plan: FamilyPlan,
    /// A `# TYPE` or `# HELP` line arrived.
    declared: bool,
    pub(super) metric_type: Option<MetricType>,
    /// The help text, still escaped, of a family that rules read.
    help: Option<Box<[u8]>>,
    /// Header lines that are output before the first sample of this name.
    waiting: Vec<u8>,
    help_written: bool,
    type_written: bool,
    /// A sample of this name was output.
    started: bool,
    /// A sample of this name arrived.
    arrived: bool,
}

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
    fn new(name: &[u8], plan: &Plan) -> Self {
        Family {
            name: name.into(),
            plan: plan.families.get(name).cloned().unwrap_or_default(),
            declared: false,
            metric_type: None,
            help: None,
            waiting: Vec::new(),
            help_written: false,
            type_written: false,
            started: false,
            arrived: false,
        }
    }

    /// Whether no pack names this family.
    pub(super) fn is_plain(&self) -> bool {
        let plan = &self.plan;
        plan.rules.is_empty() && !plan.deduplicated && !plan.written && plan.reference.is_none()
    }

    /// Takes a header line.
    pub(super) fn header(&mut self, kind: HeaderKind, text: &[u8], line: &[u8]) -> HeaderAction {
        self.declared = true;
        let written = match kind {
            HeaderKind::Help => {
                if self.help.is_none() && !self.plan.rules.is_empty() {
                    self.help = Some(text.into());
                }
                self.help_written
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
        }
        if self.plan.rules.is_empty() {
            return HeaderAction::Pass;
        }
        self.waiting.extend_from_slice(line);
        HeaderAction::Wait
    }

    /// A sample is output unchanged: appends the header lines that were kept.
    #[inline]
    pub(super) fn pass(&mut self, out: &mut Output<'_>) {
        self.started = true;
        if !self.waiting.is_empty() {
            out.replacement().append(&mut self.waiting);
        }
    }
}

/// The families of one exposition by name.
#[derive(Debug, Default)]
pub(super) struct Families {
    list: Vec<Family>,
    by_name: HashMap<Box<[u8]>, FamilyId, foldhash::fast::RandomState>,
}

impl Families {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn family(&self, id: FamilyId) -> &Family {
        &self.list[id.0]
    }

    pub(super) fn family_mut(&mut self, id: FamilyId) -> &mut Family {
        &mut self.list[id.0]
    }

    /// Notes that a sample of this family arrived.
    pub(super) fn arrived(&mut self, id: FamilyId) -> &Family {
        let family = &mut self.list[id.0];
        family.arrived = true;
        family
    }

    /// Whether a sample of the family of this name arrived.
    pub(super) fn has_arrived(&self, name: &[u8]) -> bool {
        self.by_name.get(name).is_some_and(|id| self.list[id.0].arrived)
    }

    /// The family of this name. Adds it if it is new.
    pub(super) fn named(&mut self, name: &[u8], plan: &Plan) -> FamilyId {
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        let id = FamilyId(self.list.len());
        self.list.push(Family::new(name, plan));
        self.by_name.insert(name.into(), id);
        id
    }

    /// The family that a sample of this name belongs to, and which part of a histogram it is.
    ///
    /// The suffix alone decides nothing: `requests_count` may be the whole name of a counter. The
    /// sample is a part only if a histogram (for `_sum` and `_count`, also a summary) of the shorter
    /// name was declared, or if a pack says that it is a histogram.
    pub(super) fn of_sample(
        &mut self,
        name: &[u8],
        plan: &Plan,
    ) -> (FamilyId, Option<HistogramPart>) {
        if let Some(&id) = self.by_name.get(name)
            && self.list[id.0].declared
        {
            return (id, None);
        }
        for (suffix, part) in [
            (&b"_bucket"[..], HistogramPart::Bucket),
            (b"_sum", HistogramPart::Sum),
            (b"_count", HistogramPart::Count),
        ] {
            let Some(base) = name.strip_suffix(suffix) else {
                continue;
            };
            let known = self.by_name.get(base).copied();
            let declared = known.and_then(|id| self.list[id.0].metric_type);
            let is_part = match declared {
                Some(MetricType::Histogram) => true,
                Some(MetricType::Summary) => part != HistogramPart::Bucket,
                _ => plan.families.get(base).is_some_and(|family| family.histogram),
            };
            if is_part {
                return (self.named(base, plan), Some(part));
            }
        }
        (self.named(name, plan), None)
    }

    /// A sample is about to be written with a name that a rule gave it: appends the headers of that
    /// family, unless they were written before.
    ///
    /// `help` is the text of the pack. Without one, the help text of the family read is used.
    pub(super) fn open_written(
        &mut self,
        id: FamilyId,
        help: Option<&str>,
        source: FamilyId,
        metric_type: Option<MetricType>,
        out: &mut Vec<u8>,
    ) {
        if self.list[id.0].started {
            return;
        }
        let source_help = self.list[source.0].help.clone();
        let family = &mut self.list[id.0];
        family.started = true;
        if !family.waiting.is_empty() {
            // The name exists in both generations: the header of the emitted one is written.
            family.waiting = Vec::new();
            (family.help_written, family.type_written) = (false, false);
        }
        if !family.help_written && (help.is_some() || source_help.is_some()) {
            out.extend_from_slice(b"# HELP ");
            out.extend_from_slice(&family.name);
            out.push(b' ');
            match help {
                Some(text) => write_help(text.as_bytes(), out),
                None => write_value(&source_help.unwrap_or_default(), out),
            }
            out.push(b'\n');
            family.help_written = true;
        }
        if !family.type_written
            && let Some(metric_type) = metric_type
        {
            out.extend_from_slice(b"# TYPE ");
            out.extend_from_slice(&family.name);
            out.push(b' ');
            out.extend_from_slice(metric_type.as_str().as_bytes());
            out.push(b'\n');
            family.type_written = true;
        }
    }
}

/// Appends a help text with the two escapes that help texts have.
fn write_help(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            _ => out.push(byte),
        }
    }
}
