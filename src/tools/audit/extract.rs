//! Files to queries: where dashboards and rules keep them.
//!
//! What is looked for is a shape, not a schema: an object with `expr` beside `record` or `alert` is a rule, one with `expr` is
//! a target or an annotation, one of `"type": "query"` with `query` is a variable. So rows and nested panels, library panels,
//! exports, alerts of Grafana, manifests and files of every schema version are read alike.

use std::collections::BTreeMap;

use super::document::{self, Content, Edit, Node, Text, apply, line};

/// A file with everything in it.
#[derive(Debug)]
pub(super) struct Source {
    /// The file first, then documents inside texts, each behind the one that holds it.
    documents: Vec<Document>,
    pub(super) queries: Vec<Query>,
    /// Addresses, which may have a query in them.
    pub(super) links: Vec<(usize, String)>,
}

#[derive(Debug)]
struct Document {
    text: String,
    nodes: Vec<Node>,
    /// The document whose text this is.
    holder: Option<(usize, Text)>,
}

/// A query, and what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) kind: Kind,
    /// The panel, the variable, the rule.
    pub(super) title: String,
    pub(super) line: usize,
    pub(super) text: Text,
    pub(super) legend: Option<Text>,
    /// Something beside the query names its labels: they must stay as they are.
    pub(super) labels_matter: bool,
    document: usize,
}

/// What a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A panel's, or some other place of Grafana's.
    Target,
    /// An annotation's.
    Annotation,
    /// `label_values(…)`, `query_result(…)` and the like.
    Variable,
    /// A recording rule.
    Record,
    /// An alerting rule.
    Alert,
}

impl Kind {
    /// Whether Grafana puts variables in.
    pub(super) fn has_variables(self) -> bool {
        !matches!(self, Kind::Record | Kind::Alert)
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Target => "panel",
            Kind::Annotation => "annotation",
            Kind::Variable => "variable",
            Kind::Record => "record",
            Kind::Alert => "alert",
        }
    }
}

/// What is known of the place that is being looked at.
#[derive(Clone, Default)]
struct Here {
    title: String,
    labels_matter: bool,
    in_annotations: bool,
    foreign: bool,
}

impl Source {
    /// Reads a file that is given as text.
    ///
    /// # Errors
    ///
    /// It is neither JSON nor YAML.
    pub(super) fn parse(text: String) -> Result<Source, String> {
        let nodes = document::parse(&text)?;
        let first = Document { text, nodes: nodes.clone(), holder: None };
        let mut source = Source { documents: vec![first], queries: Vec::new(), links: Vec::new() };
        for node in &nodes {
            source.look(node, 0, &Here::default());
        }
        Ok(source)
    }

    fn look(&mut self, node: &Node, document: usize, here: &Here) {
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

    fn query(&mut self, node: &Node, document: usize, here: &Here) {
        if here.foreign {
            return;
        }
        if let Some(text) = node.get("expr").and_then(Node::text) {
            let rule = [("record", Kind::Record), ("alert", Kind::Alert)];
            let rule = rule.iter().find_map(|(key, kind)| Some((*kind, node.str(key)?)));
            let (kind, title) = match rule {
                Some((kind, name)) => (kind, name.to_owned()),
                None if here.in_annotations => (Kind::Annotation, here.title.clone()),
                None => (Kind::Target, here.title.clone()),
            };
            let table = node.str("format") == Some("table");
            let labels_matter = here.labels_matter || table || kind != Kind::Target;
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
                    kind: Kind::Variable,
                    title: title.clone(),
                    line: 0,
                    text: text.clone(),
                    legend: None,
                    // What `regex` picks out of a result, it picks out by label.
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

    /// A text that is no query: it may hold a document, or lead somewhere.
    fn text(&mut self, key: &str, text: &Text, document: usize, here: &Here) {
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
        // A document inside a document inside a document is as deep as manifests go.
        if let Some(nodes) = nodes.filter(|_| self.depth(document) < 3) {
            let holder = Some((document, text.clone()));
            self.documents.push(Document {
                text: text.value.clone(),
                nodes: nodes.clone(),
                holder,
            });
            let inner = self.documents.len() - 1;
            for node in &nodes {
                self.look(node, inner, &Here { foreign: false, ..here.clone() });
            }
        }
    }

    fn depth(&self, document: usize) -> usize {
        self.documents[document].holder.as_ref().map_or(0, |(holder, _)| 1 + self.depth(*holder))
    }

    /// The line of the file, where it can be told; otherwise that of the text that holds the document.
    fn line(&self, document: usize, at: usize) -> usize {
        let this = &self.documents[document];
        let line = line(&this.text, at);
        match &this.holder {
            None => line,
            Some((holder, text)) => {
                let first = self.line(*holder, text.at.start);
                if text.style == document::Style::Block { first + line - 1 } else { first }
            }
        }
    }

    /// The file with edits of its queries and legends. Every other byte is as it was.
    ///
    /// # Errors
    ///
    /// The edits cannot be made in place; the file, read again, does not say what it should.
    pub(super) fn edited(&self, edits: &[(Place, Vec<Edit>)]) -> Result<String, &'static str> {
        const NO_WAY: &str = "it is written in a way that cannot be edited in place";
        let mut by_document: Vec<Vec<Edit>> = vec![Vec::new(); self.documents.len()];
        let mut changed: Vec<BTreeMap<usize, String>> = vec![BTreeMap::new(); self.documents.len()];
        for (place, edits) in edits {
            let (document, text) = self.at(*place);
            // By an alias, one text may be a query more than once.
            if changed[document].contains_key(&text.at.start) {
                continue;
            }
            let raw = text.in_document(&self.documents[document].text, edits).ok_or(NO_WAY)?;
            by_document[document].extend(raw);
            let new = apply(&text.value, edits).ok_or(NO_WAY)?;
            changed[document].insert(text.at.start, new);
        }
        for index in (0..self.documents.len()).rev() {
            let this = &self.documents[index];
            if by_document[index].is_empty() {
                continue;
            }
            let new = apply(&this.text, &by_document[index]).ok_or(NO_WAY)?;
            check(this, &new, &changed[index])?;
            let Some((holder, text)) = &this.holder else {
                return Ok(new);
            };
            let raw = text.in_document(&self.documents[*holder].text, &by_document[index]);
            by_document[*holder].extend(raw.ok_or(NO_WAY)?);
            changed[*holder].insert(text.at.start, new);
        }
        Ok(self.documents[0].text.clone())
    }

    fn at(&self, place: Place) -> (usize, &Text) {
        let (Place::Query(index) | Place::Legend(index)) = place;
        let query = &self.queries[index];
        let text = match place {
            Place::Query(_) => &query.text,
            Place::Legend(_) => query.legend.as_ref().unwrap_or(&query.text),
        };
        (query.document, text)
    }
}

/// A text that can be edited, by the index of its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Query(usize),
    Legend(usize),
}

/// Reads a changed document again: it must say what it said, but for what was meant to change.
fn check(
    document: &Document,
    new: &str,
    changed: &BTreeMap<usize, String>,
) -> Result<(), &'static str> {
    const WRONG: &str = "changed in place, it would say something else";
    let again = document::parse(new).map_err(|_| WRONG)?;
    let contents = |nodes: &[Node], instead: &BTreeMap<usize, String>| -> Vec<Content> {
        nodes.iter().map(|node| node.content(instead)).collect()
    };
    let same = contents(&document.nodes, changed) == contents(&again, &BTreeMap::new());
    if same { Ok(()) } else { Err(WRONG) }
}

impl Here {
    /// The place that a map makes.
    fn within(&self, node: &Node) -> Here {
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
