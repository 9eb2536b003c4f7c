//! A bucket boundary, in packs and in plans.

/// A bucket boundary of a histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Boundary {
    /// The boundary as a number.
    pub bound: f64,
    /// The boundary as it is written in `le="…"`.
    pub text: Box<str>,
}
