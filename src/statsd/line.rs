//! One `StatsD` line: `name:value|type|@rate|#tags`.

use memchr::memchr;

use super::tags::field_len;

/// One metric, or several of one name, as it was written.
///
/// Two readings of one text are told apart by this grammar: `a:1:2:3|ms` packs several values under one type,
/// `a:1|c:2|ms` repeats value and type. What a part is, a `|` decides: a part without one is a packed
/// value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    name: &'a [u8],
    /// Everything behind the name, from the `:` on: this sample, and further ones.
    behind: &'a [u8],
    /// Where value, type and fields of this sample end.
    value: usize,
    metric_type: usize,
    fields: usize,
    /// There is a `:` in the value.
    colons: bool,
    /// The type was found at the end of the line, across a value with `|` in it.
    pieced: bool,
}

/// Why a line has no metric that a rule could apply to. None of these is a fault of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMetric {
    /// Nothing stands in it.
    Blank,
    /// A `DogStatsD` event, `_e{…}`. It has a title, but no name.
    Event,
    /// A `DogStatsD` service check, `_sc|…`.
    ServiceCheck,
    /// No `:` ends a name, or no `|` begins a type.
    Unreadable,
}

/// How far a reading of a line can be trusted.
///
/// The protocol has no escapes. A name with a `:` in it (an `IPv6` address, a user called `org:7`) is cut short by
/// every reader, unless one looks whether what remains can be a value at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// What stands behind the name is what a value looks like.
    Sure,
    /// It can be meant so, and the name can also go on: the text of a set may be anything.
    Doubtful,
    /// This is no value. The name goes on.
    Wrong,
}

impl NotMetric {
    /// What can be told from how a line begins.
    #[inline]
    fn begins(line: &[u8]) -> Result<(), NotMetric> {
        match line {
            [] => Err(NotMetric::Blank),
            [b'_', b'e', b'{', ..] => Err(NotMetric::Event),
            [b'_', b's', b'c', b'|', ..] => Err(NotMetric::ServiceCheck),
            _ => Ok(()),
        }
    }
}

