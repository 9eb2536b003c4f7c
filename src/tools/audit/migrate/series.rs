//! Migrates the series of a unit test.

use super::factor::factors;
use super::input::{Input, Migration};
use super::select::select;
use super::selector::edit_selector;
use crate::tools::audit::promql;

/// Migrates a selector that is one series: `name{label="value"}`.
///
/// # Errors
///
/// The obstacles.
pub(in crate::tools::audit) fn migrate_series(input: &Input<'_>) -> Result<Migration, Vec<String>> {
    let obstacle = |text: &str| Err(vec![text.to_owned()]);
    let selection = select(input)?;
    let [selected] = &selection.selected[..] else { return Ok(Migration::default()) };
    let mut rules = selected.rules.clone();
    if rules.len() > 1 {
        // Of a condition on other series, the test decides itself.
        rules.retain(|rule| rule.only_with.is_none());
    }
    let [rule] = rules[..] else { return obstacle("the series becomes several families") };
    if !factors(input, selected, rule).map_err(|obstacle| vec![obstacle])?.is_empty() {
        return obstacle("its values have another unit in the other generation");
    }
    let edits = edit_selector(input, selected, rule).map_err(|obstacle| vec![obstacle])?;
    let Some(text) = crate::document::apply(input.text, &edits) else {
        return obstacle("it cannot be edited");
    };
    let is_series = promql::parse(&text).is_ok_and(|expr| match &expr.node {
        promql::Node::Selector(selector) => selector.matchers.iter().all(|it| it.op == "="),
        _ => false,
    });
    if is_series {
        Ok(Migration { edits, ..Migration::default() })
    } else {
        obstacle("the other generation has no single series for it")
    }
}
