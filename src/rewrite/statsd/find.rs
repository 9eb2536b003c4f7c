//! Finds the rule that a line is for.

use super::Sender;
use super::tagged::TagValues;
use crate::mapping::statsd::{Capture, Cuts, LineRuleId, StatsdPlan};
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
    Change(Match<'a>),
    /// The line has several samples, and a rule changes something about one of them at least.
    Samples(Line<'a>),
}

/// A line that a rule reads. Where its parts lie is in the finder, until the next line is looked at.
#[derive(Clone, Copy)]
pub(super) struct Match<'a> {
    pub(super) rule: LineRuleId,
    pub(super) line: Line<'a>,
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
        line: &'a [u8],
        sender: &mut Sender,
    ) -> Fate<'a> {
        let mut reading = match Line::parse(line) {
            Ok(reading) => reading,
            Err(NotMetric::Unreadable) => return Fate::Unreadable,
            Err(NotMetric::Blank | NotMetric::Event | NotMetric::ServiceCheck) => {
                return Fate::Unread;
            }
        };
        if !plan.concerns(line) {
            return Fate::Unread;
        }
        for _ in 0..MAX_READINGS {
            let standing = reading.standing();
            if standing != Standing::Wrong {
                let fate = self.reading(plan, &reading, sender);
                if standing == Standing::Sure || !matches!(fate, Fate::Unread) {
                    return fate;
                }
            }
            match Line::parse_from(line, reading.name.len() + 1) {
                Ok(next) => reading = next,
                Err(_) => break,
            }
        }
        Fate::Unread
    }

    #[inline]
    fn reading<'a>(&mut self, plan: &StatsdPlan, line: &Line<'a>, sender: &mut Sender) -> Fate<'a> {
        if line.more.is_empty() {
            return self.sample(plan, line, sender);
        }
        let mut fate = Fate::Unread;
        for sample in line.samples() {
            match self.sample(plan, &sample, sender) {
                Fate::Change(_) => return Fate::Samples(*line),
                Fate::Pass => fate = Fate::Pass,
                Fate::Unread | Fate::Unreadable | Fate::Samples(_) => {}
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
    ) -> Fate<'a> {
        let found = match plan.find(line.name, line.metric_type, None, &mut self.cuts) {
            Some(rule) if plan.rule(rule).tagged => {
                let tags = line.tags();
                tags.and_then(|tags| self.tagged(plan, rule, line, tags, Dialect::DogStatsd))
            }
            Some(rule) => Some(Match { rule, line: *line, name: line.name, tags: None }),
            None if plan.tagged => self.tags_in_name(plan, line),
            None => None,
        };
        let Some(mut found) = found else { return Fate::Unread };
        let reads = plan.rule(found.rule).reads;
        let rival = if plan.rule(found.rule).rival {
            plan.find(found.name, line.metric_type, Some(reads.other()), &mut self.rival_cuts)
        } else {
            None
        };
        match rival {
            None => sender.generation = Some(reads),
            Some(rival) if sender.generation == Some(reads.other()) => {
                found.rule = rival;
                std::mem::swap(&mut self.cuts, &mut self.rival_cuts);
            }
            Some(_) => {}
        }
        let rule = plan.rule(found.rule);
        if rule.keep && rule.writes.is_empty() { Fate::Pass } else { Fate::Change(found) }
    }

    /// Finds the rule for a line that has tags in its name.
    fn tags_in_name<'a>(&mut self, plan: &StatsdPlan, line: &Line<'a>) -> Option<Match<'a>> {
        let TaggedName { dialect, name, tags, behind } = tagged_name(line.name)?;
        let rule = plan.find(name, line.metric_type, None, &mut self.cuts)?;
        let found = self.tagged(plan, rule, line, tags, dialect)?;
        (plan.rule(rule).tagged && behind.is_empty()).then_some(Match { name, ..found })
    }

    /// A line that is read for its tags, if they are the source's and enough for one line at least.
    fn tagged<'a>(
        &mut self,
        plan: &StatsdPlan,
        rule: LineRuleId,
        line: &Line<'a>,
        tags: &'a [u8],
        dialect: Dialect,
    ) -> Option<Match<'a>> {
        let known = self.tags.read(tags, dialect, plan) && self.tags.serve(plan.rule(rule));
        known.then_some(Match { rule, line: *line, name: line.name, tags: Some(tags) })
    }

    /// A part of a line that was found.
    #[inline]
    pub(super) fn part<'a>(&self, capture: Capture, found: &Match<'a>) -> &'a [u8] {
        match capture {
            Capture::Value => found.line.values,
            Capture::Tag(tag) => self.tags.value(found.tags.unwrap_or_default(), tag),
            part => self.cuts.part(found.name, part),
        }
    }
}
