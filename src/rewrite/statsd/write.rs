//! Writes what becomes of a line.

use memchr::memchr;

use super::find::{Fate, Finder, Match};
use super::{Rewriter, Sender};
use crate::mapping::statsd::{LineRule, LineTemplate, Part, TagsTemplate};
use crate::statsd::{Dialect, Line};

impl Rewriter {
    /// Writes what becomes of a line, each line with a newline.
    #[inline]
    pub(super) fn change(&mut self, found: &Match<'_>, out: &mut Vec<u8>) {
        let rule = self.plan.rule(found.rule);
        let kept = u64::from(rule.keep);
        if rule.keep {
            keep(&found.line, out);
        }
        let written = self.finder.write_values(rule, found, out);
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
            if let Fate::Change(found) = self.finder.sample(&self.plan, &sample, sender) {
                self.change(&found, out);
            } else {
                keep(&sample, out);
                self.report.lines_out += 1;
            }
        }
    }
}

/// Writes a sample as it came.
fn keep(line: &Line<'_>, out: &mut Vec<u8>) {
    for piece in [line.name, b":", line.values, b"|", line.metric_type, line.fields, b"\n"] {
        out.extend_from_slice(piece);
    }
}

impl Finder {
    /// Writes the lines of a rule, without values that stand for none. Gives back how many lines.
    #[inline]
    fn write_values(&self, rule: &LineRule, found: &Match<'_>, out: &mut Vec<u8>) -> u64 {
        let values = found.line.values;
        let skips = |value: &[u8]| rule.skip.iter().any(|skip| **skip == *value);
        if rule.skip.is_empty() || memchr(b':', values).is_none() {
            return if skips(values) { 0 } else { self.write_all(rule, found, values, out) };
        }
        if !found.line.packed_values().any(skips) {
            return self.write_all(rule, found, values, out);
        }
        let values = found.line.packed_values().filter(|value| !skips(value));
        values.map(|value| self.write_all(rule, found, value, out)).sum()
    }

    fn write_all(
        &self,
        rule: &LineRule,
        found: &Match<'_>,
        values: &[u8],
        out: &mut Vec<u8>,
    ) -> u64 {
        let mut written = 0;
        for template in &rule.writes {
            if found.tags.is_none() || self.tags.has(template.needs) {
                self.write(template, found, values, out);
                written += 1;
            }
        }
        written
    }

    #[inline]
    fn write(&self, template: &LineTemplate, found: &Match<'_>, values: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.cuts.prefix(found.name));
        for part in &template.name {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Copy(capture) => out.extend_from_slice(self.part(*capture, found)),
                Part::Segment(capture) => {
                    let undotted = |byte: &u8| if *byte == b'.' { b'_' } else { *byte };
                    out.extend(self.part(*capture, found).iter().map(undotted));
                }
            }
        }
        if let Some(tags) = &template.tags
            && tags.dialect != Dialect::DogStatsd
        {
            self.write_tags(tags, found, out);
        }
        out.push(b':');
        out.extend_from_slice(template.value.map_or(values, |value| self.part(value, found)));
        out.push(b'|');
        let metric_type = template.metric_type.as_deref().unwrap_or(found.line.metric_type);
        out.extend_from_slice(metric_type);
        // Events are counted in part, members of a set are not: a set has no rate.
        let unrated = metric_type == b"s" && found.line.metric_type != b"s";
        if template.tags.is_none() && found.tags.is_none() && !unrated {
            out.extend_from_slice(found.line.fields);
        } else {
            self.write_fields(template, unrated, found, out);
        }
        out.push(b'\n');
    }

    /// Copies the fields behind the type, but for tags that were read, and a rate that would mean nothing.
    fn write_fields(
        &self,
        template: &LineTemplate,
        unrated: bool,
        found: &Match<'_>,
        out: &mut Vec<u8>,
    ) {
        let mut tags = template.tags.as_ref().filter(|it| it.dialect == Dialect::DogStatsd);
        for field in found.line.each_field() {
            if let Some(its) = field.strip_prefix(b"|#") {
                if let Some(tags) = tags.take() {
                    self.write_tags(tags, found, out);
                    out.push(b',');
                    out.extend_from_slice(its);
                } else if found.tags.is_none() {
                    out.extend_from_slice(field);
                }
            } else if !(unrated && field.starts_with(b"|@")) {
                out.extend_from_slice(field);
            }
        }
        if let Some(tags) = tags {
            self.write_tags(tags, found, out);
        }
    }

    fn write_tags(&self, template: &TagsTemplate, found: &Match<'_>, out: &mut Vec<u8>) {
        let dialect = template.dialect;
        out.extend_from_slice(dialect.opening());
        for (index, (key, value)) in template.tags.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key);
            out.push(dialect.equals());
            out.extend_from_slice(self.part(*value, found));
        }
        out.extend_from_slice(dialect.closing());
    }
}
