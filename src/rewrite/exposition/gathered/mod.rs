//! Families that can only be written once the whole exposition is known: what is held of them, and how they are written.

pub(super) mod buckets;
pub(super) mod contributions;
pub(super) mod history;
pub(super) mod series;
pub(super) mod writer;
