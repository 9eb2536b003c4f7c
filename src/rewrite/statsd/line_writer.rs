//! Writes the output of a rule.

use memchr::memchr;

use crate::mapping::plan::statsd::{
    Capture, Ending, LineRule, LineTemplate, Part, TagsTemplate, WrittenValue,
};
use crate::rewrite::statsd::matcher::{Match, Matcher};
use crate::rewrite::statsd::piece_buffer::PieceBuffer;
use crate::rewrite::statsd::scaled::{number, write_scaled};
use crate::rewrite::statsd::short_lines::{ShortEnding, ShortLines};
use crate::statsd::{Dialect, Line};

/// Writes one of several samples unchanged. `tail` are the blanks at the end of the line.
pub(super) fn keep(line: &Line<'_>, tail: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(line.name());
    out.extend_from_slice(line.rest());
    out.extend_from_slice(line.shared());
    out.extend_from_slice(tail);
    out.push(b'\n');
}

/// A whole line, in the input that contains it.
#[derive(Clone, Copy)]
pub(super) struct WholeLine<'a> {
    /// The input from the start of the line.
    input: &'a [u8],
    length: usize,
}

impl<'a> WholeLine<'a> {
    /// The first `length` bytes of the input.
    #[inline]
    pub(super) fn new(input: &'a [u8], length: usize) -> Self {
        WholeLine { input, length }
    }

    /// The line.
    #[inline]
    pub(super) fn text(&self) -> &'a [u8] {
        &self.input[..self.length]
    }

    /// The blanks at its end.
    #[inline]
    pub(super) fn tail(&self) -> &'a [u8] {
        let line = self.text();
        &line[Line::trimmed(line).len()..]
    }

    /// Writes it unchanged.
    #[inline]
    pub(super) fn keep(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.input[..self.length]);
        out.push(b'\n');
    }
}

/// What a rule replaces.
#[derive(Clone, Copy)]
pub(super) enum Replaced<'a> {
    Line(WholeLine<'a>),
    /// One of several samples of a line. `tail` are the blanks at the end of the line.
    Sample {
        tail: &'a [u8],
    },
}

impl<'a> Replaced<'a> {
    /// Blanks at the end of the line, which end every line written.
    #[inline]
    fn tail(&self) -> &'a [u8] {
        match self {
            Replaced::Line(whole) => whole.tail(),
            Replaced::Sample { tail } => tail,
        }
    }
}

/// Writes the lines that replace one line or sample, each with a newline.
pub(super) struct LineWriter<'a> {
    matcher: &'a Matcher,
    replaced: Replaced<'a>,
    /// The line, if it has no other samples and what follows its name can be written unchanged.
    whole: Option<WholeLine<'a>>,
    /// If not, what follows the name, unless the type or the value changes. `None`: it depends on
    /// fields. What comes after that length is not part of it.
    rest: Option<(&'a [u8], usize)>,
    line: &'a Line<'a>,
    found: &'a Match<'a>,
}

impl<'a> LineWriter<'a> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called in the loop over nearly every line")]
    pub(super) fn new(
        matcher: &'a Matcher,
        replaced: Replaced<'a>,
        line: &'a Line<'a>,
        found: &'a Match<'a>,
    ) -> Self {
        let whole = match replaced {
            Replaced::Line(whole) if found.tags.is_none() || line.fields().is_empty() => {
                Some(whole)
            }
            _ => None,
        };
        let rest = if whole.is_some() { None } else { unchanged_rest(line, found, matcher) };
        LineWriter { matcher, replaced, whole, rest, line, found }
    }
}

