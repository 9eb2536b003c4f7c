//! The tokens of sample lines. Each function reads one at an offset.

use super::word::end_of_plain_text;
use super::{Flaw, Span, number};

/// Why a sample could not be read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    Incomplete,
    Flaw(Flaw),
    TooManyLabels,
}

impl From<Flaw> for Stop {
    fn from(flaw: Flaw) -> Self {
        Stop::Flaw(flaw)
    }
}

/// The byte at an offset.
#[inline]
pub(super) fn byte(line: &[u8], at: usize) -> Result<u8, Stop> {
    line.get(at).copied().ok_or(Stop::Incomplete)
}

/// The offset after any blanks.
#[inline]
pub(super) fn skip_blanks(line: &[u8], mut at: usize) -> usize {
    while matches!(line.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    at
}

/// Reads from the first byte after an opening quote to the closing one. Returns the text between
/// them, whether it is [odd](super::LabelSpan::odd), and the offset after the closing quote.
#[inline]
pub(super) fn quoted(line: &[u8], at: usize) -> Result<(Span, bool, usize), Stop> {
    let end = end_of_plain_text(line, at);
    if byte(line, end)? == b'"' {
        return Ok((Span::new(at, end), false, end + 1));
    }
    quoted_from(line, at, end)
}

/// As [`quoted`]. What is before `end` is plain text.
fn quoted_from(line: &[u8], at: usize, mut end: usize) -> Result<(Span, bool, usize), Stop> {
    let mut ascii = true;
    let mut odd = false;
    loop {
        let byte = byte(line, end)?;
        match byte {
            b'"' => break,
            b'\\' => {
                // Prometheus' lexer accepts any byte except a newline after a backslash.
                match self::byte(line, end + 1)? {
                    b'\n' => return Err(Flaw::BadLabels.into()),
                    b'"' | b'\\' | b'n' => end += 2,
                    // The byte may begin a multi-byte character, so it is read next.
                    _ => {
                        odd = true;
                        end += 1;
                    }
                }
            }
            _ => {
                ascii &= byte < 0x80;
                odd |= byte == b'\n';
                end += 1;
            }
        }
    }
    if !ascii && std::str::from_utf8(&line[at..end]).is_err() {
        return Err(Flaw::BadUtf8.into());
    }
    Ok((Span::new(at, end), odd, end + 1))
}

/// The length of the common prefix.
#[inline]
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const BLOCK: usize = 16;
    let blocks = a.as_chunks::<BLOCK>().0.iter().zip(b.as_chunks::<BLOCK>().0);
    let same = BLOCK * blocks.take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..], &b[same..]);
    match (a.first_chunk(), b.first_chunk()) {
        (Some(first), Some(second)) => {
            let differ = u128::from_le_bytes(*first) ^ u128::from_le_bytes(*second);
            same + differ.trailing_zeros() as usize / 8
        }
        _ => same + a.iter().zip(b).take_while(|(a, b)| a == b).count(),
    }
}

/// Reads an exemplar, `{labels} value [timestamp]`, after its `#`. Returns the length of the line.
pub(super) fn exemplar(line: &[u8], at: usize) -> Result<usize, Stop> {
    let refuse = || Stop::Flaw(Flaw::BadTimestamp);
    let mut at = skip_blanks(line, at);
    if byte(line, at)? != b'{' {
        return Err(refuse());
    }
    at += 1;
    loop {
        match byte(line, at)? {
            b'}' => break,
            b'\n' => return Err(refuse()),
            b'"' => at = quoted(line, at + 1)?.2,
            _ => at += 1,
        }
    }
    at = skip_blanks(line, at + 1);
    for required in [true, false] {
        let start = at;
        while !matches!(byte(line, at)?, b' ' | b'\t' | b'\n') {
            at += 1;
        }
        let text = &line[start..at];
        if (required || !text.is_empty()) && number::parse_number(text).is_none() {
            return Err(refuse());
        }
        at = skip_blanks(line, at);
    }
    if byte(line, at)? == b'\n' { Ok(at + 1) } else { Err(refuse()) }
}
