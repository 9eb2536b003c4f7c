//! Errors in the meaning of settings, with their locations.

use std::collections::BTreeSet;

use crate::document::{Diagnostic, Diagnostics, Location, Source, Span};

/// Collects errors of one settings file, or of flags alone.
#[derive(Debug)]
pub(in crate::config) struct Errors<'s> {
    source: Option<&'s Source>,
    found: Diagnostics,
    secret_lines: &'s BTreeSet<usize>,
}

impl<'s> Errors<'s> {
    /// Continues with what is wrong with keys and values already. Lines of `secret_lines` are not
    /// shown.
    pub(in crate::config) fn new(
        source: Option<&'s Source>,
        found: Diagnostics,
        secret_lines: &'s BTreeSet<usize>,
    ) -> Errors<'s> {
        Errors { source, found, secret_lines }
    }

    /// Records an error of a value or section. `span` is `None` for flags.
    pub(in crate::config) fn at(
        &mut self,
        span: Option<Span>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let location = self.source.zip(span).map(|(source, span)| source.location(span));
        self.push(location, message, help);
    }

    /// Records an error of the settings as a whole: something is missing.
    pub(in crate::config) fn whole(&mut self, message: impl Into<String>, help: impl Into<String>) {
        self.push(self.source.map(Source::whole), message, help);
    }

    fn push(
        &mut self,
        location: Option<Location>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let diagnostic = Diagnostic::error(message).with_help(help);
        let Some(location) = location else { return self.found.0.push(diagnostic) };
        let secret = self.secret_lines.contains(&location.line);
        let diagnostic = diagnostic.at(location);
        self.found.0.push(if secret { diagnostic.without_excerpt() } else { diagnostic });
    }

    /// Everything that is wrong, in the order of the file.
    pub(in crate::config) fn finish(mut self) -> Diagnostics {
        self.found.sort();
        self.found
    }
}