impl<'a> Line<'a> {
    /// Reads a line (without its newline), the name ending at the first `:`.
    ///
    /// # Errors
    ///
    /// The line has no metric: hand it on as it is.
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
        NotMetric::begins(line)?;
        Line::parse_from(line, 0)
    }

    /// Whether [`parse`](Self::parse) reads the line, for less than reading it costs.
    ///
    /// # Errors
    ///
    /// As those of [`parse`](Self::parse).
    #[inline]
    pub fn check(line: &[u8]) -> Result<(), NotMetric> {
        NotMetric::begins(line)?;
        let colon = memchr(b':', line).ok_or(NotMetric::Unreadable)?;
        value(&line[colon..]).map(drop).ok_or(NotMetric::Unreadable)
    }

    /// Reads a line whose name goes on at least to `from`: it ends at the first `:` there or behind.
    ///
    /// # Errors
    ///
    /// Read so, the line has no metric.
    #[inline]
    pub fn parse_from(line: &'a [u8], from: usize) -> Result<Line<'a>, NotMetric> {
        let rest = line.get(from..).unwrap_or_default();
        let colon = from + memchr(b':', rest).ok_or(NotMetric::Unreadable)?;
        let (name, behind) = line.split_at(colon);
        let (value, colons) = value(behind).ok_or(NotMetric::Unreadable)?;
        let last = behind.len();
        // Most lines end with a type of one or two letters.
        if last - value <= 3 && is_type(&behind[value + 1..]) {
            let (metric_type, fields) = (last, last);
            return Ok(Line { name, behind, value, metric_type, fields, colons, pieced: false });
        }
        let read = Line::sample(name, behind, value, colons);
        Ok(if is_type(read.metric_type()) { read } else { read.as_set() })
    }

    /// Reads one sample, from the `:` in front of it on, whose value ends there.
    fn sample(name: &'a [u8], behind: &'a [u8], value: usize, colons: bool) -> Line<'a> {
        let end = |from: usize| {
            // A call of memchr costs more than the few bytes of a type or a rate.
            let ends = behind[from..].iter().position(|byte| matches!(byte, b'|' | b':'));
            ends.map_or(behind.len(), |at| from + at)
        };
        let metric_type = end(value + 1);
        let mut fields = behind.len();
        match &behind[metric_type..] {
            [b':', ..] => fields = metric_type,
            [b'|', b'@', ..] => {
                let rate = end(metric_type + 2);
                if behind.get(rate) == Some(&b':') {
                    fields = rate;
                }
            }
            _ => {}
        }
        Line { name, behind, value, metric_type, fields, colons, pieced: false }
    }

    /// The same line, if it can be a set: only the text of a set can have a `|` in it, and a set has no rate behind
    /// its type.
    #[cold]
    fn as_set(self) -> Line<'a> {
        let end = self.behind.len();
        if !self.behind.ends_with(b"|s") {
            return self;
        }
        Line { value: end - 2, metric_type: end, fields: end, pieced: true, ..self }
    }

    /// Everything before the `:` that ends the name, tags within the name included.
    #[inline]
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The value, or several with `:` between them. Not necessarily a number: a set counts texts.
    #[inline]
    #[must_use]
    pub fn values(&self) -> &'a [u8] {
        &self.behind[1..self.value]
    }

    /// What the value is: `c`, `g`, `ms`, `s`, `h`, `d`, or a type that came later.
    #[inline]
    #[must_use]
    pub fn metric_type(&self) -> &'a [u8] {
        &self.behind[self.value + 1..self.metric_type]
    }

    /// Everything behind the type, each field with the `|` in front of it: rate, tags, unknown fields.
    #[inline]
    #[must_use]
    pub fn fields(&self) -> &'a [u8] {
        &self.behind[self.metric_type..self.fields]
    }

    /// Value, type and fields, with the `:` in front of them.
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.behind[..self.fields]
    }

    /// True when `value|type` occurs more than once.
    #[inline]
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.fields < self.behind.len()
    }

    /// True when values are packed. Those of a set cannot be: any `:` in them is meant.
    #[inline]
    #[must_use]
    pub fn is_packed(&self) -> bool {
        self.colons && self.metric_type() != b"s"
    }

    /// How far this reading can be trusted. If it is not [`Confidence::Sure`], [`Line::parse_from`] one byte after the
    /// name gives the next.
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

    /// The values one by one, if they are [packed](Self::is_packed).
    pub fn packed_values(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.values().split(|byte| *byte == b':')
    }

    /// The samples one by one, each as a line of its own.
    pub fn samples(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let mut next = Some(*self);
        std::iter::from_fn(move || {
            let sample = next.take()?;
            next = sample.next_sample();
            Some(Line { behind: sample.rest(), ..sample })
        })
    }

    fn next_sample(&self) -> Option<Line<'a>> {
        let more = &self.behind[self.fields..];
        let (value, colons) = value(more)?;
        Some(Line::sample(self.name, more, value, colons))
    }

    /// The fields behind the type one by one, each with its `|`. Tags are one field, whatever stands in
    /// them.
    pub fn each_field(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.fields();
        std::iter::from_fn(move || {
            let (field, behind) = rest.split_at_checked(field_len(rest))?;
            rest = behind;
            (!field.is_empty()).then_some(field)
        })
    }

    /// The sampling rate as it is written, without `@`.
    #[must_use]
    pub fn rate(&self) -> Option<&'a [u8]> {
        self.each_field().find_map(|field| field.strip_prefix(b"|@"))
    }

    /// The tags behind the type, without `#`.
    #[must_use]
    pub fn tags(&self) -> Option<&'a [u8]> {
        self.each_field().find_map(|field| field.strip_prefix(b"|#"))
    }
}

/// How far a value is looked at byte by byte. Most are numbers, and calling `memchr` costs more.
const NEAR: usize = 16;

/// Where the value behind a `:` ends, and whether there is another `:` in it.
#[inline]
fn value(behind: &[u8]) -> Option<(usize, bool)> {
    let mut colons = false;
    for (at, byte) in behind.get(1..)?.iter().take(NEAR - 1).enumerate() {
        match byte {
            b'|' => return Some((at + 1, colons)),
            b':' => colons = true,
            _ => {}
        }
    }
    let far = behind.get(NEAR..)?;
    let end = memchr(b'|', far)?;
    Some((NEAR + end, colons || memchr(b':', &far[..end]).is_some()))
}

/// True for what can be a type. Types are letters, whoever made them up.
#[inline]
fn is_type(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_alphabetic)
}

/// True for what may be a number. It is not read as one; it only must not be a piece of a name.
fn is_number(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> [String; 5] {
        let line = Line::parse(line.as_bytes()).unwrap();
        let more = &line.behind[line.fields..];
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
            ("a:x|y|s", ["a", "x", "y", "|s", ""]),
            ("a:x|y@z|s", ["a", "x|y@z", "s", "", ""]),
        ] {
            assert_eq!(parts(line), expected, "{line}");
            assert_eq!(Line::check(line.as_bytes()), Ok(()), "{line}");
        }
    }

    #[test]
    fn what_is_no_metric() {
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
        assert!(Line::parse(b"_event:1|c").is_ok(), "an underscore is no event");
    }

    #[test]
    fn samples_stand_for_themselves() {
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
    fn standings_tell_a_value_from_a_piece_of_a_name() {
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
    fn many_samples_do_no_harm() {
        let line = format!("a{}", ":1|c".repeat(16_000));
        let line = Line::parse(line.as_bytes()).unwrap();
        assert_eq!(line.confidence(), Confidence::Sure);
        assert_eq!(line.samples().count(), 16_000);
    }

    #[test]
    fn later_readings_reach_the_name_that_was_meant() {
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
