//! Numbers with units, and permissions.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

/// A span of time: `500ms`, `10s`, `1m30s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeSpan(pub Duration);

impl FromStr for TimeSpan {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::duration::parse(text).map(TimeSpan)
    }
}

impl Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis.is_multiple_of(1_000) {
            write!(f, "{}s", millis / 1_000)
        } else {
            write!(f, "{millis}ms")
        }
    }
}

/// A number of bytes: `65536`, `64KiB`, `1GiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size(pub u64);

const SIZE_UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, unit) = SIZE_UNITS
            .iter()
            .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)))
            .unwrap_or((text, 1));
        let number: u64 = number
            .trim_end()
            .parse()
            .map_err(|_| "expected a number of bytes, or one with KiB, MiB or GiB")?;
        number.checked_mul(unit).map(Size).ok_or("size is too large")
    }
}

impl Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, bytes): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*bytes);
        match SIZE_UNITS.iter().find(fits) {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "{}", self.0),
        }
    }
}

/// The permissions of a file as octal digits: `0660`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl FromStr for FileMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected permissions as three or four octal digits, such as 0722";
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let octal = digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        let mode = u32::from_str_radix(digits, 8).map_err(|_| EXPECTED)?;
        if octal && (3..=4).contains(&digits.len()) && mode <= 0o777 {
            Ok(FileMode(mode))
        } else {
            Err(EXPECTED)
        }
    }
}

impl Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// A compression level: 0 (none) to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GzipLevel(pub u32);

impl FromStr for GzipLevel {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(level @ 0..=9) => Ok(GzipLevel(level)),
            _ => Err("expected a level from 0 (do not compress) to 9"),
        }
    }
}

impl Display for GzipLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
