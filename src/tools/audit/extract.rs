//! Finds the queries of a file.
//!
//! Queries are found by shape, not by schema: an object with `expr` and `record` or `alert` is a rule,
//! another one with `expr` is a panel target or an annotation, and one with `"type": "query"` and
//! `query` is a variable. This covers rows, nested panels, library panels, exports, Grafana alerts,
//! Kubernetes manifests and all schema versions.

use super::query::{Query, QueryKind};
use super::source_file::SourceFile;
use crate::document::{Diagnostic, Limits, Node, Scalar, Source, parse_all, parse_json};

/// Deepest nesting of documents in strings, such as a dashboard in a `ConfigMap` in a list.
const MAX_NESTED_DOCUMENTS: usize = 3;

/// Finds the queries of a file.
///
/// # Errors
///
/// The first place that is neither JSON nor YAML.
pub(super) fn extract(source: Source) -> Result<SourceFile, Diagnostic> {
    let nodes = parse_all(&source, Limits::EXPORTED)?;
    let mut extractor = Extractor { source: SourceFile::new(source, nodes.clone()) };
    for node in &nodes {
        extractor.visit(node, 0, &Context::default());
    }
    Ok(extractor.source)
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

struct Extractor {
    source: SourceFile,
}

impl Extractor {
    fn visit(&mut self, node: &Node, document: usize, here: &Context) {
        match node {
            Node::Scalar(_) => {}
            Node::List(list) => {
                list.items.iter().for_each(|item| self.visit(item, document, here));
            }
            Node::Map(map) => {
                let here = here.within(node);
                self.query(node, document, &here);
                for (key, item) in &map.entries {
                    let mut here = here.clone();
                    here.in_annotations |= key.text == "annotations";
                    if let Some(scalar) = item.text() {
                        self.string(&key.text, scalar, document, &here);
                    }
                    self.visit(item, document, &here);
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
        query.line = self.source.line(query.document, query.text.span.start);
        self.source.queries.push(query);
    }

    /// A string that is not a query: it may be a document, or a link.
    fn string(&mut self, key: &str, scalar: &Scalar, document: usize, here: &Context) {
        if key == "url" {
            let line = self.source.line(document, scalar.span.start);
            self.source.links.push((line, scalar.text.clone()));
        }
        let json = scalar.text.trim_start().starts_with('{');
        let yaml = [".yaml", ".yml", ".rules"].iter().any(|ending| key.ends_with(ending));
        if !(json || yaml) || self.source.depth(document) >= MAX_NESTED_DOCUMENTS {
            return;
        }
        let source = Source::new(key, scalar.text.clone());
        let nodes = if json {
            parse_json(&source, Limits::EXPORTED).map(|node| vec![node])
        } else {
            parse_all(&source, Limits::EXPORTED)
        };
        let Ok(nodes) = nodes else { return };
        let inner = self.source.add(source, nodes.clone(), (document, scalar.clone()));
        for node in &nodes {
            self.visit(node, inner, &Context { foreign: false, ..here.clone() });
        }
    }
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
            node.scalars(&mut |scalar| names_labels |= scalar.text.contains("field.labels"));
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
