//! Finds the rule that matches a line.

use memchr::memchr;

use crate::mapping::plan::statsd::{
    Capture, KnownEnd, LineRule, LineRuleId, Name, NameParts, StatsdPlan,
};
use crate::rewrite::statsd::recorder::Recorder;
use crate::rewrite::statsd::sender::Sender;
use crate::rewrite::statsd::tag_values::{TagValues, Tags};
use crate::statsd::{Confidence, Dialect, Line, NotMetric, TaggedName, tagged_name};

/// How many colons of a line are tried as the end of its name. Names contain one or two of their
/// own (an IPv6 address up to seven); without a limit, a line of colons would cost its length
/// squared.
const MAX_READINGS: usize = 16;

/// How a line is processed.
pub(super) enum LineDecision<'a> {
    /// Forward it: no rule matches.
    NoRule,
    /// Forward it: it has no name, no value or no type.
    Unreadable,
    /// Forward it: the rule that matches keeps it.
    Keep,
    /// Apply a rule.
    Apply(Line<'a>, Match<'a>),
    /// Decide for each sample: the line has several, and a rule changes at least one.
    ApplySamples(Line<'a>),
}

impl LineDecision<'_> {
    fn without_metric(reason: NotMetric) -> Self {
        match reason {
            NotMetric::Unreadable => LineDecision::Unreadable,
            NotMetric::Blank | NotMetric::Event | NotMetric::ServiceCheck => LineDecision::NoRule,
        }
    }
}

/// What the first line of an input is.
pub(super) enum FirstLine<'a> {
    /// No rule reads it, judged by its first bytes.
    Foreign,
    /// It is plain. The end of its name, if that was known.
    Plain(Line<'a>, Option<KnownEnd>),
    /// None of these.
    Other,
}

/// How one sample is processed.
pub(super) enum SampleDecision<'a> {
    /// Copy it: no rule matches.
    NoRule,
    /// Copy it: this rule matches and keeps it.
    Keep(LineRuleId),
    /// Apply a rule.
    Apply(Match<'a>),
}

impl SampleDecision<'_> {
    /// The rule that matches the sample.
    #[inline]
    pub(super) fn rule(&self) -> Option<LineRuleId> {
        match self {
            SampleDecision::NoRule => None,
            SampleDecision::Keep(rule) => Some(*rule),
            SampleDecision::Apply(found) => Some(found.rule),
        }
    }
}

/// The rule that matches a line. The positions of the line's parts are in the [`Matcher`], until it
/// looks at the next line.
#[derive(Clone, Copy)]
pub(super) struct Match<'a> {
    pub(super) rule: LineRuleId,
    /// The name without tags.
    pub(super) name: &'a [u8],
    /// The tags, if the rule reads them.
    pub(super) tags: Option<&'a [u8]>,
}

/// Finds rules, and holds the positions of the parts of the last line.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    pub(super) name_parts: NameParts,
    /// Positions for the rule of the other generation, if a line is ambiguous.
    other_parts: NameParts,
    pub(super) tags: TagValues,
}

