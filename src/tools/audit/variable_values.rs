//! The values that Grafana takes from the result of a template variable's query.
//!
//! The result of `query_result(…)` is a list of texts, `name{label="value",…} number time`. The
//! variable's `regex` drops the texts that it does not match, and its first group is the value. A
//! migrated query has other names, so neither may depend on the name.

use super::auditor::Auditor;
use super::promql::Expr;
use super::query::{Query, QueryKind};
use super::variable_query::VariableQuery;

impl Auditor {
    /// Why a migrated query would give a template variable other values.
    pub(super) fn values_obstacle(&self, query: &Query, expr: &Expr) -> Option<String> {
        if query.kind != QueryKind::Variable {
            return None;
        }
        match VariableQuery::parse(&query.text.text) {
            VariableQuery::Series(_) => Some(
                "its values are series with their names; use `label_values` or `query_result`"
                    .to_owned(),
            ),
            VariableQuery::QueryResult(_) if self.catalog.first_in(&query.regex).is_some() => {
                Some("its `regex` names the family".to_owned())
            }
            VariableQuery::QueryResult(_)
                if expr.has_name() && !takes_a_label_value(&query.regex) =>
            {
                Some(
                    "its values may contain the name of the series; add a `regex` such as \
                      `/service=\"([^\"]*)\"/`"
                        .to_owned(),
                )
            }
            _ => None,
        }
    }
}

/// True if a `regex` takes a value from after `label="`, and matches the same whatever the name is.
///
/// A name does not contain `="`, so a match that begins with a label and `="` is after the name.
fn takes_a_label_value(regex: &str) -> bool {
    // `/…/flags` is searched in the text. Anything else has to match all of it.
    let searched = regex.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    let mut rest = searched.map_or(regex, |(pattern, _)| pattern);
    rest = rest.strip_prefix('^').unwrap_or(rest);
    let mut skips = false;
    while let Some(after) = rest.strip_prefix(".*").or_else(|| rest.strip_prefix(".+")) {
        rest = after.strip_prefix('?').unwrap_or(after);
        skips = true;
    }
    let is_anchored = searched.is_none_or(|(pattern, _)| pattern.starts_with('^'));
    let label = rest.trim_start_matches(['\\', '{', ',']);
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let Some(group) = label.trim_start_matches(is_part).strip_prefix("=\"") else { return false };
    let has_group = group.starts_with('(') && !group.starts_with("(?")
        || group.starts_with("(?<value>")
        || group.starts_with("(?<text>");
    // An alternative or a look behind could match the name.
    (skips || !is_anchored) && has_group && !group.contains('|') && !group.contains("(?<=")
}

#[cfg(test)]
mod tests {
    use super::super::promql;
    use super::*;

    #[test]
    fn which_regexes_do_not_depend_on_the_name() {
        for (regex, expected) in [
            ("/service=\"([^\"]*)\"/", true),
            ("/.*service=\"([^\"]*)\".*/", true),
            ("/^.*?\\{service=\"(.*?)\",/i", true),
            ("/,service=\"(?<value>[^\"]*)/", true),
            (".*service=\"([^\"]*)\".*", true),
            ("", false),
            ("/.*/", false),
            ("service=\"([^\"]*)\"", false),
            ("/^service=\"([^\"]*)\"/", false),
            ("/service=\"[^\"]*\"/", false),
            ("/kong_([a-z_]*)/", false),
            ("/(.*)\\{.*/", false),
            ("/service=\"([^\"]*)\"|^([a-z_]+)/", false),
            ("/service=\"(?:a)\"/", false),
        ] {
            assert_eq!(takes_a_label_value(regex), expected, "{regex}");
        }
    }

    #[test]
    fn which_results_have_names() {
        for (query, expected) in [
            ("a", true),
            ("topk(3, a{b=\"c\"} > 5)", true),
            ("sort_desc(last_over_time(a[1h]))", true),
            ("a or sum(b)", true),
            ("rate(a[5m])", false),
            ("sum by (b) (a)", false),
            ("topk(3, sum by (b) (a))", false),
            ("a / b", false),
        ] {
            let expr = promql::parse(query).expect("a query");
            assert_eq!(expr.has_name(), expected, "{query}");
        }
    }
}
