//! Writes gathered series when the exposition is complete.

mod contributions;
mod family_writer;
mod history;
mod lines;
mod open_family;

pub use family_writer::Progress;
pub(super) use family_writer::Writer;
pub use history::{History, Remembered};
