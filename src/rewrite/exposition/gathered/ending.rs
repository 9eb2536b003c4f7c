//! What bucket lines have between `le="` and the value.

/// Most endings are shorter. This many bytes are copied without a function call.
pub(in crate::rewrite::exposition) const USUAL: usize = 16;

/// What a bucket line has between `le="` and the value: `25"} `.
#[derive(Debug)]
pub(in crate::rewrite::exposition) struct Ending {
    text: Box<[u8]>,
    /// The text and zeros, if it is not longer.
    usual: Option<[u8; USUAL]>,
}

impl Ending {
    /// The ending of the bucket with this `le`.
    pub(super) fn new(le: &str) -> Self {
        let text = [le, "\"} "].concat().into_bytes();
        let mut padded = text.clone();
        padded.resize(text.len().max(USUAL), 0);
        Ending { usual: padded.try_into().ok(), text: text.into() }
    }

    pub(in crate::rewrite::exposition) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The text and zeros after it, and its length. `None` if it is longer than usual.
    #[inline]
    pub(in crate::rewrite::exposition) fn padded(&self) -> Option<(&[u8; USUAL], usize)> {
        Some((self.usual.as_ref()?, self.text.len()))
    }
}
