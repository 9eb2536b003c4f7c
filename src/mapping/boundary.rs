//! A bucket boundary, in packs and in plans.

use std::collections::BTreeSet;

/// A bucket boundary of a histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Boundary {
    /// The boundary as a number.
    pub bound: f64,
    /// The boundary as it is written in `le="…"`.
    pub text: Box<str>,
}

/// Boundaries as texts, in the order of their numbers.
pub(crate) fn ascending(texts: &BTreeSet<String>) -> Vec<&str> {
    let number = |text: &&str| text.parse::<f64>().unwrap_or(f64::INFINITY);
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    texts.sort_by(|a, b| number(a).total_cmp(&number(b)));
    texts
}
