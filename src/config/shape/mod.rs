//! The format of the settings file.

pub(super) mod dynamic_targets;
pub(super) mod file;
pub(super) mod http;
mod read;
mod secrets;
pub(super) mod statsd;
pub(super) mod web;

use crate::document::{Limits, Reader, Source, parse_one};
use file::File;

/// Reads the settings file, with everything that is wrong with its keys and values.
pub(super) fn read_file(source: &Source) -> File {
    let document = match parse_one(source, Limits::WRITTEN) {
        Ok(document) => document,
        Err(error) => {
            let mut file = File::default();
            // Without its structure, any line may contain a secret.
            file.errors.0.push(error.without_excerpt());
            return file;
        }
    };
    if document.is_null() {
        return File::default();
    }
    let secret = secrets::lines(&document, source);
    let mut reader = Reader::new(source, read::HELP);
    let mut file: File = read::shape(&mut reader, document).unwrap_or_default();
    file.errors = reader.finish();
    for error in &mut file.errors.0 {
        if error.location.as_ref().is_some_and(|location| secret.contains(&location.line)) {
            *error = error.clone().without_excerpt();
        }
    }
    file.secret_lines = secret;
    file
}
