//! A file, the documents in its strings, and edits of its queries in place.

use std::collections::{BTreeMap, BTreeSet};

use super::query::Query;
use super::relabeling::Relabeling;
use crate::document::{Edit, Limits, Node, Scalar, Source, Style, apply, parse_all};

/// A file and its queries.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// The file itself, followed by documents in strings. Each is after the document that contains
    /// it.
    documents: Vec<Document>,
    pub(super) queries: Vec<Query>,
    /// The file has unit tests of rules.
    pub(super) is_unit_test: bool,
    /// The rule files of the unit tests.
    pub(super) rule_files: Vec<String>,
    /// Lines and URLs of links, which may contain a query.
    pub(super) links: Vec<(usize, String)>,
    /// Lines, variables and labels of the ad hoc filters that a dashboard is saved with.
    pub(super) filters: Vec<(usize, String, String)>,
    /// Relabeling rules that read or remove labels other than the name.
    pub(super) relabelings: Vec<Relabeling>,
    /// The names under which rules record.
    pub(super) recorded: BTreeSet<String>,
}

#[derive(Debug)]
struct Document {
    source: Source,
    nodes: Vec<Node>,
    /// The document that contains this one, and the string that it is.
    holder: Option<(usize, Scalar)>,
}

/// The edits that migrate a query and its legend.
#[derive(Clone, Debug, Default)]
pub(super) struct QueryEdits {
    pub(super) query: Vec<Edit>,
    pub(super) legend: Vec<Edit>,
}

/// Edits of queries, by index.
type Edits<'a> = [(usize, &'a QueryEdits)];

const NOT_EDITABLE: &str = "it is written in a way that cannot be edited in place";
const CHANGED: &str = "an edit in place would change more than the query";

impl SourceFile {
    pub(super) fn new(source: Source, nodes: Vec<Node>) -> SourceFile {
        let file = Document { source, nodes, holder: None };
        SourceFile {
            documents: vec![file],
            queries: Vec::new(),
            is_unit_test: false,
            rule_files: Vec::new(),
            links: Vec::new(),
            filters: Vec::new(),
            relabelings: Vec::new(),
            recorded: BTreeSet::new(),
        }
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

    /// The line of the file. In a document whose lines are not lines of the file, that of the
    /// document.
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

    /// The text of the file with all edits of its queries and legends that can be made in place,
    /// and the queries whose edits cannot, with the reason. All other bytes stay.
    pub(super) fn edited(
        &self,
        edits: &Edits<'_>,
    ) -> (Option<String>, BTreeMap<usize, &'static str>) {
        let mut failed = BTreeMap::new();
        let editable: Vec<bool> =
            (0..self.documents.len()).map(|it| self.is_editable(it)).collect();
        let mut possible: Vec<(usize, &QueryEdits)> = Vec::new();
        for (index, its) in edits {
            let is_possible =
                self.targets(*index, its).into_iter().all(|(document, scalar, edits)| {
                    let text = self.documents[document].source.text();
                    editable[document] && scalar.edits_in_document(text, edits).is_some()
                });
            if is_possible {
                possible.push((*index, its));
            } else {
                failed.insert(*index, NOT_EDITABLE);
            }
        }
        if possible.is_empty() {
            return (None, failed);
        }
        match self.edit_together(&possible) {
            Ok(text) => (Some(text), failed),
            Err(reason) => {
                self.find_failing(&possible, reason, &mut failed);
                possible.retain(|(index, _)| !failed.contains_key(index));
                match self.edit_together(&possible) {
                    Ok(text) if !possible.is_empty() => (Some(text), failed),
                    Ok(_) => (None, failed),
                    Err(reason) => {
                        failed.extend(possible.iter().map(|(index, _)| (*index, reason)));
                        (None, failed)
                    }
                }
            }
        }
    }

    /// Finds the edits that fail, by halves.
    fn find_failing(
        &self,
        edits: &Edits<'_>,
        reason: &'static str,
        failed: &mut BTreeMap<usize, &'static str>,
    ) {
        if let [(index, _)] = edits {
            failed.insert(*index, reason);
            return;
        }
        let (left, right) = edits.split_at(edits.len() / 2);
        for half in [left, right] {
            if let Err(reason) = self.edit_together(half) {
                self.find_failing(half, reason, failed);
            }
        }
    }

    /// True if strings of a document can be edited in the file that contains it.
    fn is_editable(&self, document: usize) -> bool {
        self.documents[document].holder.as_ref().is_none_or(|(holder, scalar)| {
            let text = self.documents[*holder].source.text();
            scalar.edits_in_document(text, &[]).is_some() && self.is_editable(*holder)
        })
    }

    /// The strings that edits of a query change: document, string, edits.
    fn targets<'a>(
        &'a self,
        index: usize,
        edits: &'a QueryEdits,
    ) -> Vec<(usize, &'a Scalar, &'a [Edit])> {
        let query = &self.queries[index];
        let mut targets = vec![(query.document, &query.text, &edits.query[..])];
        if let Some(legend) = query.legend.as_ref().filter(|_| !edits.legend.is_empty()) {
            targets.push((query.document, legend, &edits.legend[..]));
        }
        targets
    }

    fn edit_together(&self, edits: &Edits<'_>) -> Result<String, &'static str> {
        let mut by_document: Vec<Vec<Edit>> = vec![Vec::new(); self.documents.len()];
        let mut changed: Vec<BTreeMap<usize, String>> = vec![BTreeMap::new(); self.documents.len()];
        for (document, scalar, edits) in
            edits.iter().flat_map(|(index, edits)| self.targets(*index, edits))
        {
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
}

/// Parses a changed document: nothing but the changed strings may differ.
fn check(
    document: &Document,
    new: &str,
    changed: &BTreeMap<usize, String>,
) -> Result<(), &'static str> {
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
