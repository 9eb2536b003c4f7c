//! Patterns of `StatsD` lines: `text.{x}.{x*}:type`, and tagged ones, `text.text:type|#key:{x}`.
//!
//! A pattern looks like the line that it reads. `{x}` is one dotted segment, `{x*}` one or more,
//! and `{x!=a,b}` one that is neither `a` nor `b`. The types follow the name; without
//! types, any type matches: `:c` is read and written, `:c/ms` is written as `c` and read as either.
//! `:{x}|s` captures the value.

use std::fmt;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::char;
use nom::combinator::{cut, map, opt};
use nom::error::context;
use nom::sequence::{delimited, preceded, terminated};

use crate::mapping::pack::grammar::{Parsed, Stop, SyntaxError, whole};
use crate::mapping::segment::{Dotted, Placeholder, Segment, SegmentKey};

/// Lines without tags.
#[derive(Clone, Debug)]
pub(in crate::mapping) struct Pattern {
    pub(in crate::mapping) segments: Vec<Segment>,
    /// The placeholder that captures the value.
    pub(in crate::mapping) value: Option<Placeholder>,
    /// The types read; the first is written. Empty: any, and it is kept.
    pub(in crate::mapping) types: Vec<String>,
}

/// Lines with tags.
#[derive(Clone, Debug)]
pub(in crate::mapping) struct TaggedPattern {
    pub(in crate::mapping) segments: Vec<Segment>,
    pub(in crate::mapping) types: Vec<String>,
    /// The required tags, each with the placeholder that captures its value.
    pub(in crate::mapping) tags: Vec<(String, Placeholder)>,
}

impl Pattern {
    /// The placeholders, that of the value last.
    pub(in crate::mapping) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.segments.iter().filter_map(Segment::placeholder).chain(&self.value)
    }

    /// True when both read the same lines.
    pub(in crate::mapping) fn reads_like(&self, other: &Pattern) -> bool {
        self.names_like(other) && self.types == other.types
    }

    /// Equal for patterns that [read](Self::reads_like) the same lines, and for those only.
    pub(in crate::mapping) fn reading_key(&self) -> (Vec<SegmentKey<'_>>, &[String]) {
        (self.segments.iter().map(Segment::reading_key).collect(), &self.types)
    }

    /// True when both read lines of the same names.
    pub(in crate::mapping) fn names_like(&self, other: &Pattern) -> bool {
        let pairs = || self.segments.iter().zip(&other.segments);
        self.segments.len() == other.segments.len() && pairs().all(|(a, b)| a.reads_like(b))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Dotted(&self.segments))?;
        match &self.value {
            Some(value) => write!(f, ":{{{}}}|{}", value.name, self.types.join("/")),
            None if self.types.is_empty() => Ok(()),
            None => write!(f, ":{}", self.types.join("/")),
        }
    }
}

impl fmt::Display for TaggedPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Dotted(&self.segments))?;
        if !self.types.is_empty() {
            write!(f, ":{}", self.types.join("/"))?;
        }
        for (index, (key, placeholder)) in self.tags.iter().enumerate() {
            let before = if index == 0 { "|#" } else { "," };
            write!(f, "{before}{key}:{{{}}}", placeholder.name)?;
        }
        Ok(())
    }
}

/// Parses a pattern of lines without tags.
///
/// # Errors
///
/// The offset of the first invalid byte, and what is expected there.
pub(in crate::mapping) fn parse_pattern(text: &str) -> Result<Pattern, SyntaxError> {
    let value = |input| terminated(simple(text), char('|')).parse(input);
    let types = (opt(value), list(word("a type"), '/'));
    let value_and_types = opt(preceded(char(':'), cut(types)));
    let pattern = map((segments(text), value_and_types), |(segments, value_and_types)| {
        let (value, types) = value_and_types.unwrap_or_default();
        Pattern { segments, value, types }
    });
    whole(pattern, "`.`, `:` or the end", text)
}

/// Parses a pattern of tagged lines.
///
/// # Errors
///
/// The offset of the first invalid byte, and what is expected there.
pub(in crate::mapping) fn parse_tagged(text: &str) -> Result<TaggedPattern, SyntaxError> {
    let types = opt(preceded(char(':'), cut(list(word("a type"), '/'))));
    let separator = cut(context("`:`", char(':')));
    let placeholder = cut(context("a {placeholder}", simple(text)));
    let tags = list((terminated(word("the key of a tag"), separator), placeholder), ',');
    let opening = cut(context("`|#` and the tags", tag("|#")));
    let pattern =
        map((segments(text), types, preceded(opening, cut(tags))), |(segments, types, tags)| {
            TaggedPattern { segments, types: types.unwrap_or_default(), tags }
        });
    whole(pattern, "`,` or the end", text)
}

/// Parses a name: segments only.
///
/// # Errors
///
/// The offset of the first invalid byte, and what is expected there.
pub(in crate::mapping) fn parse_name(text: &str) -> Result<Vec<Segment>, SyntaxError> {
    whole(segments(text), "`.` or the end", text)
}

fn segments(text: &str) -> impl Parser<&str, Output = Vec<Segment>, Error = Stop<'_>> {
    list(alt((placeholder(text), map(word("a segment"), Segment::Text))), '.')
}

