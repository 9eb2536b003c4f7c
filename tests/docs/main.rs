//! Files of the repository are compared with the code, and the code with its own rules.

mod documents;
mod examples;
mod layering;
#[path = "../support/mod.rs"]
mod support;
