//! demo
mod dice;
#[cfg(test)]
mod genuine;
mod node;
mod page;
mod render;
mod stand_in;
mod tally;
mod traffic;
pub(crate) use traffic::Traffic;
