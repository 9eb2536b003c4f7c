//! `relay`: real sockets on both sides.

mod allocations;
mod logs;
mod packs;
mod peers;
mod reload;
mod traffic;
