//! What the objects around a query say about it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::relabel_keys::is_relabeling_list;
use crate::document::Node;
use crate::tools::audit::query::QueryKind;

/// Data sources that search texts, and may do so for the name of a family.
const TEXT_SEARCH: [&str; 8] = [
    "loki",
    "elasticsearch",
    "opensearch",
    "tempo",
    "jaeger",
    "zipkin",
    "pyroscope",
    "victoriametrics-logs",
];

/// Parts of a panel whose words are not names of labels.
const NO_LABELS: [&str; 9] =
    ["targets", "queries", "title", "description", "datasource", "panels", "type", "kind", "refId"];

/// What the enclosing objects say about a query.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    pub(super) title: String,
    pub(super) in_annotations: bool,
    /// The kind and name of the rule, also for keys that it merges (`<<`).
    pub(super) rule: Option<(QueryKind, String)>,
    pub(super) panel: Option<Panel>,
    pub(super) language: Language,
    /// The value is within relabeling rules of metrics.
    pub(super) relabels_metrics: bool,
    /// A panel of the dashboard reads the results of other panels.
    pub(super) has_shared_results: bool,
}

/// The panel of a dashboard.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// Something outside the queries may use any label of the result.
    pub(super) labels_matter: bool,
    /// Words in overrides, aliases, links and the like, which may be names of labels.
    pub(super) words: Arc<BTreeSet<String>>,
}

/// The language of queries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Language {
    /// `PromQL`, or an extension of it.
    #[default]
    PromQl,
    /// The data source searches texts, so a query that is not `PromQL` is not audited.
    Logs,
}

impl Context {
    /// The context of a whole document.
    pub(super) fn of_document(nodes: &[Node], title: &str) -> Context {
        let has_shared_results = nodes.iter().any(|it| has_text(it, &["-- Dashboard --"]));
        Context {
            title: title.to_owned(),
            has_shared_results,
            relabels_metrics: nodes.iter().any(is_relabeling_list),
            ..Context::default()
        }
    }

    /// The context of the values of a map.
    pub(super) fn within(&self, node: &Node) -> Context {
        let mut here = self.clone();
        let named = ["title", "name", "record", "alert"].iter().find_map(|key| node.str(key));
        if let Some(name) = named.filter(|name| !name.is_empty()) {
            name.clone_into(&mut here.title);
        }
        let rule = [("record", QueryKind::Record), ("alert", QueryKind::Alert)];
        let rule = rule.iter().find_map(|(key, kind)| Some((*kind, node.str(key)?.to_owned())));
        here.rule = rule.or(here.rule);
        let group = node.get("data").filter(|data| data.str("kind") == Some("QueryGroup"));
        if node.get("targets").is_some() || group.is_some() {
            let mut panel = Panel::new(node, group);
            panel.labels_matter |= here.has_shared_results;
            here.panel = Some(panel);
        }
        let source = node.get("datasource").and_then(|source| source.str("type"));
        let data_query = node.str("kind") == Some("DataQuery");
        let kind = source.or(if data_query { node.str("group") } else { None });
        if let Some(kind) = kind {
            let searches = TEXT_SEARCH.iter().any(|it| kind.eq_ignore_ascii_case(it));
            here.language = if searches { Language::Logs } else { Language::PromQl };
        }
        here
    }
}

impl Panel {
    fn new(node: &Node, group: Option<&Node>) -> Panel {
        let group = group.and_then(|group| group.get("spec"));
        let transformed = |node: &Node| !node.list("transformations").is_empty();
        let mut names_labels = false;
        node.scalars(&mut |scalar| names_labels |= scalar.text.contains("field.labels"));
        let mut words = BTreeSet::new();
        collect_words(node, &mut words);
        Panel {
            labels_matter: transformed(node)
                || group.is_some_and(transformed)
                || names_labels
                // SQL and math expressions read labels by name.
                || has_text(node, &["__expr__", "-100"])
                || node.get("alert").is_some(),
            words: Arc::new(words),
        }
    }
}

/// True if one of these texts is a value, such as the ID of a data source.
fn has_text(node: &Node, texts: &[&str]) -> bool {
    let mut found = false;
    node.scalars(&mut |scalar| found |= texts.contains(&scalar.text.as_str()));
    found
}

fn collect_words(node: &Node, words: &mut BTreeSet<String>) {
    match node {
        Node::Scalar(scalar) => {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let parts = scalar.text.split(|c| !is_part(c)).filter(|word| !word.is_empty());
            words.extend(parts.map(str::to_owned));
        }
        Node::List(list) => list.items.iter().for_each(|item| collect_words(item, words)),
        Node::Map(map) => {
            let entries = map.entries.iter();
            for (_, item) in entries.filter(|(key, _)| !NO_LABELS.contains(&key.text.as_str())) {
                collect_words(item, words);
            }
        }
    }
}
