//! One `StatsD` line: `name:value|type|@rate|#tags`.

use memchr::memchr;

use super::tags::field_len;

/// One sample of a metric, or several with the same name.
///
/// There are two ways to write several: `a:1:2:3|ms` packs values with one type, `a:1|c:2|ms` repeats
/// value and type. A part between colons that contains no `|` is a packed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// True if the type was found at the end of the line, because the value contains a `|`.
    pieced: bool,
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
/// The protocol has no escapes. A name that contains a `:` (an `IPv6` address, a user called `org:7`) is
/// read as a shorter name, unless the reader checks whether the text after it can be a value.
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
        let colon = from + memchr(b':', rest).ok_or(NotMetric::Unreadable)?;
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
                pieced: false,
                shared: &[],
            });
        }
        let read = Line::sample(name, after_name, value, colons);
        // No field is `|s`.
        let typed = is_type(read.metric_type()) && !read.fields().ends_with(b"|s");
        Ok(if typed { read } else { read.as_set() })
    }

    /// Reads the sample at the start of `after_name`, which begins with `:`. `value` is the end of its
    /// value.
    fn sample(name: &'a [u8], after_name: &'a [u8], value: usize, colons: bool) -> Line<'a> {
        let end = |from: usize| {
            // For the few bytes of a type or a rate, calling memchr costs more than this loop.
            let ends = after_name[from..].iter().position(|byte| matches!(byte, b'|' | b':'));
            ends.map_or(after_name.len(), |at| from + at)
        };
        let metric_type = end(value + 1);
        let mut fields = after_name.len();
        match &after_name[metric_type..] {
            [b':', ..] => fields = metric_type,
            [b'|', b'@', ..] => {
                let rate = end(metric_type + 2);
                if after_name.get(rate) == Some(&b':') {
                    fields = rate;
                }
            }
            _ => {}
        }
        let (pieced, shared) = (false, &[]);
        Line { name, after_name, value, metric_type, fields, colons, pieced, shared }
    }

    /// The line read as a set if it can be one: only the text of a set can contain a `|`, and a set has
    /// no rate after its type.
    #[cold]
    fn as_set(self) -> Line<'a> {
        let end = self.after_name.len();
        let is_longer = |field: &[u8]| field != b"|s" && field.ends_with(b"|s");
        let in_tags = is_type(self.metric_type()) && self.each_field().any(is_longer);
        if !self.after_name.ends_with(b"|s") || in_tags {
            return self;
        }
        Line { value: end - 2, metric_type: end, fields: end, pieced: true, ..self }
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

    /// Tags of the last sample that apply to this one too, with the `|` before them. Only lines from
    /// [`samples`](Self::samples) have them.
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

    /// True if there are several packed values. Values of a set are never packed: a `:` is part of the
    /// text.
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
        if plain && is_type(self.metric_type()) { Confidence::Sure } else { self.look_closer() }
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

    /// The fields after the type, each with its leading `|`, and then the [shared](Self::shared) tags. The
    /// tags are one field, even if they contain a `|`.
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
    #[must_use]
    pub fn tags(&self) -> Option<&'a [u8]> {
        self.each_field().find_map(|field| field.strip_prefix(b"|#"))
    }
}

/// Length of the part searched byte by byte. Most values are short numbers, for which calling `memchr`
/// costs more.
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

