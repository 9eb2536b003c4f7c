//! Bytes as text for people.

/// The bytes as they are if they are UTF-8, otherwise with ASCII escapes.
pub(crate) fn printable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}
