//! Finds the queries of a file, and edits them in place.
//!
//! Queries are found by shape, not by schema: an object with `expr` and `record` or `alert` is a rule,
//! another one with `expr` is a panel target or an annotation, and one with `"type": "query"` and
//! `query` is a variable. This covers rows, nested panels, library panels, exports, Grafana alerts,
//! Kubernetes manifests and all schema versions.

use std::collections::BTreeMap;

use super::document::{self, Content, Edit, Node, Text, apply};

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
    text: String,
    nodes: Vec<Node>,
    /// The first byte of each line but the first.
    lines: Vec<usize>,
    /// The document that contains this one, and the string that it is.
    holder: Option<(usize, Text)>,
}

/// A query of a file.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) kind: QueryKind,
    /// The title of the panel, or the name of the variable or rule.
    pub(super) title: String,
    pub(super) line: usize,
    pub(super) text: Text,
    pub(super) legend: Option<Text>,
    /// Something outside the query uses its labels by name, so they must stay.
    pub(super) labels_matter: bool,
    document: usize,
}

/// The kinds of queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueryKind {
    /// Of a panel or another part of a dashboard.
    Target,
    /// Of an annotation.
    Annotation,
    /// Of a template variable: `label_values(…)`, `query_result(…)` and the like.
    Variable,
    /// Of a recording rule.
    Record,
    /// Of an alerting rule.
    Alert,
}

impl QueryKind {
    /// True if Grafana replaces variables in it.
    pub(super) fn has_variables(self) -> bool {
        !matches!(self, QueryKind::Record | QueryKind::Alert)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            QueryKind::Target => "panel",
            QueryKind::Annotation => "annotation",
            QueryKind::Variable => "variable",
            QueryKind::Record => "record",
            QueryKind::Alert => "alert",
        }
    }
}

/// What the enclosing objects say about a query.
#[derive(Clone, Default)]
struct Context {
    title: String,
    labels_matter: bool,
    in_annotations: bool,
    /// The data source is not Prometheus.
    foreign: bool,
}

impl Document {
    fn new(text: String, nodes: Vec<Node>, holder: Option<(usize, Text)>) -> Document {
        let lines = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Document { text, nodes, lines, holder }
    }

    /// The line, from 1, of a byte. The index keeps this fast in files with many queries.
    fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at) + 1
    }
}

impl SourceFile {
    /// Finds the queries of a file.
    ///
    /// # Errors
    ///
    /// The text is neither JSON nor YAML.
    pub(super) fn parse(text: String) -> Result<SourceFile, String> {
        let nodes = document::parse(&text)?;
        let first = Document::new(text, nodes.clone(), None);
        let mut source =
            SourceFile { documents: vec![first], queries: Vec::new(), links: Vec::new() };
        for node in &nodes {
            source.look(node, 0, &Context::default());
        }
        Ok(source)
    }

    fn look(&mut self, node: &Node, document: usize, here: &Context) {
        match node {
            Node::Text(_) | Node::Other(_) => {}
            Node::List(items) => items.iter().for_each(|item| self.look(item, document, here)),
            Node::Map(entries) => {
                let here = here.within(node);
                self.query(node, document, &here);
                for (key, item) in entries {
                    let mut here = here.clone();
                    here.in_annotations |= key == "annotations";
                    if let Node::Text(text) = item {
                        self.text(key, text, document, &here);
                    }
                    self.look(item, document, &here);
                }
            }
        }
    }

    fn query(&mut self, node: &Node, document: usize, here: &Context) {
        if here.foreign {
            return;
        }
        if let Some(text) = node.get("expr").and_then(Node::text) {
            let rule = [("record", QueryKind::Record), ("alert", QueryKind::Alert)];
            let rule = rule.iter().find_map(|(key, kind)| Some((*kind, node.str(key)?)));
            let (kind, title) = match rule {
                Some((kind, name)) => (kind, name.to_owned()),
                None if here.in_annotations => (QueryKind::Annotation, here.title.clone()),
                None => (QueryKind::Target, here.title.clone()),
            };
            let table = node.str("format") == Some("table");
            let labels_matter = here.labels_matter || table || kind != QueryKind::Target;
            let legend = node.get("legendFormat").and_then(Node::text).cloned();
            self.push(Query {
                kind,
                title,
                line: 0,
                text: text.clone(),
                legend,
                labels_matter,
                document,
            });
        }
        if node.str("type") == Some("query") && node.get("name").is_some() {
            let title = node.str("name").unwrap_or_default().to_owned();
            let query = node.get("query");
            let texts = [query, query.and_then(|query| query.get("query")), node.get("definition")];
            for text in texts.into_iter().flatten().filter_map(Node::text) {
                self.push(Query {
                    kind: QueryKind::Variable,
                    title: title.clone(),
                    line: 0,
                    text: text.clone(),
                    legend: None,
                    // `regex` filters `query_result` by its text, which includes labels.
                    labels_matter: node.str("regex").is_some_and(|regex| regex.contains('=')),
                    document,
                });
            }
        }
    }

