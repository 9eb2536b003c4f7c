//! The text exposition format.
