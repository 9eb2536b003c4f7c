//! The factor between the values of two generations.

use std::fmt;
use std::io::Write;

/// The largest whole number below which a double has every other one.
const MOST: u64 = 1 << 53;

/// The factor between the values of two generations, as a ratio of two whole numbers.
///
/// A power of ten moves the decimal point: 12500 becomes 12.5, and 8198.047 becomes 8198047, although
/// a double times 1000 would be 8198047.000000001.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    multiply: u64,
    divide: u64,
    /// If it is a power of ten, its exponent.
    places: Option<i32>,
}

impl Scale {
    /// Parses a decimal (`0.001`, `1e-6`, `512`) or a ratio (`1/1024`). `None` if it is neither, not
    /// above 0, or not a ratio of whole numbers up to 2^53.
    ///
    /// ```
    /// use crossfade::mapping::Scale;
    ///
    /// let to_seconds = Scale::parse("0.001").expect("a decimal");
    /// assert_eq!(to_seconds.of(12_500.0), 12.5);
    /// assert_eq!(to_seconds.inverse().of(12.5), 12_500.0);
    /// assert_eq!(to_seconds, Scale::parse("1/1000").expect("a ratio"));
    /// assert_eq!(Scale::parse("0"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Scale> {
        let (multiply, divide) = match text.split_once('/') {
            Some((multiply, divide)) => (whole(multiply)?, whole(divide)?),
            None => decimal(text)?,
        };
        Scale::ratio(multiply, divide)
    }

    fn ratio(multiply: u64, divide: u64) -> Option<Scale> {
        if multiply == 0 || divide == 0 {
            return None;
        }
        let common = common_divisor(multiply, divide);
        let (multiply, divide) = (multiply / common, divide / common);
        let places = match (power_of_ten(multiply), power_of_ten(divide)) {
            (Some(places), Some(0)) => Some(places),
            (Some(0), Some(places)) => Some(-places),
            _ => None,
        };
        let scale = Scale { multiply, divide, places };
        (scale.multiply <= MOST && scale.divide <= MOST).then_some(scale)
    }

    /// A value of the other generation.
    #[must_use]
    pub fn of(self, value: f64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "it is a power of 2")]
        let most = MOST as f64;
        match self.places {
            // The product and the quotient of whole numbers are exact or rounded once, unless they
            // are so large that the double is not the number in the text.
            Some(places) if value.is_finite() && (value.fract() != 0.0 || value.abs() > most) => {
                shifted(value, places)
            }
            _ => self.in_range(value),
        }
    }

    /// The value times the factor, also if the product is too large for a double, but not the result.
    fn in_range(self, value: f64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "both are at most 2^53")]
        let (multiply, divide) = (self.multiply as f64, self.divide as f64);
        if value.is_finite() && (value * multiply).is_infinite() {
            return value / divide * multiply;
        }
        self.in_doubles(value)
    }

    /// Whether no value becomes larger.
    #[must_use]
    pub fn only_shrinks(self) -> bool {
        self.multiply <= self.divide
    }

    /// A value of the other generation. `None` if it is too large for a double: a number must not
    /// become infinite. A value too small for one becomes 0, which is the closest double.
    ///
    /// ```
    /// use crossfade::mapping::Scale;
    ///
    /// let to_milliseconds = Scale::parse("1000").expect("a decimal");
    /// assert_eq!(to_milliseconds.checked(1.5e305), Some(1.5e308));
    /// assert_eq!(to_milliseconds.checked(1.8e305), None);
    /// assert_eq!(to_milliseconds.checked(f64::INFINITY), Some(f64::INFINITY));
    /// ```
    #[must_use]
    pub fn checked(self, value: f64) -> Option<f64> {
        let scaled = self.of(value);
        (scaled.is_finite() || !value.is_finite()).then_some(scaled)
    }

    /// The factor of the other direction.
    #[must_use]
    pub fn inverse(self) -> Scale {
        let places = self.places.map(|places| -places);
        Scale { multiply: self.divide, divide: self.multiply, places }
    }

    /// Whether values stay as they are.
    #[must_use]
    pub fn is_one(self) -> bool {
        self.multiply == self.divide
    }

    /// This factor times another one. `None` if a number of the product is above 2^53.
    ///
    /// ```
    /// use crossfade::mapping::Scale;
    ///
    /// let scale = |text| Scale::parse(text).expect("a factor");
    /// assert_eq!(scale("1000").times(scale("1/60")), Some(scale("50/3")));
    /// ```
    #[must_use]
    pub fn times(self, other: Scale) -> Option<Scale> {
        let (across, back) = (
            common_divisor(self.multiply, other.divide),
            common_divisor(other.multiply, self.divide),
        );
        Scale::ratio(
            (self.multiply / across).checked_mul(other.multiply / back)?,
            (self.divide / back).checked_mul(other.divide / across)?,
        )
    }

    /// Whether it is a whole number or one divided by a whole number.
    #[must_use]
    pub fn is_single_operation(self) -> bool {
        self.multiply == 1 || self.divide == 1
    }

    /// Whether no value is rounded: both numbers are powers of two.
    #[must_use]
    pub fn is_exact(self) -> bool {
        self.multiply.is_power_of_two() && self.divide.is_power_of_two()
    }

    /// A double times this in floating-point arithmetic, as `PromQL` computes it.
    #[must_use]
    pub fn in_doubles(self, value: f64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "both are at most 2^53")]
        let (multiply, divide) = (self.multiply as f64, self.divide as f64);
        value * multiply / divide
    }
}

