//! A number that no sample has set.

/// A value that no sample has set. No number that is read has this bit pattern.
pub(in crate::rewrite::exposition) const ABSENT: f64 = f64::from_bits(0xfff8_dead_dead_dead);

pub(in crate::rewrite::exposition) fn is_absent(value: f64) -> bool {
    value.to_bits() == ABSENT.to_bits()
}

/// The value, if a sample has set it.
pub(in crate::rewrite::exposition) fn present(value: f64) -> Option<f64> {
    Some(value).filter(|value| !is_absent(*value))
}

/// Adds to a value that may be absent.
pub(in crate::rewrite::exposition) fn add(cell: &mut f64, value: f64) {
    *cell = if is_absent(*cell) { value } else { *cell + value };
}
