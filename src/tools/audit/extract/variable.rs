//! Variables of dashboards.

use super::context::Context;
use super::extractor::Extractor;
use crate::document::{Node, Scalar};
use crate::tools::audit::query::{Query, QueryKind};

impl Extractor<'_> {
    /// Adds the queries of a variable. Returns false if it is not one.
    pub(super) fn variable(&mut self, node: &Node, document: usize, here: &Context) -> bool {
        // Schema v2: `kind: QueryVariable`, and the rest in `spec`.
        let kind = node.str("kind").filter(|kind| kind.ends_with("Variable"));
        let (spec, kind) = match (kind, node.get("spec")) {
            (Some(kind), Some(spec)) => (spec, kind),
            _ => (node, node.str("type").unwrap_or_default()),
        };
        let Some(name) = spec.str("name") else { return false };
        let here = here.within(spec);
        match kind {
            "query" | "QueryVariable" => {
                self.query_variable(spec, name, document, &here);
                true
            }
            "adhoc" | "AdhocVariable" => {
                let lists = ["filters", "baseFilters"].into_iter();
                let filters = lists.flat_map(|list| spec.list(list));
                for key in filters.filter_map(|filter| filter.get("key").and_then(Node::text)) {
                    let line = self.source.line(document, key.span.start);
                    self.source.filters.push((line, name.to_owned(), key.text.clone()));
                }
                // The rest is audited as in other objects.
                false
            }
            "custom" | "constant" | "textbox" | "CustomVariable" | "ConstantVariable"
            | "TextVariable"
                if spec.get("query").is_some() =>
            {
                let values = spec.get("query").and_then(Node::text);
                if let Some(values) = values.filter(|it| (self.names)(&it.text)) {
                    self.push(Query {
                        kind: QueryKind::Text,
                        title: format!("variable {name}"),
                        obstacle: Some("its values are parts of other queries".to_owned()),
                        ..here.new_query(values, document)
                    });
                }
                true
            }
            _ => false,
        }
    }

    fn query_variable(&mut self, spec: &Node, name: &str, document: usize, here: &Context) {
        let regex = spec.str("regex").unwrap_or_default();
        let query = spec.get("query");
        let here = query.map_or_else(|| here.clone(), |query| here.within(query));
        let inner = query.and_then(|query| query.get("spec"));
        let texts: [Option<&Node>; 5] = [
            query,
            query.and_then(|query| query.get("query")),
            inner.and_then(|inner| inner.get("query")),
            inner.and_then(|inner| inner.get("__legacyStringValue")),
            spec.get("definition"),
        ];
        let texts: Vec<&Scalar> = texts.into_iter().flatten().filter_map(Node::text).collect();
        for text in texts {
            self.push(Query {
                kind: QueryKind::Variable,
                title: name.to_owned(),
                labels_matter: true,
                regex: regex.to_owned(),
                ..here.new_query(text, document)
            });
        }
    }
}
