//! Finds the rule that a line is for.

use memchr::memchr;

use crate::mapping::plan::statsd::{Capture, Cuts, LineRule, LineRuleId, StatsdPlan};
use crate::rewrite::statsd::Sender;
use crate::rewrite::statsd::tags::TagValues;
use crate::statsd::{Dialect, Line, NotMetric, Standing, TaggedName, tagged_name};

/// How many colons of a line are tried as the end of its name. Names have one or two of their own (an `IPv6` address
/// has up to seven); a line of nothing but colons must not cost its length squared.
const MAX_READINGS: usize = 16;

/// What is to become of a line.
pub(super) enum Fate<'a> {
    /// It leaves as it came: no rule reads it.
    Unread,
    /// It leaves as it came: it has no name, no value or no type.
    Unreadable,
    /// It leaves as it came, which is what the rule wants.
    Pass,
    /// A rule changes something.
    Change(Line<'a>, Match<'a>),
    /// The line has several samples, and a rule changes something about one of them at least.
    Samples(Line<'a>),
}

impl Fate<'_> {
    /// That of a line without a metric.
    fn of(reason: NotMetric) -> Self {
        match reason {
            NotMetric::Unreadable => Fate::Unreadable,
            NotMetric::Blank | NotMetric::Event | NotMetric::ServiceCheck => Fate::Unread,
        }
    }
}

/// What becomes of one sample.
pub(super) enum Found<'a> {
    /// No rule reads it.
    Nothing,
    /// A rule reads it and wants it as it came.
    Kept,
    /// A rule changes something.
    Changed(Match<'a>),
}

/// The rule for a line. Where its parts lie is in the finder, until the next line is looked at.
#[derive(Clone, Copy)]
pub(super) struct Match<'a> {
    pub(super) rule: LineRuleId,
    /// The name without tags.
    pub(super) name: &'a [u8],
    /// The tags of a line that is read for its tags.
    pub(super) tags: Option<&'a [u8]>,
}

/// Finds rules, and keeps where the parts of the last line lie.
#[derive(Debug, Default)]
pub(super) struct Finder {
    pub(super) cuts: Cuts,
    /// Of the other reading of a line that both generations may mean.
    rival_cuts: Cuts,
    pub(super) tags: TagValues,
}

