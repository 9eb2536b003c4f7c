//! Writes the output of a rule.

use memchr::memchr;

use crate::mapping::plan::statsd::{Capture, LineRule, LineTemplate, Part, TagsTemplate};
use crate::rewrite::statsd::matcher::{Match, Matcher};
use crate::statsd::{Dialect, Line};

/// Writes a sample unchanged. `tail` are the blanks at the end of the line.
pub(super) fn keep(line: &Line<'_>, tail: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(line.name());
    out.extend_from_slice(line.rest());
    out.extend_from_slice(line.shared());
    out.extend_from_slice(tail);
    out.push(b'\n');
}

/// Writes the lines that replace one line or sample, each with a newline.
pub(super) struct LineWriter<'a> {
    pub(super) matcher: &'a Matcher,
    /// The whole line, if `line` is not one of several samples.
    pub(super) text: Option<&'a [u8]>,
    /// Blanks at the end of the line, which end every line written.
    pub(super) tail: &'a [u8],
    pub(super) line: &'a Line<'a>,
    pub(super) found: &'a Match<'a>,
}

impl LineWriter<'_> {
    /// Writes the lines of a rule, without the values that it skips. Returns the number of lines.
    #[inline]
    pub(super) fn write_rule(&self, rule: &LineRule, out: &mut Vec<u8>) -> u64 {
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

    /// Writes the lines of a rule, with `value` in place of the values of the line read.
    #[inline]
    fn all(&self, rule: &LineRule, value: Option<&[u8]>, out: &mut Vec<u8>) -> u64 {
        let mut written = 0;
        for template in &rule.writes {
            if self.found.tags.is_none() || self.matcher.tags.has(template.needs) {
                written += match &template.tags {
                    None => {
                        self.write(template, value, out);
                        1
                    }
                    Some(tags) => self.write_tagged(template, tags, value, out),
                };
            }
        }
        written
    }

    /// Writes a line with tags; dotted lines if it would be one that no sender sends: with tags in
    /// two places, or with a part of the prefix that the source writes as a tag. Returns the number
    /// of lines.
    fn write_tagged(
        &self,
        template: &LineTemplate,
        tags: &TagsTemplate,
        value: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> u64 {
        let in_name = tags.dialect != Dialect::DogStatsd;
        if self.matcher.name_parts.is_between() || in_name && self.line.tags().is_some() {
            tags.dotted.iter().for_each(|dotted| self.write(dotted, value, out));
            return tags.dotted.len() as u64;
        }
        // Where no bracket ends the tags, the first of packed values would be part of the last tag.
        let open = matches!(tags.dialect, Dialect::Influx | Dialect::Librato);
        if open && value.is_none() && self.line.is_packed() {
            return self.line.packed_values().fold(0, |written, value| {
                self.write(template, Some(value), out);
                written + 1
            });
        }
        self.write(template, value, out);
        1
    }

    #[inline]
    fn write(&self, template: &LineTemplate, value: Option<&[u8]>, out: &mut Vec<u8>) {
        let name_parts = &self.matcher.name_parts;
        out.extend_from_slice(name_parts.prefix(self.found.name));
        let unchanged = self.keeps_rest(template, value);
        match (&template.ending, self.text) {
            (Some(ending), Some(text)) if unchanged => {
                self.parts(&ending.front, out);
                out.extend_from_slice(&text[name_parts.start(ending.from)..]);
            }
            _ => {
                self.parts(&template.name, out);
                if unchanged {
                    out.extend_from_slice(self.line.rest());
                    out.extend_from_slice(self.line.shared());
                } else {
                    self.rest(template, value, out);
                }
            }
        }
        if !self.tail.is_empty() {
            out.extend_from_slice(self.tail);
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

    /// True if nothing after the name changes.
    #[inline]
    fn keeps_rest(&self, template: &LineTemplate, value: Option<&[u8]>) -> bool {
        let same_type =
            template.metric_type.as_ref().is_none_or(|its| **its == *self.line.metric_type());
        let own_value = value.is_none() && template.value.is_none();
        let fields = !self.line.fields().is_empty() || !self.line.shared().is_empty();
        let dogstatsd = self.found.tags.is_some() && fields;
        same_type && own_value && template.tags.is_none() && !dogstatsd
    }

    fn rest(&self, template: &LineTemplate, value: Option<&[u8]>, out: &mut Vec<u8>) {
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
        // A counter can be sampled; a set cannot, so it has no rate.
        let unrated = metric_type == b"s" && line.metric_type() != b"s";
        if template.tags.is_none() && self.found.tags.is_none() && !unrated {
            out.extend_from_slice(line.fields());
            out.extend_from_slice(line.shared());
        } else {
            self.fields(template, unrated, out);
        }
    }

    /// Whether there are no fields but tags that the rule reads, which is so in nearly every line.
    #[inline]
    fn has_only_read_tags(&self) -> bool {
        let tags = self.line.fields().strip_prefix(b"|#");
        self.found.tags.is_some() && tags.is_some_and(|tags| memchr(b'|', tags).is_none())
    }

    /// Copies the fields after the type, except tags that the rule reads and a rate that the
    /// written type cannot have.
    fn fields(&self, template: &LineTemplate, unrated: bool, out: &mut Vec<u8>) {
        if template.tags.is_none() && self.has_only_read_tags() {
            return;
        }
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
            Capture::Tag(tag) => self.matcher.tags.value(self.found.tags.unwrap_or_default(), tag),
            part => self.matcher.name_parts.part(self.found.name, part),
        }
    }
}