    fn push(&mut self, mut query: Query) {
        query.line = self.line(query.document, query.text.at.start);
        self.queries.push(query);
    }

    /// A string that is not a query: it may be a document, or a link.
    fn text(&mut self, key: &str, text: &Text, document: usize, here: &Context) {
        if key == "url" {
            let line = self.line(document, text.at.start);
            self.links.push((line, text.value.clone()));
        }
        let json = text.value.trim_start().starts_with('{');
        let yaml = [".yaml", ".yml", ".rules"].iter().any(|ending| key.ends_with(ending));
        let nodes = if json {
            document::parse_json(&text.value).map(|node| vec![node])
        } else if yaml {
            document::parse(&text.value).ok()
        } else {
            None
        };
        // Manifests nest documents at most this deep.
        if let Some(nodes) = nodes.filter(|_| self.depth(document) < 3) {
            let holder = Some((document, text.clone()));
            self.documents.push(Document::new(text.value.clone(), nodes.clone(), holder));
            let inner = self.documents.len() - 1;
            for node in &nodes {
                self.look(node, inner, &Context { foreign: false, ..here.clone() });
            }
        }
    }

    fn depth(&self, document: usize) -> usize {
        self.documents[document].holder.as_ref().map_or(0, |(holder, _)| 1 + self.depth(*holder))
    }

    /// The line of the file. In a document whose lines are not lines of the file, that of the document.
    fn line(&self, document: usize, at: usize) -> usize {
        let this = &self.documents[document];
        let line = this.line(at);
        match &this.holder {
            None => line,
            Some((holder, text)) => {
                let first = self.line(*holder, text.at.start);
                if text.style == document::Style::Block { first + line - 1 } else { first }
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
            let (document, text) = self.target(*target);
            // A YAML alias repeats a query.
            if changed[document].contains_key(&text.at.start) {
                continue;
            }
            let raw =
                text.in_document(&self.documents[document].text, edits).ok_or(NOT_EDITABLE)?;
            by_document[document].extend(raw);
            let new = apply(&text.value, edits).ok_or(NOT_EDITABLE)?;
            changed[document].insert(text.at.start, new);
        }
        for index in (0..self.documents.len()).rev() {
            let this = &self.documents[index];
            if by_document[index].is_empty() {
                continue;
            }
            let new = apply(&this.text, &by_document[index]).ok_or(NOT_EDITABLE)?;
            check(this, &new, &changed[index])?;
            let Some((holder, text)) = &this.holder else {
                return Ok(new);
            };
            let raw = text.in_document(&self.documents[*holder].text, &by_document[index]);
            by_document[*holder].extend(raw.ok_or(NOT_EDITABLE)?);
            changed[*holder].insert(text.at.start, new);
        }
        Ok(self.documents[0].text.clone())
    }

    fn target(&self, target: EditTarget) -> (usize, &Text) {
        let (EditTarget::Query(index) | EditTarget::Legend(index)) = target;
        let query = &self.queries[index];
        let text = match target {
            EditTarget::Query(_) => &query.text,
            EditTarget::Legend(_) => query.legend.as_ref().unwrap_or(&query.text),
        };
        (query.document, text)
    }
}

/// A string to edit, by the index of its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EditTarget {
    Query(usize),
    Legend(usize),
}

/// Parses a changed document: nothing but the changed strings may differ.
fn check(
    document: &Document,
    new: &str,
    changed: &BTreeMap<usize, String>,
) -> Result<(), &'static str> {
    const CHANGED: &str = "an edit in place would change more than the query";
    let again = document::parse(new).map_err(|_| CHANGED)?;
    let contents = |nodes: &[Node], instead: &BTreeMap<usize, String>| -> Vec<Content> {
        nodes.iter().map(|node| node.content(instead)).collect()
    };
    let same = contents(&document.nodes, changed) == contents(&again, &BTreeMap::new());
    if same { Ok(()) } else { Err(CHANGED) }
}

impl Context {
    /// The context of the values of a map.
    fn within(&self, node: &Node) -> Context {
        let mut here = self.clone();
        let named = ["title", "name", "record", "alert"].iter().find_map(|key| node.str(key));
        let holds_queries = node.get("targets").is_some() || node.get("expr").is_some();
        if let Some(name) = named.filter(|name| !name.is_empty()) {
            name.clone_into(&mut here.title);
        }
        if holds_queries {
            let mut names_labels = false;
            node.texts(&mut |text| names_labels |= text.contains("field.labels"));
            let transformed = !node.list("transformations").is_empty();
            here.labels_matter = here.labels_matter || transformed || names_labels;
        }
        if let Some(source) = node.get("datasource") {
            let is_foreign = |kind: &str| {
                let lower = kind.to_ascii_lowercase();
                !(lower.contains("prometheus")
                    || lower.starts_with('$')
                    || lower.contains("mixed")
                    || lower == "datasource")
            };
            if let Some(kind) = source.str("type") {
                here.foreign = is_foreign(kind);
            }
        }
        here
    }
}
