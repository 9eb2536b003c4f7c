//! Searches for a byte that is probably near.

use memchr::memchr;

/// Length of the part in which eight bytes are searched at once.
const NEAR: usize = 32;

/// The index of the first byte of this value. Names, keys and values are short: calling memchr
/// costs more than searching them.
#[inline]
pub(super) fn find(byte: u8, text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = ONES << 7;
    let mut at = 0;
    while let Some(eight) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        if at == NEAR {
            return memchr(byte, &text[at..]).map(|found| at + found);
        }
        let zero_if_found = u64::from_le_bytes(*eight) ^ (ONES * u64::from(byte));
        // The lowest zero byte is found exactly.
        let zeros = zero_if_found.wrapping_sub(ONES) & !zero_if_found & HIGHEST;
        if zeros != 0 {
            return Some(at + zeros.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    text[at..].iter().position(|its| *its == byte).map(|found| at + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_is_found() {
        // Bytes that differ from it in the lowest or the highest bit.
        let others = [b';', b':' + 0x80, 0, 0xff, b'9'].repeat(12);
        for length in 0..others.len() {
            let text = &others[..length];
            assert_eq!(find(b':', text), None);
            assert_eq!(find(b':', &[text, b":", text, b":"].concat()), Some(length));
        }
    }
}
