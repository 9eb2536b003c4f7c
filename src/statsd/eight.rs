//! Short texts, eight bytes at a time.

/// The first eight bytes as a number, with zeros for those that are not there.
#[inline]
pub(crate) fn first_eight(bytes: &[u8]) -> u64 {
    if let Some(eight) = bytes.first_chunk() {
        return u64::from_le_bytes(*eight);
    }
    // What two pieces have in common they say alike.
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let shift = 8 * (bytes.len() - 4);
        return u64::from(u32::from_le_bytes(*first))
            | u64::from(u32::from_le_bytes(*last)) << shift;
    }
    match *bytes {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_or_fewer() {
        let text = b"abcdefghij";
        for length in 0..=text.len() {
            let bytes = (0..length.min(8)).map(|at| u64::from(text[at]) << (8 * at));
            let expected: u64 = bytes.sum();
            assert_eq!(first_eight(&text[..length]), expected, "of {length}");
        }
    }
}
