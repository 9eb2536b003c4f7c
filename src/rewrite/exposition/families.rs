//! The families of one exposition, and which of their headers were written.

use std::collections::HashMap;

use super::family::{Family, HeaderAction, HistogramPart};
use super::output::Output;
use super::resolved_plan::ResolvedPlan;
use super::written_headers::{
    CREATED, SUFFIXED, TOTAL, WrittenHeaders, as_in_header, has_unit, loses_exemplars,
    sample_suffix, write_header, write_help,
};
use crate::exposition::{Format, HeaderKind, MetricType};
use crate::mapping::plan::exposition::{Plan, Rule};

/// Index of a family in [`Families`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FamilyId(usize);

/// The suffixes of the parts.
const PARTS: [(&[u8], HistogramPart); 3] = [
    (b"_bucket", HistogramPart::Bucket),
    (b"_sum", HistogramPart::Sum),
    (b"_count", HistogramPart::Count),
];

/// The families of one exposition by name.
#[derive(Debug)]
pub(super) struct Families {
    format: Format,
    /// See `Options::repeated_types`.
    repeated_types: bool,
    list: Vec<Family>,
    by_name: HashMap<Box<[u8]>, FamilyId, foldhash::fast::RandomState>,
    /// The family of the `# TYPE` line that was output last.
    last_type: Option<FamilyId>,
}

impl Families {
    pub(super) fn new(format: Format, repeated_types: bool) -> Self {
        Families {
            format,
            repeated_types,
            list: Vec::new(),
            by_name: HashMap::default(),
            last_type: None,
        }
    }

    /// Handles a header line of a family. In `OpenMetrics`, the name in a header of a counter is that
    /// of its samples without `_total`, and of an info without `_info`.
    pub(super) fn header(
        &mut self,
        plan: &mut ResolvedPlan,
        name: &[u8],
        kind: HeaderKind,
        text: &[u8],
        line: &[u8],
    ) -> HeaderAction {
        if is_part_of_histogram(name, kind, plan.base()) {
            // It declares nothing: the samples belong to the family that a pack names.
            return HeaderAction::Wait;
        }
        let of_samples = self.name_of_samples(plan, name, kind);
        let id = self.named(of_samples.as_deref().unwrap_or(name), plan);
        if self.format == Format::OpenMetrics && matches!(kind, HeaderKind::Type(_)) {
            self.move_headers(name, id);
        }
        let action = self.list[id.0].header(kind, text, line);
        if action == HeaderAction::Pass && matches!(kind, HeaderKind::Type(_)) {
            self.last_type = Some(id);
        }
        action
    }

    /// The name of the samples that a header is for, if it is another name that a pack knows.
    fn name_of_samples(
        &self,
        plan: &ResolvedPlan,
        name: &[u8],
        kind: HeaderKind,
    ) -> Option<Vec<u8>> {
        if self.format != Format::OpenMetrics {
            return None;
        }
        SUFFIXED.into_iter().find_map(|metric_type| {
            let of_samples = [name, sample_suffix(metric_type)?].concat();
            let is_meant = match kind {
                HeaderKind::Type(declared) => declared == metric_type,
                HeaderKind::Help | HeaderKind::Unit => {
                    plan.reads(&of_samples) && !plan.reads(name)
                        || self.is_declared(&of_samples, metric_type)
                }
            };
            let is_known = || {
                plan.base().families.contains_key(&*of_samples)
                    || plan.has_pattern_for(&of_samples)
                    // Its headers would be those of a family without samples.
                    || plan.claims(name)
            };
            (is_meant && is_known()).then_some(of_samples)
        })
    }

    /// Whether a family of this name is declared with this type.
    fn is_declared(&self, name: &[u8], metric_type: MetricType) -> bool {
        let id = self.by_name.get(name);
        id.is_some_and(|id| self.list[id.0].metric_type == Some(metric_type))
    }

    /// The `# TYPE` with this name belongs to this family. So do the headers before it, which may have
    /// been kept for another family that they could belong to.
    fn move_headers(&mut self, name: &[u8], to: FamilyId) {
        let suffixes = SUFFIXED.into_iter().filter_map(sample_suffix);
        for other in std::iter::once(&b""[..]).chain(suffixes) {
            let other = self.by_name.get(&*[name, other].concat()).copied();
            if let Some(other) = other.filter(|other| *other != to) {
                self.move_headers_from(other, to);
            }
        }
    }

