//! `relay`: real sockets on both sides.

mod allocations;
mod reload;
mod traffic;
