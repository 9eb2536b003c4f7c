//! Rules whose two sides do not have the same samples or values.

use super::input::Input;
use super::select::Selection;
use super::uncounted::check_counted;
use crate::tools::audit::catalog::Catalog;

/// Why the query would have another result, although every selector has a counterpart.
pub(super) fn obstacles(input: &Input<'_>, selection: &Selection<'_>) -> Vec<String> {
    let mut obstacles: Vec<String> = Vec::new();
    let mut add = |obstacle: String| {
        if !obstacles.contains(&obstacle) {
            obstacles.push(obstacle);
        }
    };
    let all = selection.selected.iter();
    for (selected, rule) in all.flat_map(|it| it.rules.iter().map(move |rule| (it, rule))) {
        if let Some(why) = &rule.differs {
            let (from, to) = (&rule.side(input.from).family, &rule.side(input.from.other()).family);
            let hint = if selected.rules.len() > 1 {
                format!(" {}", Catalog::absent_hint(to))
            } else {
                String::new()
            };
            add(format!("{from} and {to} do not have the same values: {why}{hint}"));
        }
        if !rule.converted_labels.is_empty() {
            let (old, new) = (&rule.old.family, &rule.new.family);
            let how = rule.converted_labels.join("; ");
            add(format!("{old} and {new} have other values: {how}"));
        }
        if let Err(obstacle) = check_counted(input, selected.usage.selector, rule) {
            add(obstacle);
        }
        for lack in rule.old.lacks.iter().chain(&rule.new.lacks) {
            if !input.catalog.is_absent(&lack.only_with) {
                add(format!("{} {}", lack.say, Catalog::absent_hint(&lack.only_with)));
            }
        }
    }
    obstacles
}
