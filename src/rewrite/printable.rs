//! Bytes as text for people.

use std::borrow::Cow;

/// The bytes as they are if they are UTF-8, otherwise with ASCII escapes.
pub(crate) fn printable(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.escape_ascii().to_string()),
    }
}
