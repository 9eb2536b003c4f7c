//! One `StatsD` line: `name:value|type|@rate|#tags`.

mod plain;
#[cfg(test)]
mod tests;

use memchr::memchr;

use super::near::find;
use super::tags::field_len;

/// One sample of a metric, or several with the same name.
///
/// There are two ways to write several: `a:1:2:3|ms` packs values with one type, `a:1|c:2|ms`
/// repeats value and type. A part between colons that contains no `|` is a packed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is about another part of the line")]
pub struct Line<'a> {
    name: &'a [u8],
    /// Everything after the name, with the `:`: this sample, and any further ones.
    after_name: &'a [u8],
    /// The ends of value, type and fields of this sample, as offsets in `after_name`.
    value: usize,
    metric_type: usize,
    fields: usize,
    /// True if the value contains a `:`.
    colons: bool,
    /// True if the type was found to be one. False: not checked.
    typed: bool,
    /// True if the type was found at the end of the line, because the value contains a `|`.
    pieced: bool,
    /// True if there is one field: tags without a `|`.
    only_tags: bool,
    /// The tags field of the last sample of the line, which applies to this one too.
    shared: &'a [u8],
}

/// Why a line has no metric that a rule could match. It is not necessarily malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMetric {
    /// The line is empty.
    Blank,
    /// A `DogStatsD` event, `_e{…}`. It has a title, but no name.
    Event,
    /// A `DogStatsD` service check, `_sc|…`.
    ServiceCheck,
    /// No `:` ends a name, or no `|` begins a type.
    Unreadable,
}

/// Whether a reading of a line is the intended one.
///
/// The protocol has no escapes. A name that contains a `:` (an `IPv6` address, a user called
/// `org:7`) is read as a shorter name, unless the reader checks whether the text after it can be a
/// value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// The text after the name has the form of a value.
    Sure,
    /// Both are possible, this reading and a longer name, because the text of a set is arbitrary.
    Doubtful,
    /// The text after the name is not a value, so the name is longer.
    Wrong,
}

impl NotMetric {
    /// Checks for lines that are recognized by their first bytes.
    #[inline]
    fn check_start(line: &[u8]) -> Result<(), NotMetric> {
        match line {
            [] | [b'\r'] => Err(NotMetric::Blank),
            [b'_', b'e', b'{', ..] => Err(NotMetric::Event),
            [b'_', b's', b'c', b'|', ..] => Err(NotMetric::ServiceCheck),
            _ => Ok(()),
        }
    }
}