impl LineWriter<'_> {
    /// The beginning of the name to write and the place in the line from which on it is copied, if
    /// the rule writes one line that differs only in its beginning.
    #[inline]
    pub(super) fn only_front<'r>(&self, rule: &'r LineRule) -> Option<(&'r Ending, usize)> {
        let [template] = &rule.writes[..] else { return None };
        let ending = template.ending.as_ref()?;
        let skips = || self.line.is_packed() || rule.skips(self.line.values());
        let differs = self.whole.is_none()
            || rule.scaled
            || rule.reads_values && skips()
            || !self.keeps_rest(template, None);
        (!differs).then(|| (ending, self.matcher.name_parts.start(ending.from)))
    }

    /// Writes the lines of a rule, without the values that it skips. Returns the number of lines.
    #[inline]
    pub(super) fn write_rule(
        &self,
        rule: &LineRule,
        pieces: &mut PieceBuffer,
        out: &mut Vec<u8>,
    ) -> u64 {
        let skips = |value: &[u8]| rule.skips(value);
        if !rule.reads_values {
            self.all(rule, pieces, out)
        } else if !self.line.is_packed() {
            if skips(self.line.values()) { 0 } else { self.all(rule, pieces, out) }
        } else if !self.line.packed_values().any(skips) {
            self.all(rule, pieces, out)
        } else {
            let values = self.line.packed_values().filter(|value| !skips(value));
            values.map(|value| self.each(rule, Some(value), out)).sum()
        }
    }

    /// Whether the rule writes values in another unit, and one of them is not a number.
    #[inline]
    pub(super) fn cannot_scale(&self, rule: &LineRule) -> bool {
        rule.scaled && !self.has_numbers()
    }

    #[cold]
    fn has_numbers(&self) -> bool {
        self.line.values().split(|byte| *byte == b':').all(|value| number(value).is_some())
    }

    /// Writes the lines of a rule, with the values of the line read.
    #[inline]
    fn all(&self, rule: &LineRule, pieces: &mut PieceBuffer, out: &mut Vec<u8>) -> u64 {
        match self.rest {
            Some(rest) if self.found.tags.is_some() => self.without_tags(rule, rest, pieces, out),
            _ => self.each(rule, None, out),
        }
    }

    /// Writes the lines of a rule, with `value` in place of the values of the line read.
    #[inline]
    fn each(&self, rule: &LineRule, value: Option<&[u8]>, out: &mut Vec<u8>) -> u64 {
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

    /// Writes the lines for a line with tags. `rest` is what follows the names.
    #[inline(never)]
    fn without_tags(
        &self,
        rule: &LineRule,
        rest: (&[u8], usize),
        pieces: &mut PieceBuffer,
        out: &mut Vec<u8>,
    ) -> u64 {
        let short = self.short_lines(rest);
        let mut written = 0;
        for template in rule.writes.iter().filter(|its| self.matcher.tags.has(its.needs)) {
            written += 1;
            if short.as_ref().is_none_or(|short| !short.write(template, pieces)) {
                pieces.move_to(out);
                self.write(template, None, out);
            }
        }
        pieces.move_to(out);
        written
    }

    /// Lines that consist of short pieces, if these do.
    #[inline]
    fn short_lines(&self, rest: (&[u8], usize)) -> Option<ShortLines<'_>> {
        let Replaced::Line(whole) = self.replaced else { return None };
        let ending = ShortEnding::new(rest.0, rest.1).filter(|_| whole.tail().is_empty())?;
        let line = self.line;
        let tags_at = match self.found.name.len() {
            name if name < line.name().len() => name + 1,
            name => name + rest.1 + Dialect::DogStatsd.opening().len(),
        };
        let (prefix, tags) = (self.prefix_len(), &self.matcher.tags);
        Some(ShortLines { input: whole.input, prefix, line, tags, tags_at, ending })
    }

    /// Writes a line with tags; dotted lines if it would be one that no sender sends: with tags in
    /// two places, with a tag twice, or with a part of the prefix that the sender writes as a tag.
    /// Returns the number of lines.
    #[inline(never)]
    fn write_tagged(
        &self,
        template: &LineTemplate,
        tags: &TagsTemplate,
        value: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> u64 {
        let clashes = |its: &[u8]| match tags.dialect {
            Dialect::DogStatsd => repeats(tags, its),
            Dialect::Influx | Dialect::Librato | Dialect::SignalFx => true,
        };
        if self.matcher.name_parts.is_between() || self.line.tags().is_some_and(clashes) {
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
        let unchanged = self.keeps_rest(template, value);
        if let Some(whole) = self.whole
            && unchanged
        {
            push(whole.input, (0, self.prefix_len()), out);
            let (name, from) = match &template.ending {
                Some(ending) => (&ending.front, name_parts.start(ending.from)),
                None => (&template.name, self.line.name().len()),
            };
            self.parts(name, out);
            out.extend_from_slice(&whole.input[from..whole.length]);
        } else {
            self.prefix(out);
            self.parts(&template.name, out);
            match self.rest.filter(|_| unchanged) {
                Some((rest, length)) => push(rest, (0, length), out),
                None => self.changed_rest(template, value, out),
            }
            let tail = self.replaced.tail();
            if !tail.is_empty() {
                out.extend_from_slice(tail);
            }
        }
        out.push(b'\n');
    }

    /// The length of the prefix, with the dot after it.
    #[inline]
    pub(super) fn prefix_len(&self) -> usize {
        self.matcher.name_parts.prefix(self.found.name).len()
    }

    /// Writes the prefix.
    #[inline]
    pub(super) fn prefix(&self, out: &mut Vec<u8>) {
        push(self.found.name, (0, self.prefix_len()), out);
    }

    /// Writes the beginning of a name: most often one text.
    #[inline]
    pub(super) fn front(&self, ending: &Ending, out: &mut Vec<u8>) {
        match &ending.front[..] {
            [] => {}
            [Part::Text(text)] => text.write(out),
            parts => self.parts(parts, out),
        }
    }

    #[inline]
    fn parts(&self, parts: &[Part], out: &mut Vec<u8>) {
        let tags = &self.matcher.tags;
        for part in parts {
            match part {
                Part::Text(text) => text.write(out),
                Part::Copy(Capture::Tag(tag)) => {
                    push(self.found.tags.unwrap_or_default(), tags.value(*tag), out);
                }
                Part::Segment(Capture::Tag(tag)) if !tags.have_dots() => {
                    push(self.found.tags.unwrap_or_default(), tags.value(*tag), out);
                }
                Part::Copy(capture) => out.extend_from_slice(self.part(*capture)),
                Part::Segment(capture) => self.segment(*capture, out),
            }
        }
    }

    /// Appends a [part](Self::part) as one segment.
    #[inline(never)] // so that `parts` is small enough to be inlined
    fn segment(&self, capture: Capture, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(self.part(capture));
        let dots = out[start..].iter_mut().filter(|byte| **byte == b'.');
        dots.for_each(|dot| *dot = b'_');
    }

    /// True if neither the value nor the type changes, and there are no tags to write.
    #[inline]
    fn keeps_rest(&self, template: &LineTemplate, value: Option<&[u8]>) -> bool {
        let own_value = value.is_none() && template.value.is_none();
        own_value
            && template.tags.is_none()
            && template.metric_type.as_ref().is_none_or(|its| **its == *self.line.metric_type())
    }

    #[inline(never)] // so that `write` is small enough to be inlined
    fn changed_rest(&self, template: &LineTemplate, value: Option<&[u8]>, out: &mut Vec<u8>) {
        if let Some(tags) = &template.tags
            && tags.dialect != Dialect::DogStatsd
        {
            self.tags(tags, out);
        }
        let line = self.line;
        let metric_type = template.metric_type.as_deref().unwrap_or(line.metric_type());
        out.push(b':');
        match template.value {
            None => out.extend_from_slice(value.unwrap_or(line.values())),
            Some(WrittenValue::Part(part)) => out.extend_from_slice(self.part(part)),
            Some(WrittenValue::Scaled(scale)) => {
                write_scaled(value.unwrap_or(line.values()), scale, out);
            }
        }
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

    /// Copies the fields after the type, except tags that the rule reads and a rate that the
    /// written type cannot have.
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
            Capture::Tag(tag) => {
                let (start, end) = self.matcher.tags.value(tag);
                &self.found.tags.unwrap_or_default()[start..end]
            }
            part => self.matcher.name_parts.part(self.found.name, part),
        }
    }
}

