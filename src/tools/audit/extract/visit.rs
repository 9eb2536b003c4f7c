//! Visits the values of a file.

use super::context::Context;
use super::extractor::Extractor;
use super::relabel_keys::relabels_metrics;
use super::unit_test::is_unit_test;
use crate::document::{Map, Node};
use crate::tools::audit::query::{Query, QueryKind};

impl Extractor<'_> {
    /// Visits a value, and everything in it.
    pub(super) fn visit(&mut self, node: &Node, key: &str, document: usize, here: &Context) {
        match node {
            Node::Scalar(_) => {
                if let Some(scalar) = node.text() {
                    self.text(key, scalar, document, here);
                }
            }
            Node::List(list) => {
                list.items.iter().for_each(|item| self.visit(item, key, document, here));
            }
            Node::Map(map) => self.map(node, map, document, here),
        }
    }

    fn map(&mut self, node: &Node, map: &Map, document: usize, here: &Context) {
        let here = here.within(node);
        if is_unit_test(node) {
            self.unit_test(node, document, &here);
            return;
        }
        if self.variable(node, document, &here) {
            return;
        }
        let is_relabeling = self.relabel_rule(node, document, &here);
        let record = node.str("record").filter(|_| node.get("expr").is_some());
        self.source.recorded.extend(record.map(str::to_owned));
        let has_query = self.query(node, document, &here);
        for (key, item) in &map.entries {
            if (self.names)(&key.text) {
                self.push_text("a key", key, document, &here);
            }
            // Grafana keeps the last metric of the query editor.
            let is_read = ["expr", "legendFormat", "metric"].contains(&key.text.as_str());
            if has_query && is_read {
                continue;
            }
            if key.text == "regex"
                && (self.name_pattern(node, item, document, &here) || is_relabeling)
            {
                continue;
            }
            if key.text == "metric" {
                self.metric_name(item, document, &here);
            }
            let mut here = here.clone();
            here.relabels_metrics = relabels_metrics(&key.text).unwrap_or(here.relabels_metrics);
            here.in_annotations |= key.text == "annotations";
            here.rule = here.rule.filter(|_| key.text == "<<");
            self.visit(item, &key.text, document, &here);
        }
    }

    /// Adds the query in `expr`, if there is one.
    fn query(&mut self, node: &Node, document: usize, here: &Context) -> bool {
        let Some(text) = node.get("expr").and_then(Node::text) else { return false };
        let (kind, title) = match &here.rule {
            Some((kind, name)) => (*kind, name.clone()),
            None if here.in_annotations => (QueryKind::Annotation, here.title.clone()),
            None if here.panel.is_some() => (QueryKind::Target, here.title.clone()),
            None => (QueryKind::Query, here.title.clone()),
        };
        let table = node.str("format") == Some("table");
        // Only a panel does not use the labels of its queries elsewhere.
        let panel = here.panel.as_ref().filter(|_| kind == QueryKind::Target && !table);
        self.push(Query {
            kind,
            title,
            legend: node.get("legendFormat").and_then(Node::text).cloned(),
            labels_matter: panel.is_none_or(|panel| panel.labels_matter),
            beside: panel.map(|panel| panel.words.clone()).unwrap_or_default(),
            ..here.new_query(text, document)
        });
        true
    }
}
