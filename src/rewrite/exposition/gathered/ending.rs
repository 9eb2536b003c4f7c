//! What bucket lines have between `le="` and the value.

/// Most endings are shorter. This many bytes are copied without a function call.
const USUAL: usize = 16;

/// What a bucket line has between `le="` and the value: `25"} `.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Ending {
    /// Padded to [`USUAL`] bytes.
    text: Box<[u8]>,
    length: usize,
}

impl Ending {
    /// The ending of the bucket with this `le`.
    pub(super) fn new(le: &str) -> Self {
        let mut text = [le, "\"} "].concat().into_bytes();
        let length = text.len();
        text.resize(length.max(USUAL), 0);
        Ending { text: text.into(), length }
    }

    /// Appends it.
    #[inline]
    pub(in crate::rewrite::exposition) fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.length;
        match self.text.first_chunk::<USUAL>() {
            Some(usual) if self.length <= USUAL => out.extend_from_slice(usual),
            _ => out.extend_from_slice(&self.text),
        }
        out.truncate(end);
    }
}
