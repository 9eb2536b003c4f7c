//! The names of editions: versions of one generation that differ in their bucket layouts.

use std::fmt::{self, Debug, Display};
use std::str::FromStr;

/// The name of an edition: a version, such as `2.8`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EditionName {
    /// Padded with zeros.
    bytes: [u8; EditionName::MAX_BYTES],
}

impl EditionName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 15;

    /// The name as a text.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "a name is ASCII")]
    pub fn as_str(&self) -> &str {
        let length = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(self.bytes.len());
        std::str::from_utf8(&self.bytes[..length]).expect("a name is ASCII")
    }
}

impl FromStr for EditionName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let begins_with_digit = text.starts_with(|first: char| first.is_ascii_digit());
        if !begins_with_digit || !text.bytes().all(legal) || text.len() > Self::MAX_BYTES {
            return Err(
                "an edition is a version such as 1.2: a digit, then letters, digits, `.`, \
                        `_` and `-`, at most 15 characters",
            );
        }
        let mut bytes = [0; Self::MAX_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(EditionName { bytes })
    }
}

impl Display for EditionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Debug for EditionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_versions() {
        for text in ["2.8", "3", "0.16-rc_1", "123456789012345"] {
            let name: EditionName = text.parse().expect(text);
            assert_eq!(name.to_string(), text);
        }
        for text in ["", "old", "v2", "2.8 ", "2/8", "1234567890123456", "2.8\u{e9}"] {
            assert!(text.parse::<EditionName>().is_err(), "{text}");
        }
    }
}
