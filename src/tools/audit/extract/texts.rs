//! Texts that are not known to be queries: documents in strings, links, and texts that name a
//! family.

use super::context::Context;
use super::extractor::Extractor;
use crate::document::{Limits, Node, Scalar, Source, parse_all, parse_json};
use crate::tools::audit::query::{Query, QueryKind};

/// Maximum nesting of documents in strings, such as a dashboard in a `ConfigMap` in a list.
const MAX_NESTED_DOCUMENTS: usize = 3;

/// Keys of texts for people. They may name a family without using it.
const PROSE: [&str; 20] = [
    "title",
    "description",
    "summary",
    "message",
    "content",
    "text",
    "name",
    "help",
    "legendFormat",
    "alias",
    "displayName",
    "label",
    "note",
    "notes",
    "comment",
    "uid",
    "id",
    "alert",
    "record",
    "url",
];

impl Extractor<'_> {
    /// A string: it can be a document, a link, or something else that uses a family.
    pub(super) fn text(&mut self, key: &str, scalar: &Scalar, document: usize, here: &Context) {
        if key == "url" {
            let line = self.source.line(document, scalar.span.start);
            self.source.links.push((line, scalar.text.clone()));
            return;
        }
        if self.document(key, scalar, document, here) || !(self.names)(&scalar.text) {
            return;
        }
        // Annotations of alerts can contain queries: `{{ query "…" }}`.
        let has_query = scalar.text.contains("{{") && scalar.text.contains("query");
        if !PROSE.contains(&key) && !is_annotation(key, here) || has_query {
            self.push_text(key, scalar, document, here);
        }
    }

    /// Visits a document in a string. Returns false if it is not one.
    fn document(&mut self, key: &str, scalar: &Scalar, document: usize, here: &Context) -> bool {
        let start = scalar.text.trim_start();
        let is_file = [".yaml", ".yml", ".rules"].iter().any(|ending| key.ends_with(ending));
        let may_be_one = start.starts_with('{')
            || is_file
            || ((start.starts_with('[') || scalar.text.contains('\n'))
                && (self.names)(&scalar.text));
        if !may_be_one || self.source.depth(document) >= MAX_NESTED_DOCUMENTS {
            return false;
        }
        let source = Source::new(key, scalar.text.clone());
        let nodes = if start.starts_with('{') {
            parse_json(&source, Limits::EXPORTED).map(|node| vec![node])
        } else {
            parse_all(&source, Limits::EXPORTED)
        };
        let Ok(nodes) = nodes else { return false };
        if nodes.iter().any(|node| matches!(node, Node::Scalar(_))) {
            return false;
        }
        let inner = self.source.add(source, nodes.clone(), (document, scalar.clone()));
        let context = Context::of_document(&nodes, &here.title);
        for node in &nodes {
            self.visit(node, key, inner, &context);
        }
        true
    }

    /// The name of the metric that an autoscaler reads: `metric: {name: …}`.
    pub(super) fn metric_name(&mut self, metric: &Node, document: usize, here: &Context) {
        let Some(name) = metric.get("name").and_then(Node::text) else { return };
        self.push(Query {
            kind: QueryKind::MetricName,
            title: here.title.clone(),
            obstacle: Some("names of metrics of an adapter are not migrated".to_owned()),
            ..here.new_query(name, document)
        });
    }

    /// The pattern of a relabeling rule that selects series by name.
    pub(super) fn name_pattern(
        &mut self,
        node: &Node,
        pattern: &Node,
        document: usize,
        here: &Context,
    ) -> bool {
        let sources = node.list("source_labels").iter().chain(node.list("sourceLabels"));
        let of_name = sources.clone().count() == 1;
        let mut sources = sources.filter(|_| of_name);
        let of_name = sources.any(|it| it.text().is_some_and(|it| it.text == "__name__"));
        let Some(pattern) = pattern.text().filter(|_| of_name) else { return false };
        self.push(Query {
            kind: QueryKind::NamePattern,
            title: here.title.clone(),
            obstacle: Some("relabeling rules are not migrated".to_owned()),
            ..here.new_query(pattern, document)
        });
        true
    }
}

/// The annotations of alerts are texts for people, under any key.
fn is_annotation(key: &str, here: &Context) -> bool {
    here.in_annotations && !key.contains('.')
}
