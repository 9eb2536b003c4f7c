//! Writes what becomes of a line.

use crate::mapping::plan::statsd::{Capture, LineRule, LineTemplate, Part, TagsTemplate};
use crate::rewrite::statsd::find::{Finder, Found, Match};
use crate::rewrite::statsd::{Rewriter, Sender};
use crate::statsd::{Dialect, Line};

impl Rewriter {
    /// Writes what becomes of a line, each line with a newline. `text` is the line as it stands; of one of several
    /// samples there is none.
    #[inline]
    pub(super) fn change(
        &mut self,
        text: Option<&[u8]>,
        line: &Line<'_>,
        found: &Match<'_>,
        out: &mut Vec<u8>,
    ) {
        let rule = self.plan.rule(found.rule);
        let kept = u64::from(rule.keep);
        if rule.keep {
            keep(line, out);
        }
        let written = Pen { finder: &self.finder, text, line, found }.values(rule, out);
        let report = &mut self.report;
        report.lines_out += kept + written;
        if kept + written == 0 {
            let implied = rule.writes.is_empty();
            *(if implied { &mut report.implied } else { &mut report.skipped }) += 1;
        }
        report.count(found.rule, written);
    }

    /// Writes each sample of a line as a line of its own: what becomes of them differs.
    pub(super) fn change_samples(
        &mut self,
        line: &Line<'_>,
        sender: &mut Sender,
        out: &mut Vec<u8>,
    ) {
        for sample in line.samples() {
            if let Found::Changed(found) = self.finder.sample(&self.plan, &sample, sender) {
                self.change(None, &sample, &found, out);
            } else {
                keep(&sample, out);
                self.report.lines_out += 1;
            }
        }
    }
}

/// Writes a sample as it came.
fn keep(line: &Line<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(line.name());
    out.extend_from_slice(line.behind_name());
    out.push(b'\n');
}

/// Writes lines in place of one.
struct Pen<'a> {
    finder: &'a Finder,
    text: Option<&'a [u8]>,
    line: &'a Line<'a>,
    found: &'a Match<'a>,
}

impl Pen<'_> {
    /// Writes the lines of a rule, without values that stand for none. Gives back how many lines.
    #[inline]
    fn values(&self, rule: &LineRule, out: &mut Vec<u8>) -> u64 {
        if rule.skip.is_empty() {
            return self.all(rule, None, out);
        }
        let skips = |value: &[u8]| rule.skip.iter().any(|skip| **skip == *value);
        if !self.line.is_packed() {
            return if skips(self.line.values()) { 0 } else { self.all(rule, None, out) };
        }
        if !self.line.packed_values().any(skips) {
            return self.all(rule, None, out);
        }
        let values = self.line.packed_values().filter(|value| !skips(value));
        values.map(|value| self.all(rule, Some(value), out)).sum()
    }

    /// Writes the lines of a rule, with `value` in place of the values that came.
    #[inline]
    fn all(&self, rule: &LineRule, value: Option<&[u8]>, out: &mut Vec<u8>) -> u64 {
        let mut written = 0;
        for template in &rule.writes {
            if self.found.tags.is_none() || self.finder.tags.has(template.needs) {
                self.write(template, value, out);
                written += 1;
            }
        }
        written
    }

    #[inline]
    fn write(&self, template: &LineTemplate, value: Option<&[u8]>, out: &mut Vec<u8>) {
        let cuts = &self.finder.cuts;
        out.extend_from_slice(cuts.prefix(self.found.name));
        let as_it_came = self.keeps_behind_name(template, value);
        match (&template.ending, self.text) {
            (Some(ending), Some(text)) if as_it_came => {
                self.parts(&ending.front, out);
                out.extend_from_slice(&text[cuts.start(ending.from)..]);
            }
            _ => {
                self.parts(&template.name, out);
                if as_it_came {
                    out.extend_from_slice(self.line.behind_name());
                } else {
                    self.behind_name(template, value, out);
                }
            }
        }
        out.push(b'\n');
    }

    #[inline]
    fn parts(&self, parts: &[Part], out: &mut Vec<u8>) {
        for part in parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Copy(capture) => out.extend_from_slice(self.part(*capture)),
                Part::Segment(capture) => {
                    let undotted = |byte: &u8| if *byte == b'.' { b'_' } else { *byte };
                    out.extend(self.part(*capture).iter().map(undotted));
                }
            }
        }
    }

    /// True when nothing behind the name changes.
    #[inline]
    fn keeps_behind_name(&self, template: &LineTemplate, value: Option<&[u8]>) -> bool {
        let same_type =
            template.metric_type.as_ref().is_none_or(|its| **its == *self.line.metric_type());
        let own_value = value.is_none() && template.value.is_none();
        let dogstatsd = self.found.tags.is_some() && !self.line.fields().is_empty();
        same_type && own_value && template.tags.is_none() && !dogstatsd
    }

    fn behind_name(&self, template: &LineTemplate, value: Option<&[u8]>, out: &mut Vec<u8>) {
        if let Some(tags) = &template.tags
            && tags.dialect != Dialect::DogStatsd
        {
            self.tags(tags, out);
        }
        let line = self.line;
        let value = template.value.map(|value| self.part(value)).or(value);
        let metric_type = template.metric_type.as_deref().unwrap_or(line.metric_type());
        out.push(b':');
        out.extend_from_slice(value.unwrap_or(line.values()));
        out.push(b'|');
        out.extend_from_slice(metric_type);
        // Events are counted in part, members of a set are not: a set has no rate.
        let unrated = metric_type == b"s" && line.metric_type() != b"s";
        if template.tags.is_none() && self.found.tags.is_none() && !unrated {
            out.extend_from_slice(line.fields());
        } else {
            self.fields(template, unrated, out);
        }
    }

    /// Copies the fields behind the type, but for tags that were read, and a rate that would mean nothing.
    fn fields(&self, template: &LineTemplate, unrated: bool, out: &mut Vec<u8>) {
        let mut tags = template.tags.as_ref().filter(|it| it.dialect == Dialect::DogStatsd);
        for field in self.line.each_field() {
            if let Some(its) = field.strip_prefix(b"|#") {
                if let Some(tags) = tags.take() {
                    self.tags(tags, out);
                    out.push(b',');
                    out.extend_from_slice(its);
                } else if self.found.tags.is_none() {
                    out.extend_from_slice(field);
                }
            } else if !(unrated && field.starts_with(b"|@")) {
                out.extend_from_slice(field);
            }
        }
        if let Some(tags) = tags {
            self.tags(tags, out);
        }
    }

    fn tags(&self, template: &TagsTemplate, out: &mut Vec<u8>) {
        let dialect = template.dialect;
        out.extend_from_slice(dialect.opening());
        for (index, (key, value)) in template.tags.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key);
            out.push(dialect.equals());
            out.extend_from_slice(self.part(*value));
        }
        out.extend_from_slice(dialect.closing());
    }

    /// A part of the line that was read.
    #[inline]
    fn part(&self, capture: Capture) -> &[u8] {
        match capture {
            Capture::Value => self.line.values(),
            Capture::Tag(tag) => self.finder.tags.value(self.found.tags.unwrap_or_default(), tag),
            part => self.finder.cuts.part(self.found.name, part),
        }
    }
}
