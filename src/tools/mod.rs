//! What proves things offline, with the core and nothing else.

pub mod audit;
pub mod pack_tests;
pub mod verify;
