//! What follows the labels of a sample, in another unit.

use super::families::HistogramPart;
use super::sample_line::SampleLine;
use crate::exposition::{parse_number, write_number};
use crate::mapping::Scale;

/// Writes the end of a line: the value times the factor, unless it is a count, the timestamp, and
/// the exemplar, whose value is an observation and so has the unit too.
pub(super) fn write_scaled(
    line: &SampleLine<'_>,
    part: Option<HistogramPart>,
    scale: Scale,
    out: &mut Vec<u8>,
) {
    let (text, value) = (line.text, line.scanner.value());
    out.extend_from_slice(&text[line.scanner.labels_end()..value.start()]);
    match part {
        None | Some(HistogramPart::Sum) => write_number(scale.of(line.value()), out),
        Some(_) => out.extend_from_slice(value.of(text)),
    }
    let rest = &text[value.end()..];
    // No number contains the character, so it begins an exemplar.
    match rest.iter().position(|&byte| byte == b'#').and_then(|at| exemplar_value(rest, at)) {
        Some((from, to)) if part != Some(HistogramPart::Created) => {
            let observed = parse_number(&rest[from..to]);
            out.extend_from_slice(&rest[..from]);
            match observed {
                Some(observed) => write_number(scale.of(observed), out),
                None => out.extend_from_slice(&rest[from..to]),
            }
            out.extend_from_slice(&rest[to..]);
        }
        _ => out.extend_from_slice(rest),
    }
}

/// Where the value of an exemplar is: ` # {labels} value timestamp`. `at` is the place of the `#`.
fn exemplar_value(rest: &[u8], at: usize) -> Option<(usize, usize)> {
    let (mut quoted, mut escaped) = (false, false);
    let end_of_labels = rest[at..].iter().position(|&byte| {
        let ends = byte == b'}' && !quoted;
        quoted ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let after = at + end_of_labels + 1;
    let from = after + rest[after..].iter().position(|byte| !is_blank(byte))?;
    let length = rest[from..].iter().position(is_blank).unwrap_or(rest.len() - from);
    Some((from, from + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_an_exemplar() {
        for (rest, value) in [
            (" # {} 1\n", Some("1")),
            (" 17.5 # {trace_id=\"a}\\\"b\"}  0.25 1.5\n", Some("0.25")),
            (" # {a=\"\\\\\"} 3", Some("3")),
            (" # {a=\"b\n", None),
            (" # {}\n", None),
        ] {
            let found = exemplar_value(rest.as_bytes(), rest.find('#').expect("an exemplar"));
            assert_eq!(found.and_then(|(from, to)| rest.get(from..to)), value, "{rest}");
        }
    }
}
