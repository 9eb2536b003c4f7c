//! Texts of packs.

/// A text of a pack, which is UTF-8.
pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("a pack is UTF-8")
}
