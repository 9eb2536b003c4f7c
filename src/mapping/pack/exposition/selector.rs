//! Selectors: `family{label="text", label=$x, label}`, and the condition `family by (label, …)`.
//! In place of the family can be a [pattern](super::placeholder).
//!
//! The grammar is a subset of `PromQL` selectors, with `$x` and labels without a value in addition.
//! Any name is accepted here and checked by [`pack`](crate::mapping::pack), so that an invalid name
//! is reported as such.

use std::fmt;
use std::ops::Range;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while1};
use nom::character::complete::{char, multispace0, one_of};
use nom::combinator::{cut, map, map_opt, not, opt, peek, value};
use nom::error::context;
use nom::multi::{fold_many0, separated_list0};
use nom::sequence::{delimited, preceded, terminated};

use crate::mapping::family_pattern::FamilyPattern;
use crate::mapping::pack::exposition::placeholder::{NamePattern, family};
use crate::mapping::pack::exposition::template::{Template, escaped};
use crate::mapping::pack::grammar::{Parsed, Stop, SyntaxError, whole};

/// The samples of one family, and how their labels are rewritten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::mapping) struct Selector {
    /// The family, or the pattern as it is written.
    pub(in crate::mapping) family: String,
    /// The families, if they are given by a pattern.
    pub(in crate::mapping) pattern: Option<NamePattern>,
    pub(in crate::mapping) items: Vec<Item>,
}

/// One label of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mapping) struct Item {
    pub(in crate::mapping) label: String,
    pub(in crate::mapping) term: Term,
    /// The byte range in the selector's text.
    pub(in crate::mapping) range: Range<usize>,
}

/// A label of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mapping) enum Term {
    /// `label="text"`: required when read, written when written.
    Fixed(String),
    /// `label=$x` or `label="text$x"`: the value is written to the labels with `$x` on the other side.
    Template(Template),
    /// `label`: exists on this side only.
    Bare,
}

impl Selector {
    pub(in crate::mapping) fn item(&self, label: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.label == label)
    }

    /// The labels whose value is given, with it.
    pub(in crate::mapping) fn fixed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.items.iter().filter_map(|item| match &item.term {
            Term::Fixed(text) => Some((item.label.as_str(), text.as_str())),
            Term::Template(_) | Term::Bare => None,
        })
    }

    /// The labels that carry a value over, with their texts.
    pub(in crate::mapping) fn templates(&self) -> impl Iterator<Item = (&str, &Template)> {
        self.items.iter().filter_map(|item| match &item.term {
            Term::Template(template) => Some((item.label.as_str(), template)),
            Term::Fixed(_) | Term::Bare => None,
        })
    }

    /// The variables. One that is in several labels occurs several times.
    pub(in crate::mapping) fn variables(&self) -> impl Iterator<Item = &str> {
        self.templates().flat_map(|(_, template)| &template.variables).map(String::as_str)
    }

    /// The same, where a sample can lack the labels with these variables.
    pub(in crate::mapping) fn with_optional(mut self, variables: &[String]) -> Selector {
        for item in &mut self.items {
            if let Term::Template(template) = &mut item.term {
                template.optional = variables.iter().any(|variable| template.has(variable));
            }
        }
        self
    }

    /// The labels that exist on this side only.
    pub(in crate::mapping) fn bare(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter(|item| item.term == Term::Bare).map(|item| item.label.as_str())
    }

    /// Whether each of its samples has a label that the other selector does not name.
    pub(in crate::mapping) fn requires_label_without(&self, other: &Selector) -> bool {
        let is_required = |item: &&Item| match &item.term {
            Term::Fixed(text) => !text.is_empty(),
            Term::Template(template) => !template.optional,
            Term::Bare => false,
        };
        self.items.iter().filter(is_required).any(|item| other.item(&item.label).is_none())
    }

    /// True when both read the same samples: one family, the same fixed labels.
    pub(in crate::mapping) fn reads_like(&self, other: &Selector) -> bool {
        let within = |a: &Selector, b: &Selector| {
            a.fixed().all(|(label, text)| b.fixed().any(|fixed| fixed == (label, text)))
        };
        self.names_like(other) && within(self, other) && within(other, self)
    }

    /// Equal for selectors that [read](Self::reads_like) the same samples, and for those only.
    pub(in crate::mapping) fn reading_key(&self) -> Vec<&str> {
        let mut fixed: Vec<(&str, &str)> = self.fixed().collect();
        fixed.sort_unstable();
        fixed.dedup();
        let fixed = fixed.into_iter().flat_map(|(label, text)| [label, text]);
        let names = match self.names() {
            None => [Some(self.family.as_str()), None],
            Some(pattern) => pattern.texts().map(Some),
        };
        names.into_iter().flatten().chain(fixed).collect()
    }

    /// True if both name the same family, or the same pattern of families.
    fn names_like(&self, other: &Selector) -> bool {
        match (&self.pattern, &other.pattern) {
            (Some(pattern), Some(its)) => pattern.names == its.names,
            (None, None) => self.family == other.family,
            _ => false,
        }
    }

    /// The pattern of the families that it names. `None` if it names one family.
    pub(in crate::mapping) fn names(&self) -> Option<&FamilyPattern> {
        self.pattern.as_ref().map(|pattern| &pattern.names)
    }

    /// True when some sample may match both.
    pub(in crate::mapping) fn overlaps(&self, other: &Selector) -> bool {
        let apart = |item: &Item| {
            other.item(&item.label).is_some_and(|its| exclude_each_other(&item.term, &its.term))
        };
        self.family == other.family && !self.items.iter().any(apart)
    }
}