/// True if the text can be a number. It is not parsed; the check only tells it from a part of a name.
fn is_number(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> [String; 5] {
        let line = Line::parse(line.as_bytes()).unwrap();
        let more = &line.after_name[line.fields..];
        [line.name(), line.values(), line.metric_type(), line.fields(), more]
            .map(|part| String::from_utf8(part.to_vec()).unwrap())
    }

    #[test]
    fn the_parts_of_a_line() {
        for (line, expected) in [
            ("a.b:1|c", ["a.b", "1", "c", "", ""]),
            ("a:-1|g", ["a", "-1", "g", "", ""]),
            ("a:+0.5|g", ["a", "+0.5", "g", "", ""]),
            ("a:1|c|@0.1", ["a", "1", "c", "|@0.1", ""]),
            ("a:1|ms|@0.1|#k:v,w", ["a", "1", "ms", "|@0.1|#k:v,w", ""]),
            // A container id, a timestamp, external data, a cardinality, something from the future.
            (
                "a:1|c|c:in-12|T170|e:x|card:low|?",
                ["a", "1", "c", "|c:in-12|T170|e:x|card:low|?", ""],
            ),
            ("a:1:2:3|ms|#k:v", ["a", "1:2:3", "ms", "|#k:v", ""]),
            ("a:1|c:2|c", ["a", "1", "c", "", ":2|c"]),
            ("a:1|c|@0.1:320|ms|@0.5", ["a", "1", "c", "|@0.1", ":320|ms|@0.5"]),
            ("a:1|c|@0.1|#k:v", ["a", "1", "c", "|@0.1|#k:v", ""]),
            ("a:any text|s", ["a", "any text", "s", "", ""]),
            ("a:|c", ["a", "", "c", "", ""]),
            ("a:1|", ["a", "1", "", "", ""]),
            (":1|c", ["", "1", "c", "", ""]),
            ("a,k=v:1|c", ["a,k=v", "1", "c", "", ""]),
            ("a:x|y|s", ["a", "x|y", "s", "", ""]),
            ("a:1|c|#k:x|s", ["a", "1", "c", "|#k:x|s", ""]),
            ("a:1|c|@0.1|s", ["a", "1|c|@0.1", "s", "", ""]),
            ("a:x|y@z|s", ["a", "x|y@z", "s", "", ""]),
        ] {
            assert_eq!(parts(line), expected, "{line}");
            assert_eq!(Line::check(line.as_bytes()), Ok(()), "{line}");
        }
    }

    #[test]
    fn lines_without_a_metric() {
        for (line, reason) in [
            ("", NotMetric::Blank),
            ("_e{5,4}:title|text|#a:b", NotMetric::Event),
            ("_sc|name|0|m:message:1|c", NotMetric::ServiceCheck),
            ("a", NotMetric::Unreadable),
            ("a:1", NotMetric::Unreadable),
            ("a|c", NotMetric::Unreadable),
            ("a|c:1", NotMetric::Unreadable),
            ("\0\0", NotMetric::Unreadable),
        ] {
            assert_eq!(Line::parse(line.as_bytes()), Err(reason), "{line}");
            assert_eq!(Line::check(line.as_bytes()), Err(reason), "{line}");
        }
        assert!(Line::parse(b"_event:1|c").is_ok(), "an underscore alone is not an event");
    }

    #[test]
    fn samples_are_separate_lines() {
        let line = Line::parse(b"a:1|c:2:3|ms|@0.1:4|g|#k:v:w").unwrap();
        let samples: Vec<_> = line
            .samples()
            .map(|it| [it.name(), it.values(), it.metric_type(), it.fields()])
            .collect();
        assert_eq!(
            samples,
            [
                [&b"a"[..], b"1", b"c", b""],
                [b"a", b"2:3", b"ms", b"|@0.1"],
                [b"a", b"4", b"g", b"|#k:v:w"],
            ]
        );
    }

    #[test]
    fn tags_at_the_end_apply_to_every_sample() {
        let line = Line::parse(b"a:1|ms:2|ms|@0.5|#own:x:3|ms|#k:v").unwrap();
        assert_eq!(line.samples().count(), 2, "a colon in tags begins no sample");
        let line = Line::parse(b"a:1|ms:2|ms|@0.5:3|ms|@0.1|#k:v").unwrap();
        let samples: Vec<_> =
            line.samples().map(|it| (it.fields(), it.shared(), it.tags().unwrap())).collect();
        assert_eq!(
            samples,
            [
                (&b""[..], &b"|#k:v"[..], &b"k:v"[..]),
                (b"|@0.5", b"|#k:v", b"k:v"),
                (b"|@0.1|#k:v", b"", b"k:v"),
            ]
        );
    }

    #[test]
    fn blanks_at_the_end_are_not_part_of_a_line() {
        for (line, trimmed) in [
            ("a:1|c\r", "a:1|c"),
            ("a:1|c \t\r", "a:1|c"),
            ("a:1|c", "a:1|c"),
            (" \r", ""),
            ("", ""),
        ] {
            assert_eq!(Line::trimmed(line.as_bytes()), trimmed.as_bytes(), "{line:?}");
        }
    }

    #[test]
    fn confidence_depends_on_the_form_of_the_value() {
        for (line, confidence) in [
            ("a:1|c", Confidence::Sure),
            ("a:nil|ms", Confidence::Sure),
            ("a:1:2:-3.5e7|h", Confidence::Sure),
            ("a:1|c:2|c|@0.1:3|g", Confidence::Sure),
            ("a:text|s", Confidence::Sure),
            ("a:te:xt|s", Confidence::Doubtful),
            ("a:te|x.t|s", Confidence::Doubtful),
            ("a.[2001:db8::1].b:1|c", Confidence::Wrong),
            ("a.c:5|x@y.b:1|c", Confidence::Wrong),
            ("a.c:5|x:y.b:1|c", Confidence::Wrong),
            ("a:u|s:w|s", Confidence::Sure),
            ("a:1|c:2", Confidence::Wrong),
            ("a:1|", Confidence::Wrong),
        ] {
            assert_eq!(Line::parse(line.as_bytes()).unwrap().confidence(), confidence, "{line}");
        }
    }

    #[test]
    fn many_samples_are_read_in_linear_time() {
        let line = format!("a{}", ":1|c".repeat(16_000));
        let line = Line::parse(line.as_bytes()).unwrap();
        assert_eq!(line.confidence(), Confidence::Sure);
        assert_eq!(line.samples().count(), 16_000);
    }

    #[test]
    fn a_later_reading_finds_the_intended_name() {
        let text = b"a.[2001:db8::1].b:1|c|@0.5";
        let mut from = 0;
        let line = loop {
            let line = Line::parse_from(text, from).unwrap();
            if line.confidence() != Confidence::Wrong {
                break line;
            }
            from = line.name().len() + 1;
        };
        assert_eq!(line.name(), b"a.[2001:db8::1].b");
        assert_eq!(line.rate(), Some(&b"0.5"[..]));
        assert_eq!(Line::parse_from(text, 999), Err(NotMetric::Unreadable));
    }

    #[test]
    fn rates_and_tags() {
        let line = Line::parse(b"a:1|c|c:x|@0.1|#k:v,w|T1").unwrap();
        assert_eq!(line.rate(), Some(&b"0.1"[..]));
        assert_eq!(line.tags(), Some(&b"k:v,w"[..]));
        let line = Line::parse(b"a:1|c|#k:v|w|@x,l|@.5").unwrap();
        assert_eq!((line.rate(), line.tags()), (Some(&b".5"[..]), Some(&b"k:v|w|@x,l"[..])));
        assert_eq!(Line::parse(b"a:1|c").unwrap().tags(), None);
    }
}
