//! YAML and JSON files with source positions, and everything that is wrong with them.
//!
//! Packs, files of test cases, settings and the files of tools are read here:
//!
//! ```text
//! text ── Source ── yaml, json ──> Node ── Reader, Fields ──> values, Diagnostics
//! ```
//!
//! - A [`Source`] is a text with the name of its file. It turns a [`Span`] of bytes into a
//!   [`Location`], and a location and a message into a [`Diagnostic`].
//! - [`parse_one`] and [`parse_all`] read it as [`Node`]s. Every [`Scalar`] keeps its spelling, its
//!   style and its span. Length, depth and the expansion of aliases are bounded.
//! - A [`Reader`] takes the values out of the nodes. It records an error for every unknown, missing
//!   or duplicate key and for every value of a wrong shape, and goes on.
//! - An [`Edit`] changes a scalar in the text it was read from, and nothing else.
//!
//! ```
//! use crossfade::document::{Limits, Reader, Source, parse_one};
//!
//! let source = Source::new("ports.yaml", "nmae: web\nports: [80, http]\n");
//! let document = parse_one(&source, Limits::WRITTEN)?;
//!
//! let mut reader = Reader::new(&source, "see the manual");
//! let ports = reader.map(document, "a list of ports", |fields| {
//!     fields.text("name");
//!     Some(fields.each("ports", |reader, node| {
//!         let scalar = reader.scalar(node, "a port")?;
//!         reader.value(&scalar, str::parse::<u16>)
//!     }))
//! });
//!
//! // What is right has been read, with its place.
//! let port = ports.expect("a map")[0];
//! assert_eq!((port.value, source.line_and_column(port.span.start)), (80, (2, 9)));
//!
//! // What is wrong is known, all of it.
//! let wrong = reader.finish();
//! assert_eq!(
//!     wrong.to_string(),
//!     "ports.yaml:1:1: a list of ports has no key `nmae`; did you mean `name`?\n\
//!      ports.yaml:2:13: `http`: invalid digit found in string"
//! );
//! assert_eq!(
//!     wrong.0[0].to_text(),
//!     "error: a list of ports has no key `nmae`
//!  --> ports.yaml:1:1
//!   |
//! 1 | nmae: web
//!   | ^^^^
//!   |
//!   = help: did you mean `name`?
//! "
//! );
//! # Ok::<(), crossfade::document::Diagnostic>(())
//! ```

mod diagnostic;
mod edit;
mod fields;
mod json;
mod node;
mod source;
mod span;
mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics, Location, Severity};
pub use edit::{Edit, apply};
pub use fields::{Fields, Reader, closest, listed, plural, unknown_word};
pub use json::parse as parse_json;
pub use node::{Limits, List, Map, Node, Scalar, Style};
pub use source::Source;
pub use span::{Span, Spanned};
pub use yaml::parse as parse_yaml;

/// Reads a YAML file (JSON is YAML) that must have one document. An empty file is null.
///
/// # Errors
///
/// The first place that is not YAML or exceeds a limit, or the beginning of a second document.
pub fn parse_one(source: &Source, limits: Limits) -> Result<Node, Diagnostic> {
    let documents = parse_yaml(source, limits)?;
    // `---` before the first document, or after the last one, is no document of its own.
    let mut documents = documents.into_iter().filter(|document| !document.is_null());
    let first = documents.next();
    if let Some(second) = documents.next() {
        let message = "a second YAML document begins here";
        return Err(source.error(second.span(), message, "put each document into its own file"));
    }
    Ok(first.unwrap_or_else(|| Node::null(Span::at(source.text().len()))))
}

/// Reads a file that is JSON, or any number of YAML documents.
///
/// # Errors
///
/// The first place that is neither JSON nor YAML or exceeds a limit.
pub fn parse_all(source: &Source, limits: Limits) -> Result<Vec<Node>, Diagnostic> {
    let text = source.text().trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with(['{', '[']) {
        return parse_yaml(source, limits);
    }
    // A YAML file may begin with a brace as well: a flow map, or the placeholder of a template.
    parse_json(source, limits)
        .map(|node| vec![node])
        .or_else(|error| parse_yaml(source, limits).map_err(|_| error))
}

#[cfg(test)]
mod tests;