/// Whether no value of a label fits both.
fn exclude_each_other(a: &Term, b: &Term) -> bool {
    let no_common = |a: &str, b: &str| !a.starts_with(b) && !b.starts_with(a);
    let no_common_end = |a: &str, b: &str| !a.ends_with(b) && !b.ends_with(a);
    match (a, b) {
        (Term::Fixed(a), Term::Fixed(b)) => a != b,
        (Term::Template(a), Term::Template(b)) => {
            !(a.optional && b.optional)
                && (no_common(a.before(), b.before()) || no_common_end(a.after(), b.after()))
        }
        (Term::Fixed(text), Term::Template(it)) | (Term::Template(it), Term::Fixed(text)) => {
            it.only_variable().is_none() && !it.may_be(text)
        }
        (Term::Bare, _) | (_, Term::Bare) => false,
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.family)?;
        for (index, item) in self.items.iter().enumerate() {
            f.write_str(if index == 0 { "{" } else { ", " })?;
            match &item.term {
                Term::Fixed(text) => write!(f, "{}=\"{}\"", item.label, escaped(text))?,
                Term::Template(template) => write!(f, "{}={template}", item.label)?,
                Term::Bare => f.write_str(&item.label)?,
            }
        }
        f.write_str(if self.items.is_empty() { "" } else { "}" })
    }
}

/// Which family decides, and by which labels: `family by (label, …)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mapping) struct Condition {
    pub(in crate::mapping) family: String,
    pub(in crate::mapping) on: Vec<String>,
}

/// Parses a selector.
///
/// # Errors
///
/// The offset of the first invalid byte, and what is expected there.
pub(in crate::mapping) fn parse_selector(text: &str) -> Result<Selector, SyntaxError> {
    let items = |input| items(text, input);
    let family = terminated(family, multispace0);
    let selector =
        map((family, items), |((family, pattern), items)| Selector { family, pattern, items });
    whole(selector, "`{` or the end", text)
}

/// Parses `family by (label, …)`.
///
/// # Errors
///
/// The offset of the first invalid byte, and what is expected there.
pub(in crate::mapping) fn parse_condition(text: &str) -> Result<Condition, SyntaxError> {
    let labels = separated_list0(symbol(','), word("the name of a label"));
    let labels = delimited(
        cut(context("`(`", symbol('('))),
        labels,
        cut(context("`,` or `)`", symbol(')'))),
    );
    let by = cut(context("`by (label, …)`", terminated(tag("by"), multispace0)));
    let condition = map(
        (word("the name of a family"), preceded(by, labels)),
        |(family, on): (&str, Vec<&str>)| Condition {
            family: family.to_owned(),
            on: on.into_iter().map(str::to_owned).collect(),
        },
    );
    whole(condition, "nothing more", text)
}

/// Text without punctuation, and the space after it.
fn word<'a>(expected: &'static str) -> impl Parser<&'a str, Output = &'a str, Error = Stop<'a>> {
    let letter = |c: char| !c.is_whitespace() && !"{}()=,\"'$!~".contains(c);
    context(expected, terminated(take_while1(letter), multispace0))
}