/// Whether one of these `DogStatsD` tags has a key of the template.
#[cold]
fn repeats(template: &TagsTemplate, tags: &[u8]) -> bool {
    let keys = tags.split(|byte| *byte == b',').map(|tag| {
        let end = memchr(b':', tag).unwrap_or(tag.len());
        &tag[..end]
    });
    keys.into_iter().any(|key| template.tags.iter().any(|(its, _)| **its == *key))
}

/// What follows the name, unless the type or the value changes. `None`: it depends on fields.
fn unchanged_rest<'a>(
    line: &Line<'a>,
    found: &Match<'_>,
    matcher: &Matcher,
) -> Option<(&'a [u8], usize)> {
    if !line.shared().is_empty() {
        return None;
    }
    let Some(tags) = found.tags.filter(|_| !line.fields().is_empty()) else {
        return Some((line.rest(), line.rest().len()));
    };
    // There are no fields but tags that the rule reads, which is so in nearly every line.
    let only_tags = found.name.len() == line.name().len()
        && line.fields().len() == tags.len() + Dialect::DogStatsd.opening().len();
    (only_tags && !matcher.tags.have_bars()).then(|| line.value_and_type())
}

/// Appends a part of a text. Parts are short, and copying a fixed number of bytes needs no function
/// call. Which bytes of the text come after the part does not matter.
#[inline]
fn push(text: &[u8], (start, end): (usize, usize), out: &mut Vec<u8>) {
    const SHORT: usize = 16;
    match text.get(start..).and_then(|rest| rest.first_chunk::<SHORT>()) {
        Some(short) if end - start <= SHORT => {
            let length = out.len() + end - start;
            out.extend_from_slice(short);
            out.truncate(length);
        }
        _ => out.extend_from_slice(&text[start..end]),
    }
}