impl<'a> Line<'a> {
    /// Parses a line without its newline. The name ends at the first `:`.
    ///
    /// # Errors
    ///
    /// The line has no metric; forward it unchanged.
    ///
    /// ```
    /// use crossfade::statsd::Line;
    ///
    /// let line = Line::parse(b"api.time:320|ms|@0.1|#env:test")?;
    /// assert_eq!(line.name(), b"api.time");
    /// assert_eq!(line.values(), b"320");
    /// assert_eq!(line.metric_type(), b"ms");
    /// assert_eq!(line.fields(), b"|@0.1|#env:test");
    /// # Ok::<(), crossfade::statsd::NotMetric>(())
    /// ```
    #[inline]
    pub fn parse(line: &'a [u8]) -> Result<Line<'a>, NotMetric> {
        NotMetric::check_start(line)?;
        Line::parse_from(line, 0)
    }

    /// The line without blanks and carriage returns at its end. Servers ignore these after a type.
    #[inline]
    #[must_use]
    pub fn trimmed(line: &[u8]) -> &[u8] {
        match line {
            [.., b' ' | b'\t' | b'\r'] => Line::trimmed_blanks(line),
            _ => line,
        }
    }

    #[cold]
    fn trimmed_blanks(line: &[u8]) -> &[u8] {
        let kept = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
        &line[..kept.map_or(0, |last| last + 1)]
    }

    /// Checks whether [`parse`](Self::parse) succeeds, at a lower cost.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](Self::parse).
    #[inline]
    pub fn check(line: &[u8]) -> Result<(), NotMetric> {
        NotMetric::check_start(line)?;
        // Most lines end with a short value and a type of one or two letters.
        if let [before @ .., b'|', _] | [before @ .., b'|', _, _] = line
            && before.iter().rev().take(NEAR).any(|byte| *byte == b':')
        {
            return Ok(());
        }
        let colon = memchr(b':', line).ok_or(NotMetric::Unreadable)?;
        value(&line[colon..]).map(drop).ok_or(NotMetric::Unreadable)
    }

    /// Parses a line whose name ends at the first `:` at or after the offset `from`.
    ///
    /// # Errors
    ///
    /// The line has no metric in this reading.
    #[inline]
    pub fn parse_from(line: &'a [u8], from: usize) -> Result<Line<'a>, NotMetric> {
        let rest = line.get(from..).unwrap_or_default();
        let colon = from + find(b':', rest).ok_or(NotMetric::Unreadable)?;
        let (name, after_name) = line.split_at(colon);
        let (value, colons) = value(after_name).ok_or(NotMetric::Unreadable)?;
        let last = after_name.len();
        // Most lines end with a type of one or two letters.
        if last - value <= 3 && is_type(&after_name[value + 1..]) {
            let (metric_type, fields) = (last, last);
            return Ok(Line {
                name,
                after_name,
                value,
                metric_type,
                fields,
                colons,
                typed: true,
                pieced: false,
                only_tags: false,
                shared: &[],
            });
        }
        let read = Line::sample(name, after_name, value, colons);
        // No field is `|s`.
        let typed = is_type(read.metric_type()) && !read.fields().ends_with(b"|s");
        Ok(if typed { Line { typed, ..read } } else { read.as_set() })
    }

    /// Reads the sample at the start of `after_name`, which begins with `:`. `value` is the end of
    /// its value.
    fn sample(name: &'a [u8], after_name: &'a [u8], value: usize, colons: bool) -> Line<'a> {
        let end = |from: usize| {
            // For the few bytes of a type or a rate, calling memchr costs more than this loop.
            let ends = after_name[from..].iter().position(|byte| matches!(byte, b'|' | b':'));
            ends.map_or(after_name.len(), |at| from + at)
        };
        let metric_type = end(value + 1);
        let (mut fields, mut only_tags) = (after_name.len(), false);
        match &after_name[metric_type..] {
            [b'|', b'#', tags @ ..] => only_tags = memchr(b'|', tags).is_none(),
            [b':', ..] => fields = metric_type,
            [b'|', b'@', ..] => {
                let rate = end(metric_type + 2);
                if after_name.get(rate) == Some(&b':') {
                    fields = rate;
                }
            }
            _ => {}
        }
        Line {
            name,
            after_name,
            value,
            metric_type,
            fields,
            colons,
            typed: false,
            pieced: false,
            only_tags,
            shared: &[],
        }
    }

    /// The line read as a set if it can be one: only the text of a set can contain a `|`, and a set
    /// has no rate after its type.
    #[cold]
    fn as_set(self) -> Line<'a> {
        let end = self.after_name.len();
        let is_longer = |field: &[u8]| field != b"|s" && field.ends_with(b"|s");
        let in_tags = is_type(self.metric_type()) && self.each_field().any(is_longer);
        if !self.after_name.ends_with(b"|s") || in_tags {
            return self;
        }
        let (metric_type, fields) = (end, end);
        Line { value: end - 2, metric_type, fields, pieced: true, only_tags: false, ..self }
    }

