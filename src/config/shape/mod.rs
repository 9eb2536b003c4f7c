//! The format of the settings file.

pub(super) mod dynamic_targets;
pub(super) mod file;
pub(super) mod http;
mod read;
mod secrets;
pub(super) mod statsd;
pub(super) mod web;

use std::collections::BTreeSet;

use crate::document::{Diagnostics, Limits, Reader, Source, parse_one};
use file::File;
use http::Http;

/// Reads the settings file, with everything that is wrong with its keys and values.
pub(super) fn read_file(source: &Source) -> File {
    let Read { value, errors, secret_lines } = read_shape::<File>(source);
    File { errors, secret_lines, ..value.unwrap_or_default() }
}

/// What was read from a file.
pub(super) struct Read<T> {
    /// What is right; `None` for an empty file, or one without structure.
    pub(super) value: Option<T>,
    /// What is wrong with keys and values.
    pub(super) errors: Diagnostics,
    /// Lines that are not shown.
    pub(super) secret_lines: BTreeSet<usize>,
}

/// Reads a file that has only the keys for requests.
pub(super) fn read_http(source: &Source) -> Read<Http> {
    read_shape(source)
}

fn read_shape<T: read::Shape>(source: &Source) -> Read<T> {
    let nothing = |errors| Read { value: None, errors, secret_lines: BTreeSet::new() };
    let document = match parse_one(source, Limits::WRITTEN) {
        // Without its structure, any line may contain a secret.
        Err(error) => return nothing(Diagnostics(vec![error.without_excerpt()])),
        Ok(document) if document.is_null() => return nothing(Diagnostics::default()),
        Ok(document) => document,
    };
    let secret_lines = secrets::lines(&document, source);
    let mut reader = Reader::new(source, read::HELP);
    let value = read::shape(&mut reader, document);
    let mut errors = reader.finish();
    for error in &mut errors.0 {
        if error.location.as_ref().is_some_and(|location| secret_lines.contains(&location.line)) {
            *error = error.clone().without_excerpt();
        }
    }
    Read { value, errors, secret_lines }
}
