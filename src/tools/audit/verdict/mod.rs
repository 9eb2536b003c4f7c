//! Decides how the upgrade affects a query.

mod assess;
mod availability;
mod boundaries;
mod name_patterns;
mod one_sided;

pub(super) use assess::assess;
pub(super) use name_patterns::{first_families, literal_prefix};
