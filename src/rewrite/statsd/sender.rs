//! What is known about the sender of lines.

use crate::mapping::Generation;

/// The generation of the last line that only one generation can have sent.
///
/// Lines that both generations can send are read as the sender's earlier lines were. Keep one
/// `Sender` for each peer address or connection. Without history, the more specific pattern wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    pub(super) generation: Option<Generation>,
}
