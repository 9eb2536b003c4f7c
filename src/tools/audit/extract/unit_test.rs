//! Unit tests of rules, for `promtool test rules`.

use super::context::Context;
use super::extractor::Extractor;
use crate::document::{Node, Scalar};
use crate::tools::audit::query::{Query, QueryKind};

/// Keys of one unit test.
const KEYS: [&str; 3] = ["input_series", "promql_expr_test", "alert_rule_test"];

/// True for a file with unit tests.
pub(super) fn is_unit_test(node: &Node) -> bool {
    node.list("tests").iter().any(|test| KEYS.iter().any(|key| test.get(key).is_some()))
}

impl Extractor<'_> {
    /// The series, queries and expected samples of all tests.
    pub(super) fn unit_test(&mut self, node: &Node, document: usize, here: &Context) {
        self.source.is_unit_test = true;
        let files = node.list("rule_files").iter().filter_map(Node::text);
        self.source.rule_files.extend(files.map(|file| file.text.clone()));
        for test in node.list("tests") {
            for series in test.list("input_series") {
                self.test_part(QueryKind::TestSeries, series.get("series"), document, here);
            }
            for query in test.list("promql_expr_test") {
                self.test_part(QueryKind::TestQuery, query.get("expr"), document, here);
                for sample in query.list("exp_samples") {
                    let labels = sample.get("labels").and_then(Node::text);
                    if let Some(labels) = labels.filter(|it| (self.names)(&it.text)) {
                        self.expected_name(labels, document, here);
                    }
                }
            }
        }
    }

    fn test_part(&mut self, kind: QueryKind, text: Option<&Node>, document: usize, here: &Context) {
        if let Some(text) = text.and_then(Node::text) {
            self.push(Query { kind, ..here.new_query(text, document) });
        }
    }

    fn expected_name(&mut self, labels: &Scalar, document: usize, here: &Context) {
        self.push(Query {
            kind: QueryKind::TestQuery,
            obstacle: Some("it expects a sample with the name of the family".to_owned()),
            ..here.new_query(labels, document)
        });
    }
}
