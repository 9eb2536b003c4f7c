//! Values in another unit.

use std::io::Write;

use crate::mapping::Scale;

/// The largest number that is multiplied: times any factor it is finite.
const MOST: f64 = f64::MAX / 9_007_199_254_740_992.0;

/// The number that a value is. `None`: it is a text, which cannot be multiplied.
pub(super) fn number(value: &[u8]) -> Option<f64> {
    // Words such as `inf` are numbers for the parser, but not for receivers.
    let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let text =
        std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|it| is_part(&it)))?;
    text.parse().ok().filter(|number: &f64| number.abs() <= MOST)
}

/// Writes values, each times a factor. Those that are no numbers are copied.
///
/// The sign stays: `+1` and `-1` of a gauge are changes of its value, and `1` is not.
#[cold]
pub(super) fn write_scaled(values: &[u8], scale: Scale, out: &mut Vec<u8>) {
    for (index, value) in values.split(|byte| *byte == b':').enumerate() {
        if index > 0 {
            out.push(b':');
        }
        let Some(number) = number(value) else {
            out.extend_from_slice(value);
            continue;
        };
        if value.starts_with(b"+") {
            out.push(b'+');
        }
        // Without an exponent, which not all receivers read.
        write!(out, "{}", scale.of(number)).expect("a Vec takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts() {
        for (value, expected) in [
            ("12", Some(12.0)),
            ("-0.5", Some(-0.5)),
            ("+3", Some(3.0)),
            (".5", Some(0.5)),
            ("1e3", Some(1000.0)),
            ("", None),
            ("nil", None),
            ("inf", None),
            ("NaN", None),
            ("1e300", None),
            ("1 ", None),
            ("--1", None),
        ] {
            assert_eq!(number(value.as_bytes()), expected, "{value}");
        }
    }
}
