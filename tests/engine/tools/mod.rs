//! `tools` called as a library.

mod audit;
mod verify;