fn symbol<'a>(wanted: char) -> impl Parser<&'a str, Output = char, Error = Stop<'a>> {
    terminated(char(wanted), multispace0)
}

/// `{…}`, or nothing. `text` is the whole selector, against which places are measured.
fn items<'a>(text: &'a str, input: &'a str) -> Parsed<'a, Vec<Item>> {
    let item = |input: &'a str| {
        let (rest, (label, term)) = (word("the name of a label"), term).parse(input)?;
        let start = text.len() - input.len();
        let width = input.len() - rest.len();
        let shown = text.get(start..start + width).unwrap_or_default().trim_end().len();
        Ok((rest, Item { label: label.to_owned(), term, range: start..start + shown }))
    };
    let list = terminated(separated_list0(symbol(','), item), opt(symbol(',')));
    let braces = delimited(symbol('{'), list, cut(context("`,` or `}`", symbol('}'))));
    map(opt(braces), Option::unwrap_or_default).parse(input)
}

/// The part after a label's name.
fn term(input: &str) -> Parsed<'_, Term> {
    let variable = map(preceded(char('$'), cut(word("the name of a variable"))), |name: &str| {
        Term::Template(Template::alone(name))
    });
    let text = map_opt(quoted, |text| term_of_text(&text));
    let text = preceded(
        peek(one_of("\"'")),
        cut(context("a text with other text between its $variables", text)),
    );
    let value = alt((text, variable));
    let value = cut(context("a quoted text or a $variable", value));
    let matcher = not(alt((tag("=~"), tag("!="), tag("!~"))));
    let matcher = cut(context("`=`, because each side is also written", matcher));
    let term = preceded(matcher, opt(preceded(symbol('='), value)));
    map(term, |term| term.unwrap_or(Term::Bare)).parse(input)
}

/// A text between quotes. `None` if there is nothing between two variables.
fn term_of_text(text: &str) -> Option<Term> {
    let mut template = Template::parse(text)?;
    if template.variables.is_empty() {
        return template.texts.pop().map(Term::Fixed);
    }
    Some(Term::Template(template))
}

