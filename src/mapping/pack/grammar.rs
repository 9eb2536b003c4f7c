//! Shared by the small grammars of packs: errors have an offset and the expected text, not an error
//! kind of nom.

use nom::character::complete::multispace0;
use nom::combinator::{all_consuming, eof};
use nom::error::{ContextError, ErrorKind, ParseError, context};
use nom::sequence::{preceded, terminated};
use nom::{Err, IResult, Parser};

/// A syntax error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mapping) struct SyntaxError {
    /// Where, in bytes.
    pub(in crate::mapping) offset: usize,
    /// What is expected there.
    pub(in crate::mapping) expected: &'static str,
}

/// Why and where parsing stopped. nom's own error kinds mean nothing to an operator.
#[derive(Debug)]
pub(in crate::mapping) struct Stop<'a> {
    rest: &'a str,
    expected: Option<&'static str>,
}

impl<'a> ParseError<&'a str> for Stop<'a> {
    fn from_error_kind(rest: &'a str, _: ErrorKind) -> Self {
        Stop { rest, expected: None }
    }

    fn append(_: &'a str, _: ErrorKind, first: Self) -> Self {
        first
    }
}

impl<'a> ContextError<&'a str> for Stop<'a> {
    fn add_context(_: &'a str, expected: &'static str, mut stop: Self) -> Self {
        // The innermost expectation is the most precise one.
        stop.expected.get_or_insert(expected);
        stop
    }
}

pub(in crate::mapping) type Parsed<'a, T> = IResult<&'a str, T, Stop<'a>>;

/// Parses the whole text, ignoring space around it. `end` names what else could follow, for errors.
///
/// # Errors
///
/// The offset of the first invalid byte, and what is expected there.
pub(in crate::mapping) fn whole<'a, T>(
    parser: impl Parser<&'a str, Output = T, Error = Stop<'a>>,
    end: &'static str,
    text: &'a str,
) -> Result<T, SyntaxError> {
    let parser = preceded(multispace0, terminated(parser, context(end, eof)));
    match all_consuming(parser).parse(text) {
        Ok((_, parsed)) => Ok(parsed),
        Err(Err::Error(stop) | Err::Failure(stop)) => Err(SyntaxError {
            offset: text.len() - stop.rest.len(),
            expected: stop.expected.unwrap_or(end),
        }),
        Err(Err::Incomplete(_)) => unreachable!("complete parsers never ask for more"),
    }
}