/// One or more items. An item must follow a separator; `separated_list1` would stop before it.
fn list<'a, T>(
    mut item: impl Parser<&'a str, Output = T, Error = Stop<'a>>,
    separator: char,
) -> impl Parser<&'a str, Output = Vec<T>, Error = Stop<'a>> {
    move |input: &'a str| {
        let (mut rest, first) = item.parse(input)?;
        let mut items = vec![first];
        while let Some(after) = rest.strip_prefix(separator) {
            let (after, next) = cut(|input| item.parse(input)).parse(after)?;
            items.push(next);
            rest = after;
        }
        Ok((rest, items))
    }
}

/// A character without a meaning in patterns and lines.
fn word<'a>(expected: &'static str) -> impl Parser<&'a str, Output = String, Error = Stop<'a>> {
    let letter =
        |c: char| !c.is_whitespace() && !c.is_control() && !"{}.:|,/#[]@!=*\"'".contains(c);
    context(expected, map(take_while1(letter), str::to_owned))
}

/// `{x}`, `{x*}` or `{x!=a,b}`. `text` is the whole pattern, against which places are measured.
fn placeholder<'a>(text: &'a str) -> impl Parser<&'a str, Output = Segment, Error = Stop<'a>> {
    enum Kind {
        Many,
        Except(Vec<String>),
    }
    let except = preceded(tag("!="), cut(list(word("a segment that is not meant"), ',')));
    let kind = opt(alt((map(char('*'), |_| Kind::Many), map(except, Kind::Except))));
    let closing = cut(context("`}`", char('}')));
    let inner = (cut(word("the name of a placeholder")), kind);
    let mut braces = delimited(char('{'), inner, closing);
    move |input: &'a str| {
        let (rest, (name, kind)) = braces.parse(input)?;
        let range = text.len() - input.len()..text.len() - rest.len();
        let placeholder = Placeholder { name, range };
        Ok((
            rest,
            match kind {
                None => Segment::One(placeholder, Vec::new()),
                Some(Kind::Except(except)) => Segment::One(placeholder, except),
                Some(Kind::Many) => Segment::Many(placeholder),
            },
        ))
    }
}

/// `{x}` in the place of the value, which always exists.
fn simple<'a>(text: &'a str) -> impl Parser<&'a str, Output = Placeholder, Error = Stop<'a>> {
    let inner = cut(word("the name of a placeholder"));
    let mut braces = delimited(char('{'), inner, cut(context("`}`", char('}'))));
    move |input: &'a str| -> Parsed<'a, Placeholder> {
        let (rest, name) = braces.parse(input)?;
        Ok((rest, Placeholder { name, range: text.len() - input.len()..text.len() - rest.len() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_and_parsing_agree() {
        for text in ["a", "a.b-c_d.é~1:c", "{x}.a.{y*}.b:c/ms", "{x!=a,b}.a", "a.{x}:{y}|s"] {
            assert_eq!(parse_pattern(text).unwrap().to_string(), text);
        }
        for text in ["a.b|#k:{x}", "a:c/ms|#k:{x},l:{y}"] {
            assert_eq!(parse_tagged(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn places_of_placeholders() {
        let pattern = parse_pattern(" {x!=ü}.b.{y*}:{z}|s").unwrap();
        let places: Vec<_> = pattern.placeholders().map(|it| it.range.clone()).collect();
        assert_eq!(places, [1..8, 11..15, 16..19]);
        let tagged = parse_tagged("a|#k:{x},l:{y}").unwrap();
        assert_eq!(tagged.tags[1].1.range, 11..14);
    }

    #[test]
    fn errors_tell_place_and_expectation() {
        for (text, offset, expected) in [
            ("", 0, "a segment"),
            (".a", 0, "a segment"),
            ("a.", 2, "a segment"),
            ("a..b", 2, "a segment"),
            ("a b", 1, "`.`, `:` or the end"),
            ("a{x}", 1, "`.`, `:` or the end"),
            ("{x}a", 3, "`.`, `:` or the end"),
            ("{}", 1, "the name of a placeholder"),
            ("{x", 2, "`}`"),
            ("{x*!=a}", 3, "`}`"),
            ("{x!=}", 4, "a segment that is not meant"),
            ("{x=a}", 2, "`}`"),
            ("a:", 2, "a type"),
            ("a:c/", 4, "a type"),
            ("a:c|s", 3, "`.`, `:` or the end"),
            ("a:{x*}|s", 4, "`}`"),
            ("a:c|#k:{x}", 3, "`.`, `:` or the end"),
        ] {
            let error = parse_pattern(text).unwrap_err();
            assert_eq!((error.offset, error.expected), (offset, expected), "{text}");
        }
        for (text, offset, expected) in [
            ("a", 1, "`|#` and the tags"),
            ("a:c", 3, "`|#` and the tags"),
            ("a:c|#", 5, "the key of a tag"),
            ("a:c|#k", 6, "`:`"),
            ("a:c|#k:v", 7, "a {placeholder}"),
            ("a:c|#k:{x};", 10, "`,` or the end"),
        ] {
            let error = parse_tagged(text).unwrap_err();
            assert_eq!((error.offset, error.expected), (offset, expected), "{text}");
        }
        assert_eq!(parse_name("a.b:c").unwrap_err().expected, "`.` or the end");
    }
}