impl Finder {
    /// Tries the readings of a line until there is a rule for one.
    #[inline]
    pub(super) fn line<'a>(
        &mut self,
        plan: &StatsdPlan,
        text: &'a [u8],
        sender: &mut Sender,
    ) -> Fate<'a> {
        if !plan.concerns(text) {
            return Line::check(text).map_or_else(Fate::of, |()| Fate::Unread);
        }
        let mut line = match Line::parse(text) {
            Ok(line) => line,
            Err(reason) => return Fate::of(reason),
        };
        let mut poor = None;
        for _ in 0..MAX_READINGS {
            let standing = line.standing();
            if standing != Standing::Wrong {
                let fate = self.reading(plan, line, sender);
                match &fate {
                    Fate::Unread if standing == Standing::Sure => break,
                    Fate::Unread => {}
                    _ if standing == Standing::Sure => return fate,
                    // A rule that names the set's type may be for a longer name.
                    Fate::Change(_, found) if !plan.rule(found.rule).any_type => return fate,
                    Fate::Change(..) | Fate::Samples(_) => {
                        poor.get_or_insert(line);
                    }
                    _ => return fate,
                }
            }
            match Line::parse_from(text, line.name().len() + 1) {
                Ok(next) => line = next,
                Err(_) => break,
            }
        }
        poor.map_or(Fate::Unread, |line| self.reading(plan, line, sender))
    }

    #[inline]
    fn reading<'a>(&mut self, plan: &StatsdPlan, line: Line<'a>, sender: &mut Sender) -> Fate<'a> {
        if line.has_more() {
            return self.samples(plan, line, sender);
        }
        match self.sample(plan, &line, sender) {
            Found::Nothing => Fate::Unread,
            Found::Kept => Fate::Pass,
            Found::Changed(found) => Fate::Change(line, found),
        }
    }

    #[cold]
    fn samples<'a>(&mut self, plan: &StatsdPlan, line: Line<'a>, sender: &mut Sender) -> Fate<'a> {
        if memchr(b'|', line.name()).is_some() {
            // It may be samples of a shorter name as well, and the lines that they would become others again.
            return Fate::Unread;
        }
        let mut fate = Fate::Unread;
        for sample in line.samples() {
            match self.sample(plan, &sample, sender) {
                Found::Nothing => {}
                Found::Kept => fate = Fate::Pass,
                Found::Changed(_) => return Fate::Samples(line),
            }
        }
        fate
    }

    /// Finds the rule for one sample.
    #[inline]
    pub(super) fn sample<'a>(
        &mut self,
        plan: &StatsdPlan,
        line: &Line<'a>,
        sender: &mut Sender,
    ) -> Found<'a> {
        let name = line.name();
        let mut found = match plan.find(name, line.metric_type(), None, &mut self.cuts) {
            Some(rule) if !plan.rule(rule).tagged => Match { rule, name, tags: None },
            Some(rule) => match self.tags_behind(plan, rule, line) {
                Some(found) => found,
                None => return Found::Nothing,
            },
            None => match self.tags_in_name(plan, line) {
                Some(found) => found,
                None => return Found::Nothing,
            },
        };
        let mut rule = plan.rule(found.rule);
        match self.rival(plan, rule, &found, line) {
            None => sender.generation = Some(rule.reads),
            Some(rival) if sender.generation == Some(rule.reads.other()) => {
                found.rule = rival;
                rule = plan.rule(rival);
                std::mem::swap(&mut self.cuts, &mut self.rival_cuts);
            }
            Some(_) => {}
        }
        if rule.keep && rule.writes.is_empty() { Found::Kept } else { Found::Changed(found) }
    }

    /// The rule of the other generation that reads the line too.
    #[inline]
    fn rival(
        &mut self,
        plan: &StatsdPlan,
        rule: &LineRule,
        found: &Match<'_>,
        line: &Line<'_>,
    ) -> Option<LineRuleId> {
        let has =
            |(part, text): &(Capture, Box<[u8]>)| self.cuts.part(found.name, *part) == &**text;
        if !rule.rivals.iter().any(|parts| parts.iter().all(has)) {
            return None;
        }
        let other = Some(rule.reads.other());
        plan.find(found.name, line.metric_type(), other, &mut self.rival_cuts)
    }

    /// Reads a line for the tags behind its type.
    fn tags_behind<'a>(
        &mut self,
        plan: &StatsdPlan,
        rule: LineRuleId,
        line: &Line<'a>,
    ) -> Option<Match<'a>> {
        self.tagged(plan, rule, line, line.name(), (line.tags()?, Dialect::DogStatsd))
    }

    /// Finds the rule for a line that has tags in its name.
    fn tags_in_name<'a>(&mut self, plan: &StatsdPlan, line: &Line<'a>) -> Option<Match<'a>> {
        if !plan.tagged {
            return None;
        }
        let TaggedName { dialect, name, tags, behind } = tagged_name(line.name())?;
        let rule = plan.find(name, line.metric_type(), None, &mut self.cuts)?;
        if !plan.rule(rule).tagged || !behind.is_empty() {
            return None;
        }
        self.tagged(plan, rule, line, name, (tags, dialect))
    }

    /// A line that is read for its tags, if they are the source's and enough for one line at least.
    fn tagged<'a>(
        &mut self,
        plan: &StatsdPlan,
        rule: LineRuleId,
        line: &Line<'_>,
        name: &'a [u8],
        (tags, dialect): (&'a [u8], Dialect),
    ) -> Option<Match<'a>> {
        let known = self.tags.read(tags, dialect, plan) && self.tags.serve(plan.rule(rule));
        let misleads = known && memchr(b'|', tags).is_some() && self.misleads(tags, line);
        (known && !misleads).then_some(Match { rule, name, tags: Some(tags) })
    }

    /// True where nobody could read the lines that these tags would make. There are no escapes, so the line is better left
    /// as it came.
    #[cold]
    fn misleads(&self, tags: &[u8], line: &Line<'_>) -> bool {
        // As the text of a set, a value with a `|` in it runs into the field behind.
        let is_further = |field: &[u8]| !field.starts_with(b"|#") && !field.starts_with(b"|@");
        line.each_field().any(is_further) || self.tags.values(tags).any(ends_names)
    }
}

/// True for a text that reads as a whole line with more behind it. As a part of a name it ends that name.
fn ends_names(text: &[u8]) -> bool {
    let mut from = 0;
    for _ in 0..MAX_READINGS {
        let Ok(line) = Line::parse_from(text, from) else { return false };
        let goes_on = line.has_more() || !line.fields().is_empty();
        if goes_on && line.standing() != Standing::Wrong {
            return true;
        }
        from = line.name().len() + 1;
    }
    true
}
