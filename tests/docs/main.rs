//! Files of the repository are compared with the code, and the code with its own rules.

#![expect(clippy::too_many_lines, reason = "a test or a model is read from top to bottom")]

mod documents;
mod examples;
mod layering;
mod release;
mod schemas;
#[path = "../support/mod.rs"]
mod support;
