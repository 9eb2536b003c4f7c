//! A file, the documents in its strings, and edits of its queries in place.

use std::collections::BTreeMap;

use super::query::Query;
use crate::document::{Edit, Limits, Node, Scalar, Source, Style, apply, parse_all};

/// A file and its queries.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// The file itself, followed by documents in strings. Each is after the document that contains it.
    documents: Vec<Document>,
    pub(super) queries: Vec<Query>,
    /// Lines and URLs of links, which may contain a query.
    pub(super) links: Vec<(usize, String)>,
}

#[derive(Debug)]
struct Document {
    source: Source,
    nodes: Vec<Node>,
    /// The document that contains this one, and the string that it is.
    holder: Option<(usize, Scalar)>,
}

/// A string to edit, by the index of its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EditTarget {
    Query(usize),
    Legend(usize),
}

impl SourceFile {
    pub(super) fn new(source: Source, nodes: Vec<Node>) -> SourceFile {
        let file = Document { source, nodes, holder: None };
        SourceFile { documents: vec![file], queries: Vec::new(), links: Vec::new() }
    }

    /// Adds a document that is a string of another one, and returns its index.
    pub(super) fn add(
        &mut self,
        source: Source,
        nodes: Vec<Node>,
        holder: (usize, Scalar),
    ) -> usize {
        self.documents.push(Document { source, nodes, holder: Some(holder) });
        self.documents.len() - 1
    }

    /// How many documents contain a document.
    pub(super) fn depth(&self, document: usize) -> usize {
        self.documents[document].holder.as_ref().map_or(0, |(holder, _)| 1 + self.depth(*holder))
    }

    /// The line of the file. In a document whose lines are not lines of the file, that of the document.
    pub(super) fn line(&self, document: usize, at: usize) -> usize {
        let this = &self.documents[document];
        let line = this.source.line(at);
        match &this.holder {
            None => line,
            Some((holder, scalar)) => {
                let first = self.line(*holder, scalar.span.start);
                if scalar.style == Style::Block { first + line - 1 } else { first }
            }
        }
    }

    /// The text of the file with edits of its queries and legends. All other bytes stay.
    ///
    /// # Errors
    ///
    /// The edits cannot be made in place, or would change something else.
    pub(super) fn edited(&self, edits: &[(EditTarget, Vec<Edit>)]) -> Result<String, &'static str> {
        const NOT_EDITABLE: &str = "it is written in a way that cannot be edited in place";
        let mut by_document: Vec<Vec<Edit>> = vec![Vec::new(); self.documents.len()];
        let mut changed: Vec<BTreeMap<usize, String>> = vec![BTreeMap::new(); self.documents.len()];
        for (target, edits) in edits {
            let (document, scalar) = self.target(*target);
            // A YAML alias repeats a query.
            if changed[document].contains_key(&scalar.span.start) {
                continue;
            }
            let raw = scalar
                .edits_in_document(self.documents[document].source.text(), edits)
                .ok_or(NOT_EDITABLE)?;
            by_document[document].extend(raw);
            let new = apply(&scalar.text, edits).ok_or(NOT_EDITABLE)?;
            changed[document].insert(scalar.span.start, new);
        }
        for index in (0..self.documents.len()).rev() {
            let this = &self.documents[index];
            if by_document[index].is_empty() {
                continue;
            }
            let new = apply(this.source.text(), &by_document[index]).ok_or(NOT_EDITABLE)?;
            check(this, &new, &changed[index])?;
            let Some((holder, scalar)) = &this.holder else {
                return Ok(new);
            };
            let raw = scalar
                .edits_in_document(self.documents[*holder].source.text(), &by_document[index]);
            by_document[*holder].extend(raw.ok_or(NOT_EDITABLE)?);
            changed[*holder].insert(scalar.span.start, new);
        }
        Ok(self.documents[0].source.text().to_owned())
    }

    fn target(&self, target: EditTarget) -> (usize, &Scalar) {
        let (EditTarget::Query(index) | EditTarget::Legend(index)) = target;
        let query = &self.queries[index];
        let text = match target {
            EditTarget::Query(_) => &query.text,
            EditTarget::Legend(_) => query.legend.as_ref().unwrap_or(&query.text),
        };
        (query.document, text)
    }
}

/// Parses a changed document: nothing but the changed strings may differ.
fn check(
    document: &Document,
    new: &str,
    changed: &BTreeMap<usize, String>,
) -> Result<(), &'static str> {
    const CHANGED: &str = "an edit in place would change more than the query";
    let again = Source::new(document.source.file(), new);
    let again = parse_all(&again, Limits::EXPORTED).map_err(|_| CHANGED)?;
    let mut pairs = document.nodes.iter().zip(&again);
    let is_same = document.nodes.len() == again.len() && pairs.all(|(a, b)| same(a, b, changed));
    if is_same { Ok(()) } else { Err(CHANGED) }
}

/// True if `after` has the values of `before`, wherever they are written, except for the strings in
/// `changed`, by their first byte.
fn same(before: &Node, after: &Node, changed: &BTreeMap<usize, String>) -> bool {
    match (before, after) {
        (Node::Scalar(before), Node::Scalar(after)) => {
            let is_bare = |scalar: &Scalar| scalar.style == Style::Bare;
            let text = changed.get(&before.span.start).unwrap_or(&before.text);
            *text == after.text && is_bare(before) == is_bare(after)
        }
        (Node::List(before), Node::List(after)) => {
            let mut pairs = before.items.iter().zip(&after.items);
            before.items.len() == after.items.len() && pairs.all(|(a, b)| same(a, b, changed))
        }
        (Node::Map(before), Node::Map(after)) => {
            let mut pairs = before.entries.iter().zip(&after.entries);
            before.entries.len() == after.entries.len()
                && pairs.all(|(a, b)| a.0.text == b.0.text && same(&a.1, &b.1, changed))
        }
        _ => false,
    }
}
