//! What to turn on at the targets, grouped by what has to be changed.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::packs::PackSet;
use crate::rewrite::exposition::Missing;

/// What to do at the same targets.
#[derive(Debug, Serialize)]
pub(super) struct Remedy {
    targets: BTreeSet<String>,
    /// Settings of the targets to copy, if these are options.
    yaml: Option<String>,
    items: Vec<Item>,
    /// Healthy targets can lack all of these inputs.
    optional: bool,
}

/// An option to turn on, or a reason without an option.
#[derive(Debug, Serialize)]
struct Item {
    /// The name of the pack.
    #[serde(skip)]
    pack: String,
    option: Option<String>,
    /// Why the inputs are missing.
    hints: Vec<String>,
    inputs: BTreeSet<String>,
    #[serde(skip)]
    targets: BTreeSet<String>,
    #[serde(skip)]
    optional: bool,
}

impl Item {
    fn new(missing: &Missing) -> Item {
        Item {
            pack: missing.pack.clone(),
            option: missing.option.clone(),
            hints: Vec::new(),
            inputs: BTreeSet::new(),
            targets: BTreeSet::new(),
            optional: missing.optional,
        }
    }

    /// Whether the same thing is to be done. Without an option, that is what the hint says.
    fn is_for(&self, missing: &Missing, hint: &String) -> bool {
        self.pack == missing.pack
            && self.option == missing.option
            && self.optional == missing.optional
            && (self.option.is_some() || self.hints.contains(hint))
    }
}

/// Everything that is missing, with the name of its target: problems first, then what is optional.
pub(super) fn remedies<'a>(
    missing: impl Iterator<Item = (&'a str, &'a Missing)>,
    packs: &PackSet,
) -> Vec<Remedy> {
    let mut items: Vec<Item> = Vec::new();
    for (target, missing) in missing {
        let hint = missing.hint.clone().unwrap_or_default();
        let at = items.iter().position(|it| it.is_for(missing, &hint)).unwrap_or_else(|| {
            items.push(Item::new(missing));
            items.len() - 1
        });
        let item = &mut items[at];
        if !item.hints.contains(&hint) {
            item.hints.push(hint);
        }
        item.inputs.insert(missing.input.clone());
        item.targets.insert(target.to_owned());
    }
    items.sort_by_key(|it| (it.optional, it.option.is_none()));
    let mut remedies: Vec<Remedy> = Vec::new();
    for item in items {
        let is_same = |its: &&mut Remedy| {
            let (first, is_option) = (&its.items[0], item.option.is_some());
            its.optional == item.optional
                && its.targets == item.targets
                && first.pack == item.pack
                && first.option.is_some() == is_option
        };
        match remedies.iter_mut().find(is_same) {
            Some(remedy) => remedy.items.push(item),
            None => remedies.push(Remedy {
                targets: item.targets.clone(),
                yaml: None,
                optional: item.optional,
                items: vec![item],
            }),
        }
    }
    for remedy in &mut remedies {
        remedy.yaml = yaml(&remedy.items, packs);
    }
    remedies
}

fn yaml(items: &[Item], packs: &PackSet) -> Option<String> {
    let options: Vec<&str> = items.iter().filter_map(|item| item.option.as_deref()).collect();
    let pack = packs.all().iter().find(|pack| pack.name() == items[0].pack)?;
    (!options.is_empty()).then(|| pack.options_yaml(&options))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Generation;
    use crate::packs::builtin;

    fn missing(input: &str, option: Option<&str>, hint: &str, optional: bool) -> Missing {
        Missing {
            pack: "kong".to_owned(),
            input: input.to_owned(),
            generation: Generation::New,
            rules: Vec::new(),
            hint: Some(hint.to_owned()),
            option: option.map(str::to_owned),
            optional,
            expected: Vec::new(),
        }
    }

    #[test]
    fn an_option_is_listed_once() {
        let all = [
            ("a", missing("nodes", None, "check the URL", false)),
            ("a", missing("consumers", Some("per_consumer: true"), "for consumers", true)),
            ("a", missing("kong", Some("latency: true"), "the latency", false)),
            ("b", missing("kong", Some("latency: true"), "the latency", false)),
            ("b", missing("upstream", Some("latency: true"), "the upstream", false)),
            ("b", missing("bytes", Some("bandwidth: true"), "the bytes", false)),
            ("b", missing("codes", Some("status: true"), "the codes", false)),
        ];
        let packs = PackSet::new(builtin(), []);
        let remedies = remedies(all.iter().map(|(target, missing)| (*target, missing)), &packs);
        let options = |it: &Remedy| -> Vec<String> {
            it.items.iter().map(|item| item.option.clone().unwrap_or_default()).collect()
        };
        let shown: Vec<_> = remedies
            .iter()
            .map(|it| (options(it).join(" "), it.optional, it.targets.len()))
            .collect();
        assert_eq!(
            shown,
            [
                ("latency: true".to_owned(), false, 2),
                ("bandwidth: true status: true".to_owned(), false, 1),
                (String::new(), false, 1),
                ("per_consumer: true".to_owned(), true, 1),
            ]
        );
        assert_eq!(remedies[0].items[0].hints, ["the latency", "the upstream"]);
        assert_eq!(remedies[0].items[0].inputs, ["kong", "upstream"].map(str::to_owned).into());
        let yaml = "plugins:\n  - name: prometheus\n    config:\n      latency: true\n";
        assert_eq!(remedies[0].yaml.as_deref(), Some(yaml));
        assert_eq!(remedies[2].yaml, None);
    }
}
