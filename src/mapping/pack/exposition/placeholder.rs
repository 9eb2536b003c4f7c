//! The family of a selector: a name, or a pattern of names with a placeholder: `node_{rest*}`.

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while};
use nom::character::complete::{char, multispace0};
use nom::combinator::{consumed, cut, fail, map, not, peek, verify};
use nom::error::context;
use nom::sequence::{preceded, terminated};

use crate::mapping::family_pattern::FamilyPattern;
use crate::mapping::pack::grammar::Parsed;

/// A pattern as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mapping) struct NamePattern {
    pub(in crate::mapping) names: FamilyPattern,
    /// The name of the placeholder. `None` for `*` alone.
    pub(in crate::mapping) placeholder: Option<String>,
}

/// Parses the part of a selector before its labels: the text, and its meaning if it is a pattern.
/// An empty text is not accepted.
pub(in crate::mapping) fn family(input: &str) -> Parsed<'_, (String, Option<NamePattern>)> {
    let all = terminated(char('*'), peek(not(verify(text, |text: &str| !text.is_empty()))));
    let all = map(all, |_| NamePattern { names: FamilyPattern::default(), placeholder: None });
    let pattern = map((text, placeholder, text), |(before, placeholder, after)| NamePattern {
        names: FamilyPattern::new(before, after),
        placeholder: Some(placeholder.to_owned()),
    });
    let pattern = terminated(alt((all, pattern)), one_placeholder);
    let pattern = map(consumed(pattern), |(text, pattern): (&str, NamePattern)| {
        (text.to_owned(), Some(pattern))
    });
    let name = verify(text, |text: &str| !text.is_empty());
    let name = map(name, |name: &str| (name.to_owned(), None));
    context("the name of a family", alt((pattern, name))).parse(input)
}

/// Text of a name. Other characters are accepted too, and reported later.
fn text(input: &str) -> Parsed<'_, &str> {
    take_while(|c: char| !c.is_whitespace() && !"{}()=,\"'$!~".contains(c)).parse(input)
}

/// `{name*}`.
fn placeholder(input: &str) -> Parsed<'_, &str> {
    let (after_brace, _) = char('{').parse(input)?;
    let name = take_while(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let (left, name) = terminated(name, tag("*}")).parse(after_brace)?;
    if name.is_empty() {
        return cut(context("the name of the placeholder", fail())).parse(after_brace);
    }
    Ok((left, name))
}

/// Fails if another placeholder follows.
fn one_placeholder(input: &str) -> Parsed<'_, ()> {
    let second = not(preceded(multispace0, placeholder));
    cut(context("labels or the end, because a name has one placeholder", second)).parse(input)
}
