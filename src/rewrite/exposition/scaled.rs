//! What follows the labels of a sample, in another unit.

use super::family::HistogramPart;
use super::sample_line::SampleLine;
use crate::exposition::{parse_number, write_number};
use crate::mapping::Scale;

/// Writes the end of a line: the value times the factor, unless it is a count, the timestamp, and
/// the exemplar, whose value is an observation and so has the unit too. `exemplar`: whether the
/// exemplar is written.
pub(super) fn write_scaled(
    line: &SampleLine<'_>,
    part: Option<HistogramPart>,
    scale: Scale,
    exemplar: bool,
    out: &mut Vec<u8>,
) {
    let (text, value) = (line.text, line.scanner.value());
    out.extend_from_slice(&text[line.scanner.labels_end()..value.start()]);
    match part {
        None | Some(HistogramPart::Sum) => write_number(scale.of(line.value()), out),
        Some(_) => out.extend_from_slice(value.of(text)),
    }
    let end = end_of_timestamp(line);
    out.extend_from_slice(&text[value.end()..end]);
    let rest = &text[end..];
    if !exemplar || rest == b"\n" {
        out.push(b'\n');
        return;
    }
    match find_exemplar(rest, part) {
        Some((observed, from, to)) => {
            out.extend_from_slice(&rest[..from]);
            write_number(scale.of(observed), out);
            out.extend_from_slice(&rest[to..]);
        }
        None => out.extend_from_slice(rest),
    }
}

/// The offset after the value and the timestamp of a sample: where its exemplar or newline is.
pub(super) fn end_of_timestamp(line: &SampleLine<'_>) -> usize {
    let rest = line.scanner.value().end();
    // No number contains the character, so it begins an exemplar.
    let exemplar = line.text[rest..].iter().position(|&byte| byte == b'#');
    let end = exemplar.map_or(line.text.len(), |at| rest + at);
    line.text[..end].trim_ascii_end().len()
}

/// The value of the exemplar of a sample.
pub(super) fn exemplar(line: &SampleLine<'_>, part: Option<HistogramPart>) -> Option<f64> {
    find_exemplar(&line.text[end_of_timestamp(line)..], part).map(|(observed, ..)| observed)
}

/// The value of an exemplar, and where it is.
fn find_exemplar(rest: &[u8], part: Option<HistogramPart>) -> Option<(f64, usize, usize)> {
    let (from, to) = exemplar_value(rest).filter(|_| part != Some(HistogramPart::Created))?;
    Some((parse_number(&rest[from..to])?, from, to))
}

/// Where the value of an exemplar is: ` # {labels} value timestamp`.
fn exemplar_value(rest: &[u8]) -> Option<(usize, usize)> {
    let (mut quoted, mut escaped) = (false, false);
    let end_of_labels = rest.iter().position(|&byte| {
        let ends = byte == b'}' && !quoted;
        quoted ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let after = end_of_labels + 1;
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
            (" # {trace_id=\"a}\\\"b\"}  0.25 1.5\n", Some("0.25")),
            (" # {a=\"\\\\\"} 3", Some("3")),
            (" # {a=\"b\n", None),
            (" # {}\n", None),
        ] {
            let found = exemplar_value(rest.as_bytes());
            assert_eq!(found.and_then(|(from, to)| rest.get(from..to)), value, "{rest}");
        }
    }
}
