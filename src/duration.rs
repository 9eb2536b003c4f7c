//! Durations as files write them.

use std::time::Duration;

const EXPECTED: &str = "expected a time such as 500ms, 10s or 1m30s";
const TOO_LONG: &str = "time is longer than ten years";

/// The longest time. Sums and multiples of it, and moments that far away, are still representable.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// Parses numbers with the units `ms`, `s`, `m` and `h`: `500ms`, `10s`, `1m30s`. `0` needs no
/// unit.
///
/// # Errors
///
/// A description of the expected format.
pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(EXPECTED);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let number: u64 = number.parse().map_err(|_| EXPECTED)?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(EXPECTED),
        };
        let part = number.checked_mul(millis).ok_or(TOO_LONG)?;
        total = total.checked_add(Duration::from_millis(part)).ok_or(TOO_LONG)?;
        rest = after;
    }
    if total > LONGEST {
        return Err(TOO_LONG);
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_numbers_and_units() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("500ms", 500),
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "1", "10", "s", "1 s", "1.5s", "-1s", "1s2", "1d", "é"] {
            assert_eq!(parse(text), Err(EXPECTED), "{text}");
        }
        assert_eq!(parse("87600h"), Ok(LONGEST));
        for text in ["87600h1ms", "18446744073709551615h"] {
            assert_eq!(parse(text), Err(TOO_LONG), "{text}");
        }
    }
}
