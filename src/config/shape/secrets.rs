//! Which lines of a settings file contain a secret. Diagnostics do not show these lines.

use std::collections::BTreeSet;

use crate::document::{Node, Source};
use crate::shown_url::has_secret;

/// Parts of the names of keys whose values may be secret. A misspelled key counts too.
const SECRET_NAMES: [&str; 11] = [
    "auth", "bearer", "cookie", "cred", "headers", "key", "pass", "pasw", "pwd", "secret", "token",
];

/// Keys next to secrets whose values are none.
const SHOWN: [&str; 4] = ["files", "passthrough", "type", "username"];

/// The lines, from 1, of every secret in a document.
pub(super) fn lines(document: &Node, source: &Source) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    find(document, false, source, &mut lines);
    lines
}

fn find(node: &Node, is_secret: bool, source: &Source, lines: &mut BTreeSet<usize>) {
    match node {
        Node::Scalar(scalar) => {
            if is_secret || has_secret(&scalar.text) {
                let last = scalar.span.end.max(scalar.span.start + 1) - 1;
                lines.extend(source.line(scalar.span.start)..=source.line(last));
            }
        }
        Node::List(list) => list.items.iter().for_each(|it| find(it, is_secret, source, lines)),
        Node::Map(map) => {
            for (key, value) in &map.entries {
                let name = key.text.to_ascii_lowercase();
                let named = SECRET_NAMES.iter().any(|part| name.contains(part));
                let shown = SHOWN.contains(&name.as_str()) || name.ends_with("_file");
                find(value, (is_secret || named) && !shown, source, lines);
            }
        }
    }
}
