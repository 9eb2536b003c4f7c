//! Sample values: parsed as Prometheus does, and written in the shortest form.

use super::Format;
use super::word::decimal;

/// Parses a sample value. Returns `None` if Prometheus would refuse it.
///
/// The syntax is that of Go's `strconv.ParseFloat` without hexadecimal and underscores: `1`, `.5`,
/// `1e3`, `+Inf`, `infinity` and `nan` in any case. A signed `nan` is refused, and so is a number
/// outside the range of a double (an error in Go, not infinity).
///
/// ```
/// use crossfade::exposition::parse_number;
///
/// assert_eq!(parse_number(b"1e3"), Some(1000.0));
/// assert_eq!(parse_number(b"+Inf"), Some(f64::INFINITY));
/// assert_eq!(parse_number(b"0x10"), None);
/// ```
#[must_use]
pub fn parse_number(text: &[u8]) -> Option<f64> {
    if let Some(value) = small_integer(text) {
        return Some(value);
    }
    let unsigned = match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    };
    let word = |expected: &str| unsigned.eq_ignore_ascii_case(expected.as_bytes());
    if word("inf") || word("infinity") {
        let negative = text.first() == Some(&b'-');
        return Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    if text.eq_ignore_ascii_case(b"nan") {
        return Some(f64::NAN);
    }
    // Only decimals are left. Rust accepts more spellings of infinity and NaN than Go.
    if !unsigned.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        return None;
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// Up to 15 digits: exact in a double, and by far the most common kind of value.
fn small_integer(text: &[u8]) -> Option<f64> {
    if text.is_empty() || text.len() > 15 {
        return None;
    }
    let mut value = 0u64;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    #[allow(clippy::cast_precision_loss, reason = "15 digits are below 2^53")]
    Some(value as f64)
}

/// Every whole number up to this one is exact in a double, and is written without an exponent.
const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53

/// Appends a value: whole numbers up to 2^53 as digits, others in the shortest form that parses
/// back to the same number.
#[inline]
pub fn write_number(value: f64, out: &mut Vec<u8>) {
    let Some((text, length)) = short_integer_text(value) else {
        return write_any_number(value, out);
    };
    let end = out.len() + length;
    out.extend_from_slice(&text);
    out.truncate(end);
}

/// The digits of a whole number below 100,000,000, with zeros after it, and their number. Nearly
/// every value is one.
#[inline]
pub(crate) fn short_integer_text(value: f64) -> Option<([u8; 8], usize)> {
    if !(0.0..100_000_000.0).contains(&value) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    let whole = value as u32;
    #[allow(clippy::float_cmp, reason = "exact")]
    let is_whole = f64::from(whole) == value;
    is_whole.then(|| decimal(whole))
}

fn write_any_number(value: f64, out: &mut Vec<u8>) {
    #[allow(clippy::cast_possible_truncation, reason = "the range has been checked")]
    if value.abs() <= EXACT {
        let whole = value as i64;
        #[allow(clippy::cast_precision_loss, clippy::float_cmp, reason = "exact within 2^53")]
        if whole as f64 == value {
            out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
            return;
        }
    }
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    }
}

/// Parses a timestamp to milliseconds since 1970: whole milliseconds in the text format, seconds in
/// `OpenMetrics`.
pub(super) fn parse_timestamp(text: &[u8], format: Format) -> Option<i64> {
    match format {
        Format::Text if text.iter().all(u8::is_ascii_digit) => {
            std::str::from_utf8(text).ok()?.parse().ok()
        }
        Format::Text => None,
        Format::OpenMetrics => {
            let seconds = parse_number(text).filter(|seconds| seconds.is_finite())?;
            #[allow(clippy::cast_possible_truncation, reason = "saturates")]
            Some((seconds * 1000.0).round() as i64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_prometheus_are_read() {
        let same = |text: &str, value: f64| {
            assert_eq!(parse_number(text.as_bytes()), Some(value), "{text}");
        };
        same("0", 0.0);
        same("-0", 0.0);
        same("00012", 12.0);
        same("999999999999999", 999_999_999_999_999.0);
        same("1.723456789225e+15", 1_723_456_789_225_000.0);
        same(".5", 0.5);
        same("5.", 5.0);
        same("+1E3", 1000.0);
        same("inf", f64::INFINITY);
        same("-Infinity", f64::NEG_INFINITY);
        same("1e-400", 0.0); // underflow is no error in Go either
        assert!(parse_number(b"NaN").is_some_and(f64::is_nan));
        assert!(parse_number(b"nan").is_some_and(f64::is_nan));
    }

    #[test]
    fn other_numbers_are_refused() {
        for text in [
            "", "+", ".", "e5", "1e", "1e+", "0x10", "1_000", "1\r", "nil", "+nan", "-NaN",
            "1e400", "-1e999", "1,5", "١", "1 ", "--1", "infin", "nano",
        ] {
            assert_eq!(parse_number(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn writes_the_shortest() {
        let written = |value: f64| {
            let mut out = Vec::new();
            write_number(value, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(0.0), "0");
        assert_eq!(written(-12.0), "-12");
        assert_eq!(written(9_007_199_254_740_992.0), "9007199254740992");
        assert_eq!(written(0.1 + 0.2), "0.30000000000000004");
        assert_eq!(written(f64::NAN), "NaN");
        assert_eq!(written(f64::INFINITY), "+Inf");
        assert_eq!(written(f64::NEG_INFINITY), "-Inf");
        for value in [6.861_247_448_750_6e37, 1.5e-9, 0.00271, 1e300] {
            assert_eq!(parse_number(written(value).as_bytes()), Some(value));
        }
    }
}
