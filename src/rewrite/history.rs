//! What one scrape of a target tells the next.

/// What the next exposition of the same target must know of this one.
///
/// Empty before the first scrape, after a change of settings, and for the offline filter.
#[derive(Clone, Debug, Default)]
pub struct History {}
