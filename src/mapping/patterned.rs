//! The rules of packs whose families are given by patterns, for tools that rewrite something other
//! than samples.

use std::collections::HashSet;

use super::compile::exposition::active::{active_patterns, active_rules};
use super::compile::exposition::patterns::signs;
use super::correspondence::{Correspondence, correspondence};
use super::emitted::Emitted;
use super::generation::Generation;
use super::pack::Pack;
use super::pack::exposition::selector::Selector;
use super::plan::exposition::{PatternRule, Patterns, RuleId};

/// Active rules whose families are given by patterns.
#[derive(Debug, Default)]
pub struct PatternedRules {
    rules: Vec<Correspondence>,
    patterns: Patterns,
}

impl PatternedRules {
    /// The rules of these packs.
    #[must_use]
    pub fn new(packs: &[Pack]) -> PatternedRules {
        let active = active_patterns(packs);
        let rule = |its| correspondence(packs, its, Emitted::default());
        let rules = active.iter().map(|its| rule(*its)).collect();
        let names = |selector: &Selector| selector.names().cloned().unwrap_or_default();
        let patterns = (0..).zip(&active).map(|(index, its)| PatternRule {
            old: names(&its.rule.old),
            new: names(&its.rule.new),
            to_new: Some(RuleId(index)),
            to_old: Some(RuleId(index)),
            signs: signs(its.rule),
        });
        let named = active_rules(packs).into_iter().flat_map(|its| {
            [&its.rule.old, &its.rule.new].map(|side| side.family.as_bytes().into())
        });
        let named: HashSet<Box<[u8]>> = named.collect();
        PatternedRules { rules, patterns: Patterns::new(patterns.collect(), named) }
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// All rules, with patterns in place of families.
    pub fn all(&self) -> impl Iterator<Item = &Correspondence> {
        self.rules.iter()
    }

    /// The rules for a family that no rule names, with its names.
    ///
    /// ```
    /// use crossfade::mapping::{Pack, PatternedRules};
    ///
    /// let pack = "name: p\nprometheus:\n- { old: 'a_{x*}', new: 'b_{x*}' }\n";
    /// let pack = Pack::parse("p.yaml", pack)?;
    /// let rules = PatternedRules::new(&[pack]).of_family("a_jobs");
    /// assert_eq!(rules[0].new.family, "b_jobs");
    /// # Ok::<(), crossfade::document::Diagnostics>(())
    /// ```
    #[must_use]
    pub fn of_family(&self, family: &str) -> Vec<Correspondence> {
        let of = |generation: Generation| {
            let found = self.patterns.find(family.as_bytes(), generation.other())?;
            let mut rule = self.rules[found.pattern.to_new?.0 as usize].clone();
            let other = String::from_utf8(found.other_name.into_vec()).ok()?;
            let (old, new) = match generation {
                Generation::Old => (family.to_owned(), other),
                Generation::New => (other, family.to_owned()),
            };
            (rule.old.family, rule.new.family) = (old, new);
            Some(rule)
        };
        let mut rules: Vec<Correspondence> = of(Generation::Old).into_iter().collect();
        rules.extend(of(Generation::New).filter(|it| it.old.family != it.new.family));
        rules
    }

    /// Names that families of a pattern could have, if a text is the pattern of a rule.
    #[must_use]
    pub fn samples(&self, pattern: &str) -> Option<Vec<String>> {
        let sides = self.rules.iter().flat_map(|it| [&it.old.family, &it.new.family]);
        let is_pattern = sides.into_iter().any(|its| its == pattern);
        is_pattern.then(|| {
            let (before, rest) = pattern.split_once(['{', '*']).unwrap_or((pattern, ""));
            let after = rest.split_once('}').map_or("", |(_, after)| after);
            ["x", "X", "0", "x_y", "X_y_0_z"].map(|it| format!("{before}{it}{after}")).to_vec()
        })
    }
}