impl Matcher {
    /// The first line of an input, if it is [plain](Line::plain). Of a line that begins like the
    /// last one, this part is not read again.
    #[inline]
    pub(super) fn first_line<'a>(&self, plan: &StatsdPlan, input: &'a [u8]) -> FirstLine<'a> {
        let (known, end) = plan.known(input, &self.name_parts);
        if known == 0 && !plan.concerns(input) {
            return FirstLine::Foreign;
        }
        let line = match end {
            Some(end) => Line::plain_at(input, end.length),
            None => Line::plain_after(input, known),
        };
        line.map_or(FirstLine::Other, |line| FirstLine::Plain(line, end))
    }

    /// Decides about a [plain](FirstLine::Plain) line at the start of an input.
    #[inline]
    pub(super) fn plain<'a>(
        &mut self,
        plan: &StatsdPlan,
        input: &'a [u8],
        (line, end): (&Line<'a>, Option<KnownEnd>),
        sender: &mut Sender,
        recorder: &mut impl Recorder,
    ) -> SampleDecision<'a> {
        recorder.reading();
        let metric_type = line.metric_type();
        let known = end.and_then(|end| plan.find_known(end, metric_type, &mut self.name_parts));
        let rule = known.or_else(|| {
            let name = Name::at_start_of(input, line.name().len());
            plan.find(name, metric_type, None, &mut self.name_parts)
        });
        let decision = self.sample(plan, line, rule, sender);
        if let Some(rule) = decision.rule() {
            recorder.matched(rule);
        }
        decision
    }

    /// Tries the readings of a line until a rule matches one.
    #[inline(never)] // so that the loop over plain lines is small
    pub(super) fn line<'a>(
        &mut self,
        plan: &StatsdPlan,
        text: &'a [u8],
        sender: &mut Sender,
        recorder: &mut impl Recorder,
    ) -> LineDecision<'a> {
        let text = Line::trimmed(text);
        let line = match Line::parse(text) {
            Ok(line) => line,
            Err(reason) => return LineDecision::without_metric(reason),
        };
        // Nearly every line has only one reading.
        if line.confidence() == Confidence::Sure && !self.ends_within_tags(plan, &line) {
            let name = Name::at_start_of(text, line.name().len());
            return self.reading_of(plan, line, name, sender, recorder);
        }
        self.readings(plan, text, line, sender, recorder)
    }

    /// Tries the readings of a line whose first reading may be wrong.
    #[cold]
    fn readings<'a>(
        &mut self,
        plan: &StatsdPlan,
        text: &'a [u8],
        mut line: Line<'a>,
        sender: &mut Sender,
        recorder: &mut impl Recorder,
    ) -> LineDecision<'a> {
        let mut doubtful = None;
        for _ in 0..MAX_READINGS {
            let confidence = line.confidence();
            if confidence != Confidence::Wrong && !self.ends_within_tags(plan, &line) {
                let decision = self.reading(plan, line, sender, recorder);
                match &decision {
                    LineDecision::NoRule if confidence == Confidence::Sure => break,
                    LineDecision::NoRule => {}
                    _ if confidence == Confidence::Sure => return decision,
                    // A rule that names the set's type may be for a longer name.
                    LineDecision::Apply(_, found) if !plan.rule(found.rule).any_type => {
                        return decision;
                    }
                    LineDecision::Apply(..) | LineDecision::ApplySamples(_) => {
                        doubtful.get_or_insert(line);
                    }
                    _ => return decision,
                }
            }
            match Line::parse_from(text, line.name().len() + 1) {
                Ok(next) => line = next,
                Err(_) => break,
            }
        }
        doubtful.map_or(LineDecision::NoRule, |line| self.reading(plan, line, sender, recorder))
    }

    /// True if the name ends too early: before the end of tags that nothing closes. Values are
    /// packed only in lines with tags after the type, so that what looks like packed values here is
    /// part of a tag.
    #[inline]
    fn ends_within_tags(&mut self, plan: &StatsdPlan, line: &Line<'_>) -> bool {
        plan.tagged && line.is_packed() && self.has_open_tags(plan, line)
    }

    #[cold]
    fn has_open_tags(&mut self, plan: &StatsdPlan, line: &Line<'_>) -> bool {
        let Some(TaggedName { dialect, name, .. }) = tagged_name(line.name()) else { return false };
        let rule = plan.find(name.into(), line.metric_type(), None, &mut self.name_parts);
        let open = matches!(dialect, Dialect::Influx | Dialect::Librato);
        open && rule.is_some_and(|rule| plan.rule(rule).tagged.is_some())
    }

    fn reading<'a>(
        &mut self,
        plan: &StatsdPlan,
        line: Line<'a>,
        sender: &mut Sender,
        recorder: &mut impl Recorder,
    ) -> LineDecision<'a> {
        self.reading_of(plan, line, line.name().into(), sender, recorder)
    }

    #[inline]
    fn reading_of<'a>(
        &mut self,
        plan: &StatsdPlan,
        line: Line<'a>,
        name: Name<'_>,
        sender: &mut Sender,
        recorder: &mut impl Recorder,
    ) -> LineDecision<'a> {
        recorder.reading();
        if line.has_more() {
            return self.samples(plan, line, sender, recorder);
        }
        let decision = self.any_sample(plan, &line, name, sender);
        if let Some(rule) = decision.rule() {
            recorder.matched(rule);
        }
        match decision {
            SampleDecision::NoRule => LineDecision::NoRule,
            SampleDecision::Keep(_) => LineDecision::Keep,
            SampleDecision::Apply(found) => LineDecision::Apply(line, found),
        }
    }

    #[cold]
    fn samples<'a>(
        &mut self,
        plan: &StatsdPlan,
        line: Line<'a>,
        sender: &mut Sender,
        recorder: &mut impl Recorder,
    ) -> LineDecision<'a> {
        if memchr(b'|', line.name()).is_some() {
            // These may be samples of a shorter name too, and the output would be ambiguous again.
            return LineDecision::NoRule;
        }
        let mut decision = LineDecision::NoRule;
        for sample in line.samples() {
            let of_sample = self.any_sample(plan, &sample, sample.name().into(), sender);
            if let Some(rule) = of_sample.rule() {
                recorder.matched(rule);
            }
            match of_sample {
                SampleDecision::NoRule => {}
                SampleDecision::Keep(_) => decision = LineDecision::Keep,
                SampleDecision::Apply(_) => return LineDecision::ApplySamples(line),
            }
        }
        decision
    }

    /// Finds the rule for one sample of a line that is not plain, whose name is `name`.
    #[inline(never)]
    pub(super) fn any_sample<'a>(
        &mut self,
        plan: &StatsdPlan,
        line: &Line<'a>,
        name: Name<'_>,
        sender: &mut Sender,
    ) -> SampleDecision<'a> {
        let rule = plan.find(name, line.metric_type(), None, &mut self.name_parts);
        self.sample(plan, line, rule, sender)
    }

    /// Decides about one sample, for whose name and type `rule` was found.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called in the loop over nearly every line")]
    fn sample<'a>(
        &mut self,
        plan: &StatsdPlan,
        line: &Line<'a>,
        rule: Option<LineRuleId>,
        sender: &mut Sender,
    ) -> SampleDecision<'a> {
        let untagged = rule.filter(|rule| plan.rule(*rule).tagged.is_none());
        let mut found = match untagged {
            Some(rule) => Match { rule, name: line.name(), tags: None },
            None => match self.with_tags(plan, rule, line) {
                Some(found) => found,
                None => return SampleDecision::NoRule,
            },
        };
        let mut rule = plan.rule(found.rule);
        let other = match &rule.ambiguous_with[..] {
            [] => None,
            _ => self.other_generation(plan, rule, &found, line),
        };
        match other {
            None => sender.generation = Some(rule.reads),
            Some(other) if sender.generation == Some(rule.reads.other()) => {
                found.rule = other;
                rule = plan.rule(other);
                std::mem::swap(&mut self.name_parts, &mut self.other_parts);
            }
            Some(_) => {}
        }
        if rule.keep && rule.writes.is_empty() {
            SampleDecision::Keep(found.rule)
        } else {
            SampleDecision::Apply(found)
        }
    }

    /// The rule of the other generation that matches the line too.
    fn other_generation(
        &mut self,
        plan: &StatsdPlan,
        rule: &LineRule,
        found: &Match<'_>,
        line: &Line<'_>,
    ) -> Option<LineRuleId> {
        let has = |(part, text): &(Capture, Box<[u8]>)| {
            self.name_parts.part(found.name, *part) == &**text
        };
        if !rule.ambiguous_with.iter().any(|parts| parts.iter().all(has)) {
            return None;
        }
        let other = Some(rule.reads.other());
        plan.find(found.name.into(), line.metric_type(), other, &mut self.other_parts)
    }

    /// Matches a line by its tags: those after its type, for a rule that reads tagged lines of this
    /// name, or those in its name.
    #[inline(never)] // so that the code for other lines is small
    fn with_tags<'a>(
        &mut self,
        plan: &StatsdPlan,
        rule: Option<LineRuleId>,
        line: &Line<'a>,
    ) -> Option<Match<'a>> {
        let Some(rule) = rule else { return self.tags_in_name(plan, line) };
        let (text, dialect) = (line.tags()?, Dialect::DogStatsd);
        let tags = Tags { text, dialect, bars: !line.has_only_tags() };
        self.tagged(plan, rule, line, line.name(), tags)
    }

    /// Finds the rule for a line with tags in its name.
    fn tags_in_name<'a>(&mut self, plan: &StatsdPlan, line: &Line<'a>) -> Option<Match<'a>> {
        if !plan.tagged {
            return None;
        }
        let TaggedName { dialect, name, tags, suffix } = tagged_name(line.name())?;
        let rule = plan.find(name.into(), line.metric_type(), None, &mut self.name_parts)?;
        if plan.rule(rule).tagged.is_none() || !suffix.is_empty() {
            return None;
        }
        self.tagged(plan, rule, line, name, Tags { text: tags, dialect, bars: true })
    }

    /// The match of a tagged line, if the rule's sender can have sent it and its tags are
    /// sufficient for at least one output line.
    fn tagged<'a>(
        &mut self,
        plan: &StatsdPlan,
        rule: LineRuleId,
        line: &Line<'_>,
        name: &'a [u8],
        tags: Tags<'a>,
    ) -> Option<Match<'a>> {
        let of_rule = plan.rule(rule);
        let source = of_rule.tagged.as_deref()?;
        let known = source.sends(line.metric_type())
            && self.tags.read(tags, plan, source)
            && self.tags.serve(of_rule);
        let ambiguous = known && self.tags.have_bars() && self.output_ambiguous(tags.text, line);
        (known && !ambiguous).then_some(Match { rule, name, tags: Some(tags.text) })
    }

    /// True if receivers would misread the lines made from these tags. The protocol has no escapes,
    /// so the line is then forwarded unchanged.
    #[cold]
    fn output_ambiguous(&self, tags: &[u8], line: &Line<'_>) -> bool {
        // As the text of a set, a value that contains a `|` runs into the next field.
        let is_further = |field: &[u8]| !field.starts_with(b"|#") && !field.starts_with(b"|@");
        line.each_field().any(is_further) || self.tags.values(tags).any(reads_as_line)
    }
}

/// True for text that reads as a complete line followed by more. As part of a name it would end
/// that name.
fn reads_as_line(text: &[u8]) -> bool {
    let mut from = 0;
    for _ in 0..MAX_READINGS {
        let Ok(line) = Line::parse_from(text, from) else { return false };
        let goes_on = line.has_more() || !line.fields().is_empty();
        if goes_on && line.confidence() != Confidence::Wrong {
            return true;
        }
        from = line.name().len() + 1;
    }
    true
}
