//! `relay`: real sockets on both sides.

mod allocations;
mod logs;
mod reload;
mod traffic;