/// A text in double or single quotes, with the escapes of the exposition format.
fn quoted(input: &str) -> Parsed<'_, String> {
    let between = |quote: char, plain: &'static str| {
        let escape = alt((
            value('\\', char('\\')),
            value('\n', char('n')),
            value('"', char('"')),
            value('\'', char('\'')),
        ));
        let escape =
            preceded(char('\\'), cut(context("`\\\\`, `\\n` or an escaped quote", escape)));
        let piece = alt((map(is_not(plain), str::to_owned), map(escape, String::from)));
        let text = fold_many0(piece, String::new, |text, piece| text + &piece);
        let closing = cut(context("the closing quote", symbol(quote)));
        delimited(char(quote), text, closing)
    };
    alt((between('"', "\"\\"), between('\'', "'\\"))).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<(String, Term)> {
        let selector = parse_selector(text).unwrap();
        selector.items.into_iter().map(|item| (item.label, item.term)).collect()
    }

    fn fixed(text: &str) -> Term {
        Term::Fixed(text.to_owned())
    }

    #[test]
    fn each_kind_of_item() {
        assert_eq!(
            terms(r#"fam{a="text", b=$x, c}"#),
            [
                ("a".to_owned(), fixed("text")),
                ("b".to_owned(), Term::Template(Template::alone("x"))),
                ("c".to_owned(), Term::Bare),
            ]
        );
    }

    #[test]
    fn space_and_a_last_comma_are_free() {
        for text in ["f", " f ", "f{}", "f { }", "f{,}"] {
            assert_eq!(terms(text), [], "{text}");
        }
        assert_eq!(terms(" f { a = 'x' , b , } "), terms("f{a=\"x\",b}"));
    }

    #[test]
    fn quotes_and_escapes() {
        for (text, meant) in [
            (r#"f{a=""}"#, ""),
            (r#"f{a="}{,=$"}"#, "}{,=$"),
            (r#"f{a="q\"q"}"#, "q\"q"),
            (r#"f{a="b\\n\nc"}"#, "b\\n\nc"),
            (r#"f{a='it\'s "so"'}"#, "it's \"so\""),
            ("f{a=\"ü ~ 漢\"}", "ü ~ 漢"),
            ("f{a=\"$$x $ 5$\"}", "$x $ 5$"),
        ] {
            assert_eq!(terms(text), [("a".to_owned(), fixed(meant))], "{text}");
        }
    }

    #[test]
    fn printing_and_parsing_agree() {
        for text in [
            r#"f{a="q\"\\\n", b=$x, c}"#,
            "a:b_c",
            r#"f{a=""}"#,
            r#"f{a="cpu$n", b="$$$x@\"", c="$$x", d="$y-$z\\"}"#,
        ] {
            assert_eq!(parse_selector(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn places_of_items() {
        let selector = parse_selector(r#"f{ a="ü" , b }"#).unwrap();
        assert_eq!(selector.items[0].range, 3..9);
        assert_eq!(selector.items[1].range, 12..13);
    }

    #[test]
    fn errors_tell_place_and_expectation() {
        for (text, offset, expected) in [
            ("", 0, "the name of a family"),
            ("{a}", 0, "the name of a family"),
            ("f g", 2, "`{` or the end"),
            ("f{a}}", 4, "`{` or the end"),
            ("f{a", 3, "`,` or `}`"),
            ("f{a b}", 4, "`,` or `}`"),
            ("f{a;b}{", 6, "`{` or the end"),
            ("f{=}", 2, "`,` or `}`"),
            ("f{a=}", 4, "a quoted text or a $variable"),
            ("f{a=b}", 4, "a quoted text or a $variable"),
            ("f{a=~\"x\"}", 3, "`=`, because each side is also written"),
            ("f{a !~\"x\"}", 4, "`=`, because each side is also written"),
            ("f{a=$}", 5, "the name of a variable"),
            ("f{a=\"x}", 7, "the closing quote"),
            ("f{a=\"\\x\"}", 6, "`\\\\`, `\\n` or an escaped quote"),
            ("f{a=\"x\" \"y\"}", 8, "`,` or `}`"),
            ("f{a=\"$x$y\"}", 4, "a text with other text between its $variables"),
        ] {
            assert_eq!(parse_selector(text), Err(SyntaxError { offset, expected }), "{text}");
        }
    }

    #[test]
    fn conditions() {
        let condition = parse_condition(" f by ( a , b ) ").unwrap();
        assert_eq!(condition.family, "f");
        assert_eq!(condition.on, ["a", "b"]);
        for (text, offset, expected) in [
            ("", 0, "the name of a family"),
            ("f", 1, "`by (label, …)`"),
            ("f on (a)", 2, "`by (label, …)`"),
            ("f by a", 5, "`(`"),
            ("f by (a", 7, "`,` or `)`"),
            ("f by (a) x", 9, "nothing more"),
        ] {
            assert_eq!(parse_condition(text), Err(SyntaxError { offset, expected }), "{text}");
        }
    }

    #[test]
    fn what_overlaps() {
        for (a, b, overlaps, alike) in [
            ("f", "f", true, true),
            ("f", "g", false, false),
            (r#"f{a="1"}"#, r#"f{a="2"}"#, false, false),
            (r#"f{a="1"}"#, "f", true, false),
            (r#"f{a="1"}"#, r#"f{b="1"}"#, true, false),
            (r#"f{a="1", b="2"}"#, r#"f{b="2", a="1", c}"#, true, true),
            ("f{a=$x}", "f{a}", true, true),
            (r#"f{a="p$x"}"#, r#"f{a="q$x"}"#, false, true),
            (r#"f{a="p$x"}"#, r#"f{a="pq$x"}"#, true, true),
            (r#"f{a="$x@p"}"#, r#"f{a="$x@q"}"#, false, true),
            (r#"f{a="p$x"}"#, r#"f{a="p"}"#, false, false),
            (r#"f{a="$x@$y"}"#, r#"f{a="x@y"}"#, true, false),
            (r#"f{a="$x@$y"}"#, r#"f{a="x"}"#, false, false),
            (r#"f{a="$x@$y"}"#, r#"f{a="p$x@q"}"#, true, true),
            (r#"f{a="a$x@$y"}"#, r#"f{a="b$x@$y"}"#, false, true),
        ] {
            let (a, b) = (parse_selector(a).unwrap(), parse_selector(b).unwrap());
            assert_eq!((a.overlaps(&b), a.reads_like(&b)), (overlaps, alike), "{a} {b}");
            assert_eq!((b.overlaps(&a), b.reads_like(&a)), (overlaps, alike), "{b} {a}");
            assert_eq!(a.reading_key() == b.reading_key(), alike, "{a} {b}");
        }
    }
}
