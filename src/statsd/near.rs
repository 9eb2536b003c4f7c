//! Searches for a byte that is probably near.

use memchr::{memchr, memchr2, memchr3};

/// Length of the part in which eight bytes are searched at once.
const NEAR: usize = 64;

/// The index of the first byte of this value. Names, keys and values are short: calling memchr
/// costs more than searching them.
#[inline]
pub(crate) fn find(byte: u8, text: &[u8]) -> Option<usize> {
    first_of([byte], text, |far| memchr(byte, far))
}

/// The index of the first byte of one of these values.
#[inline]
pub(super) fn find2(a: u8, b: u8, text: &[u8]) -> Option<usize> {
    first_of([a, b], text, |far| memchr2(a, b, far))
}

/// The index of the first byte of one of these values.
#[inline]
pub(super) fn find3(a: u8, b: u8, c: u8, text: &[u8]) -> Option<usize> {
    first_of([a, b, c], text, |far| memchr3(a, b, c, far))
}

#[inline]
fn first_of<const N: usize>(
    bytes: [u8; N],
    text: &[u8],
    search_far: impl FnOnce(&[u8]) -> Option<usize>,
) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = ONES << 7;
    let first_of_eight = |eight: &[u8; 8]| {
        let eight = u64::from_le_bytes(*eight);
        // The lowest zero byte of each is found exactly.
        let zeros = bytes.iter().fold(0, |zeros, byte| {
            let zero_if_found = eight ^ (ONES * u64::from(*byte));
            zeros | zero_if_found.wrapping_sub(ONES) & !zero_if_found
        });
        (zeros & HIGHEST != 0).then(|| (zeros & HIGHEST).trailing_zeros() as usize / 8)
    };
    let mut rest = text;
    while let Some((eight, after)) = rest.split_first_chunk() {
        let at = text.len() - rest.len();
        if at == NEAR {
            return search_far(rest).map(|found| at + found);
        }
        if let Some(found) = first_of_eight(eight) {
            return Some(at + found);
        }
        rest = after;
    }
    // The last eight bytes: those before `rest` are none of these.
    if let Some(eight) = text.last_chunk() {
        return first_of_eight(eight).map(|found| text.len() - 8 + found);
    }
    let found = rest.iter().position(|byte| bytes.contains(byte));
    found.map(|found| text.len() - rest.len() + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_is_found() {
        // Bytes that differ from it in the lowest or the highest bit.
        let others = [b';', b':' + 0x80, 0, 0xff, b'9', b'{', b'\r'].repeat(12);
        for length in 0..others.len() {
            let text = &others[..length];
            assert_eq!(find(b':', text), None);
            let marked = [text, b":", text, b":\n|"].concat();
            assert_eq!(find(b':', &marked), Some(length));
            assert_eq!((find2(b'|', b':', text), find3(b'|', b':', b'\n', text)), (None, None));
            assert_eq!(find2(b'|', b':', &marked), Some(length));
            assert_eq!(find3(b'|', b'\n', b':', &marked), Some(length));
            assert_eq!(find3(b'|', b'\n', b'%', &marked), Some(2 * length + 2));
        }
    }
}