/// As an operation: `/ 1000`, `* 512`, `* 3 / 7`.
impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.multiply, self.divide) {
            (multiply, 1) => write!(f, "* {multiply}"),
            (1, divide) => write!(f, "/ {divide}"),
            (multiply, divide) => write!(f, "* {multiply} / {divide}"),
        }
    }
}

/// Only digits: no sign, no blanks.
fn whole(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A decimal as a ratio: `1.5e-3` is 15 / 10000.
fn decimal(text: &str) -> Option<(u64, u64)> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (before, after) = number.split_once('.').unwrap_or((number, ""));
    let after = after.trim_end_matches('0');
    let digits = whole(&[before, after].concat())?;
    let places = exponent.checked_sub(i32::try_from(after.len()).ok()?)?;
    let power = 10_u64.checked_pow(places.unsigned_abs())?;
    Some(if places < 0 { (digits, power) } else { (digits.checked_mul(power)?, 1) })
}

fn power_of_ten(number: u64) -> Option<i32> {
    (0..16).find(|places| 10_u64.pow(*places) == number)?.try_into().ok()
}

/// A value with its decimal point moved, as it is written in the shortest form.
fn shifted(value: f64, places: i32) -> f64 {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent = exponent.parse::<i32>().unwrap_or(0) + places;
    let mut moved = [0; 64];
    let mut rest = &mut moved[..];
    write!(rest, "{digits}e{exponent}").expect("a double has far fewer digits");
    let length = 64 - rest.len();
    let moved = std::str::from_utf8(&moved[..length]).unwrap_or_default();
    moved.parse().unwrap_or(f64::NAN)
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_and_ratios() {
        for (text, multiply, divide) in [
            ("0.001", 1, 1000),
            ("1e-6", 1, 1_000_000),
            (".5", 1, 2),
            ("512", 512, 1),
            ("1.50", 3, 2),
            ("2.5e3", 2500, 1),
            ("1/1024", 1, 1024),
            ("4/6", 2, 3),
            ("9007199254740992", MOST, 1),
        ] {
            let scale = Scale::parse(text).expect("a factor");
            assert_eq!((scale.multiply, scale.divide), (multiply, divide), "{text}");
        }
    }

    #[test]
    fn what_is_no_factor() {
        for text in [
            "",
            "0",
            "0.0",
            "-1",
            "+1",
            "1/0",
            "0/1",
            "a",
            "1/2/3",
            "1 ",
            "1e",
            "1e99",
            "e3",
            ".",
            "NaN",
            "inf",
            "0x10",
            "9007199254740993",
            "1e-400",
            "1e2147483648",
        ] {
            assert_eq!(Scale::parse(text), None, "{text}");
        }
    }

    #[test]
    fn powers_of_ten_move_the_decimal_point() {
        let scale = Scale::parse("0.001").expect("a factor");
        for (read, written) in [
            (104.0, 0.104),
            (12_500.0, 12.5),
            (8_198_047.0, 8198.047),
            (2_114_378_834.0, 2_114_378.834),
            (0.3, 0.000_3),
            (1e-9, 1e-12),
            (-1.5, -0.0015),
            (0.0, 0.0),
        ] {
            assert_eq!(scale.of(read).to_bits(), f64::to_bits(written));
            assert_eq!(scale.inverse().of(written).to_bits(), f64::to_bits(read));
        }
        assert!(scale.of(f64::NAN).is_nan());
        assert!(scale.of(f64::INFINITY).is_infinite());
        let half = Scale::parse("1/512").expect("a factor");
        assert_eq!(half.of(1.5).to_bits(), f64::to_bits(1.5 / 512.0));
    }

    #[test]
    fn only_the_result_has_to_be_a_double() {
        let scale = Scale::parse("3/7").expect("a factor");
        assert_eq!(
            scale.checked(1.4e308).map(f64::to_bits),
            Some(f64::to_bits(1.4e308 / 7.0 * 3.0))
        );
        assert_eq!(scale.inverse().checked(1.4e308), None);
        assert_eq!(scale.inverse().checked(f64::NEG_INFINITY), Some(f64::NEG_INFINITY));
        assert!(scale.checked(f64::NAN).is_some_and(f64::is_nan));
        let smallest = f64::from_bits(1);
        let scale = Scale::parse("0.001").expect("a factor");
        assert_eq!(scale.checked(-smallest).map(f64::to_bits), Some((-0.0_f64).to_bits()));
        // The decimal point of its shortest text, 5e-324, moves.
        assert_eq!(scale.inverse().checked(smallest), Some(5e-321));
    }

    #[test]
    fn the_operation() {
        let shown = |text: &str| Scale::parse(text).expect("a factor").to_string();
        assert_eq!([shown("0.001"), shown("512"), shown("3/7")], ["/ 1000", "* 512", "* 3 / 7"]);
    }
}
