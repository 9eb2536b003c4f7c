//! Offline checks: they use the core and no network.

pub mod audit;
mod hints;
pub mod pack_tests;
pub mod verify;
mod wrap;
