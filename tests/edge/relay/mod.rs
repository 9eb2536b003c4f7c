//! `relay`: real sockets on both sides.

mod allocations;
mod logs;
mod peers;
mod reload;
mod traffic;