    /// The name, including tags in the name.
    #[inline]
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The value, or several separated by `:`. Not necessarily numbers: a set counts texts.
    #[inline]
    #[must_use]
    pub fn values(&self) -> &'a [u8] {
        &self.after_name[1..self.value]
    }

    /// The type: `c`, `g`, `ms`, `s`, `h`, `d`, or any other.
    #[inline]
    #[must_use]
    pub fn metric_type(&self) -> &'a [u8] {
        &self.after_name[self.value + 1..self.metric_type]
    }

    /// Everything after the type: rate, tags and unknown fields, each with its leading `|`.
    #[inline]
    #[must_use]
    pub fn fields(&self) -> &'a [u8] {
        &self.after_name[self.metric_type..self.fields]
    }

    /// Value, type and fields, with the leading `:`.
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.after_name[..self.fields]
    }

    /// Everything after the name, with the leading `:`, and the length of value and type in it.
    #[inline]
    #[must_use]
    pub fn value_and_type(&self) -> (&'a [u8], usize) {
        (self.after_name, self.metric_type)
    }

    /// Tags of the last sample that apply to this one too, with the `|` before them. Only lines
    /// from [`samples`](Self::samples) have them.
    #[inline]
    #[must_use]
    pub fn shared(&self) -> &'a [u8] {
        self.shared
    }

    /// True if the line has further samples.
    #[inline]
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.fields < self.after_name.len()
    }

    /// True if there are several packed values. Values of a set are never packed: a `:` is part of
    /// the text.
    #[inline]
    #[must_use]
    pub fn is_packed(&self) -> bool {
        self.colons && self.metric_type() != b"s"
    }

    /// Whether this reading is the intended one. If it is not [`Confidence::Sure`],
    /// [`Line::parse_from`] one byte after the name gives the next reading.
    #[inline]
    #[must_use]
    pub fn confidence(&self) -> Confidence {
        let plain = !self.has_more() && !self.colons && !self.pieced;
        let typed = self.typed || is_type(self.metric_type());
        if plain && typed { Confidence::Sure } else { self.look_closer() }
    }

    #[cold]
    fn look_closer(&self) -> Confidence {
        let mut sample = *self;
        loop {
            let packed = sample.is_packed();
            if !is_type(sample.metric_type()) || packed && !sample.packed_values().all(is_number) {
                return Confidence::Wrong;
            }
            if !sample.has_more() {
                let text = sample.metric_type() == b"s" && (sample.colons || sample.pieced);
                return if text { Confidence::Doubtful } else { Confidence::Sure };
            }
            match sample.next_sample() {
                Some(next) => sample = next,
                None => return Confidence::Wrong,
            }
        }
    }

    /// The values of a line whose values are [packed](Self::is_packed).
    pub fn packed_values(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.values().split(|byte| *byte == b':')
    }

    /// The samples, each as a separate line. Tags at the end of the line apply to all of them.
    pub fn samples(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let last = self.each_sample().last();
        let shared = last.and_then(|last| last.each_field().find(|field| field.starts_with(b"|#")));
        self.each_sample().map(move |sample| match shared {
            Some(shared) if sample.tags().is_none() => Line { shared, ..sample },
            _ => sample,
        })
    }

    fn each_sample(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let mut next = Some(*self);
        std::iter::from_fn(move || {
            let sample = next.take()?;
            next = sample.next_sample();
            Some(Line { after_name: sample.rest(), ..sample })
        })
    }

    fn next_sample(&self) -> Option<Line<'a>> {
        let more = &self.after_name[self.fields..];
        let (value, colons) = value(more)?;
        Some(Line::sample(self.name, more, value, colons))
    }

    /// The fields after the type, each with its leading `|`, and then the [shared](Self::shared)
    /// tags. The tags are one field, even if they contain a `|`.
    pub fn each_field(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.fields();
        let own = std::iter::from_fn(move || {
            let (field, after) = rest.split_at_checked(field_len(rest))?;
            rest = after;
            (!field.is_empty()).then_some(field)
        });
        own.chain(Some(self.shared).filter(|shared| !shared.is_empty()))
    }

    /// The sampling rate as written, without `@`.
    #[must_use]
    pub fn rate(&self) -> Option<&'a [u8]> {
        self.each_field().find_map(|field| field.strip_prefix(b"|@"))
    }

    /// The tags after the type, without `#`.
    #[inline]
    #[must_use]
    pub fn tags(&self) -> Option<&'a [u8]> {
        if self.only_tags { self.fields().get(2..) } else { self.find_tags() }
    }

    #[inline(never)] // so that the usual case is small enough to be inlined
    fn find_tags(&self) -> Option<&'a [u8]> {
        self.each_field().find_map(|field| field.strip_prefix(b"|#"))
    }

    /// Whether there is one field: tags without a `|`.
    #[inline]
    pub(crate) fn has_only_tags(&self) -> bool {
        self.only_tags
    }
}

/// Length of the part searched byte by byte. Most values are short numbers, for which calling
/// `memchr` costs more.
const NEAR: usize = 16;

/// The end of the value at the start of `after_name`, and whether the value contains another `:`.
#[inline]
fn value(after_name: &[u8]) -> Option<(usize, bool)> {
    let mut colons = false;
    for (at, byte) in after_name.get(1..)?.iter().take(NEAR - 1).enumerate() {
        match byte {
            b'|' => return Some((at + 1, colons)),
            b':' => colons = true,
            _ => {}
        }
    }
    let far = after_name.get(NEAR..)?;
    let end = memchr(b'|', far)?;
    Some((NEAR + end, colons || memchr(b':', &far[..end]).is_some()))
}

/// True if the text can be a type: all known types are letters.
#[inline]
fn is_type(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_alphabetic)
}

/// True if the text can be a number. It is not parsed; the check only tells it from a part of a
/// name.
fn is_number(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
}
