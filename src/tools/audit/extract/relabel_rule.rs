//! Relabeling rules of metrics.

use super::context::Context;
use super::extractor::Extractor;
use crate::document::Node;
use crate::tools::audit::relabeling::Relabeling;

impl Extractor<'_> {
    /// Adds a rule that uses labels, if the node is one. A rule of the name alone is a pattern of
    /// names. Returns false if it is not one.
    pub(super) fn relabel_rule(&mut self, node: &Node, document: usize, here: &Context) -> bool {
        let text = |keys: [&str; 2]| {
            let found = keys.iter().find_map(|key| node.get(key).and_then(Node::text));
            found.map(|scalar| (scalar.span.start, scalar.text.clone()))
        };
        let sources = node.list("source_labels").iter().chain(node.list("sourceLabels"));
        let sources: Vec<String> = sources.filter_map(|it| Some(it.text()?.text.clone())).collect();
        let action = text(["action", "action"]);
        let regex = text(["regex", "regex"]);
        let target = text(["target_label", "targetLabel"]);
        let places = [&regex, &action, &target].into_iter().flatten();
        let Some(at) = places.map(|(at, _)| *at).min() else { return false };
        let action = action.map_or_else(|| "replace".to_owned(), |it| it.1.to_ascii_lowercase());
        let is_rule = !sources.is_empty()
            || target.is_some()
            || ["labeldrop", "labelkeep", "labelmap"].contains(&action.as_str());
        let has_name = sources.iter().any(|it| it == "__name__");
        let is_of_name_alone = sources.len() == 1 && has_name && target.is_none();
        if !is_rule || is_of_name_alone || !(has_name || here.relabels_metrics) {
            return false;
        }
        self.source.relabelings.push(Relabeling {
            line: self.source.line(document, at),
            title: here.title.clone(),
            action,
            sources,
            separator: text(["separator", "separator"]).map_or_else(|| ";".to_owned(), |it| it.1),
            pattern: regex.map_or_else(|| "(.*)".to_owned(), |it| it.1),
            target: target.map(|it| it.1),
        });
        true
    }
}