    fn move_headers_from(&mut self, from: FamilyId, to: FamilyId) {
        let family = &mut self.list[from.0];
        if family.arrived || family.waiting.is_empty() || family.type_written {
            return;
        }
        let (help, unit) = (family.help.take(), family.unit.take());
        let waiting = std::mem::take(&mut family.waiting);
        (family.help_written, family.unit_written, family.declared) = (false, false, false);
        let family = &mut self.list[to.0];
        if !family.help_written && !family.unit_written {
            (family.help_written, family.unit_written) = (help.is_some(), unit.is_some());
            (family.help, family.unit) = (help, unit);
            family.waiting.splice(..0, waiting);
        }
    }

    /// A `# TYPE` line of a family that has one already is output again.
    pub(super) fn repeat_type(&mut self, name: &[u8]) {
        self.last_type = self.by_name.get(name).copied();
    }

    /// A sample of a family is output unchanged: appends the header lines that were kept.
    #[inline]
    pub(super) fn pass(&mut self, id: FamilyId, out: &mut Output<'_>) {
        let family = &mut self.list[id.0];
        family.started = true;
        if !family.waiting.is_empty() {
            out.replacement().append(&mut family.waiting);
            if family.type_written {
                self.last_type = Some(id);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn family(&self, id: FamilyId) -> &Family {
        &self.list[id.0]
    }

    pub(super) fn family_mut(&mut self, id: FamilyId) -> &mut Family {
        &mut self.list[id.0]
    }

    /// Records that a sample of this family arrived.
    pub(super) fn arrived(&mut self, id: FamilyId) -> &Family {
        let family = &mut self.list[id.0];
        family.arrived = true;
        family
    }

    /// All families.
    pub(super) fn all(&self) -> impl Iterator<Item = &Family> {
        self.list.iter()
    }

    /// Whether a sample of the family of this name arrived.
    pub(super) fn has_arrived(&self, name: &[u8]) -> bool {
        self.by_name.get(name).is_some_and(|id| self.list[id.0].arrived)
    }

    /// The family of this name in the input. Adds it if it is new.
    pub(super) fn named(&mut self, name: &[u8], plan: &mut ResolvedPlan) -> FamilyId {
        let id = self.written(name, plan);
        let family = &mut self.list[id.0];
        if !family.resolved {
            family.resolve(plan);
        }
        id
    }

    /// The family of this name, which a rule writes. Adds it if it is new.
    pub(super) fn written(&mut self, name: &[u8], plan: &ResolvedPlan) -> FamilyId {
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        let id = FamilyId(self.list.len());
        self.list.push(Family::new(name, plan.written_family(name)));
        self.by_name.insert(name.into(), id);
        id
    }

    /// The family that a sample of this name belongs to, and which part of a histogram it is.
    ///
    /// The suffix alone is not enough: `requests_count` may be the whole name of a counter. The
    /// sample is a part only if a histogram (for `_sum` and `_count`, also a summary) of the
    /// shorter name was declared, or if a pack says that it is a histogram.
    pub(super) fn of_sample(
        &mut self,
        name: &[u8],
        plan: &mut ResolvedPlan,
    ) -> (FamilyId, Option<HistogramPart>) {
        if let Some(&id) = self.by_name.get(name)
            && self.list[id.0].declared
        {
            return (id, None);
        }
        for (suffix, part) in PARTS {
            let Some(base) = name.strip_suffix(suffix) else {
                continue;
            };
            let known = self.by_name.get(base).copied();
            let declared = known.and_then(|id| self.list[id.0].metric_type);
            let is_part = match declared {
                Some(MetricType::Histogram) => true,
                Some(MetricType::Summary) => part != HistogramPart::Bucket,
                _ => plan.base().families.get(base).is_some_and(|family| family.histogram),
            };
            if is_part {
                return (self.named(base, plan), Some(part));
            }
        }
        match self.created(name) {
            Some(id) => (id, Some(HistogramPart::Created)),
            None => (self.named(name, plan), None),
        }
    }

    /// The family of a creation time, if rules read or write it. Any other passes under its own name.
    fn created(&self, name: &[u8]) -> Option<FamilyId> {
        let base = name.strip_suffix(CREATED).filter(|_| self.format == Format::OpenMetrics)?;
        let candidates = [base.to_vec(), [base, TOTAL].concat()];
        let known = candidates.iter().filter_map(|name| self.by_name.get(&**name).copied());
        let mut created = known.filter(|id| {
            let Family { plan, metric_type, .. } = &self.list[id.0];
            let is_created = matches!(
                metric_type,
                Some(MetricType::Counter | MetricType::Histogram | MetricType::Summary)
            );
            is_created && (!plan.rules.is_empty() || !plan.dropped.is_empty() || plan.written)
        });
        created.next()
    }

    /// The headers of the family that a rule has read, for the one that it has written. `None` if it
    /// has written nothing.
    pub(super) fn headers_for(
        &self,
        written: &[u8],
        source: FamilyId,
        rule: &Rule,
    ) -> Option<WrittenHeaders> {
        let written = self.by_name.get(written).map(|id| &self.list[id.0])?;
        let source = self.list.get(source.0)?;
        if *source.name != *rule.from || !written.started {
            return None;
        }
        let metric_type = rule.written_type(source.metric_type);
        let (name, metric_type) = as_in_header(self.format, &written.name, metric_type);
        let unit = source.unit.clone().filter(|unit| rule.scale.is_none() && has_unit(name, unit));
        Some(WrittenHeaders { name: name.into(), help: source.help.clone(), metric_type, unit })
    }

    /// Whether exemplars of the samples of one family are omitted if they are written under another
    /// name and type: by the specification, only counters and buckets have exemplars.
    pub(super) fn loses_exemplars(
        &self,
        source: FamilyId,
        name: &[u8],
        written: Option<MetricType>,
    ) -> bool {
        loses_exemplars(self.format, self.list[source.0].metric_type, name, written)
    }

    /// Whether the headers of a family are written, once and for all.
    #[inline]
    pub(super) fn has_headers(&self, id: FamilyId) -> bool {
        self.list[id.0].started && !self.repeated_types
    }

    /// A sample is about to be written with a name that a rule gave it: appends the headers of that
    /// family, unless they were written before.
    ///
    /// `help` is the text of the pack. Without one, the help text of the family read is used. The
    /// unit of that family is kept if the values are, and if it is a suffix of the name.
    pub(super) fn open_written(
        &mut self,
        id: FamilyId,
        help: Option<&str>,
        source: FamilyId,
        rule: &Rule,
        metric_type: Option<MetricType>,
        out: &mut Vec<u8>,
    ) {
        let numbers_in_labels =
            matches!(metric_type, Some(MetricType::Histogram | MetricType::Summary));
        let again = self.list[id.0].started;
        if again && !(self.repeated_types && numbers_in_labels && self.last_type != Some(id)) {
            return;
        }
        let read = &self.list[source.0];
        let (source_help, source_unit) = (read.help.clone(), read.unit.clone());
        let family = &mut self.list[id.0];
        if again {
            family.type_written = false;
        }
        family.started = true;
        if !family.waiting.is_empty() {
            // The name exists in both generations: the header of the emitted one is written.
            family.waiting = Vec::new();
            (family.help_written, family.type_written, family.unit_written) = (false, false, false);
        }
        let (name, metric_type) = as_in_header(self.format, &family.name, metric_type);
        if !family.help_written && (help.is_some() || source_help.is_some()) {
            write_help(name, help, &source_help.unwrap_or_default(), out);
            family.help_written = true;
        }
        if !family.type_written
            && let Some(metric_type) = metric_type
        {
            write_header(b"# TYPE ", name, metric_type.word(self.format).as_bytes(), out);
            family.type_written = true;
            self.last_type = Some(id);
        }
        if !again
            && !family.unit_written
            && rule.scale.is_none()
            && let Some(unit) = source_unit.filter(|unit| has_unit(name, unit))
        {
            write_header(b"# UNIT ", name, &unit, out);
            family.unit_written = true;
        }
    }
}

/// Whether a header is that of one part of a histogram that a pack names, exported as a family of
/// its own without a type, as federated ones are.
fn is_part_of_histogram(name: &[u8], kind: HeaderKind, plan: &Plan) -> bool {
    matches!(kind, HeaderKind::Type(MetricType::Untyped))
        && !plan.families.contains_key(name)
        && PARTS.iter().any(|(suffix, _)| {
            let base = name.strip_suffix(*suffix);
            base.and_then(|base| plan.families.get(base)).is_some_and(|base| base.histogram)
        })
}
