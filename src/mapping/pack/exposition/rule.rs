//! One rule of a pack: two selectors, and the properties of their samples.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::{Scalar, Span, listed};
use crate::exposition::MetricType;
use crate::mapping::generation::{Generation, Merge};
use crate::mapping::layouts::Layouts;
use crate::mapping::pack::check::Check;
use crate::mapping::pack::exposition::selector::{
    Item, Selector, Term, parse_condition, parse_selector,
};
use crate::mapping::pack::exposition::template::Template;
use crate::mapping::pack::exposition::translation::ValueTranslation;
use crate::mapping::pack::grammar::SyntaxError;
use crate::mapping::pack::keys::{LayoutKeys, PerGeneration, RuleKeys};
use crate::mapping::scale::Scale;

/// Maximum number of labels of a selector. Samples have far fewer; checks compare each with each.
const MAX_LABELS: usize = 64;

/// Two selectors that mean the same samples, one in each generation.
#[derive(Clone, Debug)]
pub(in crate::mapping) struct PackRule {
    pub(in crate::mapping) old: Selector,
    pub(in crate::mapping) new: Selector,
    old_span: Span,
    new_span: Span,
    old_help: Option<String>,
    new_help: Option<String>,
    /// Bucket layouts of the old and of the new side.
    pub(in crate::mapping) buckets: Option<(Layouts, Layouts)>,
    pub(in crate::mapping) merge: Option<Merge>,
    /// The type of the samples according to the pack, for checks. The engine uses `# TYPE`.
    pub(in crate::mapping) metric_type: Option<MetricType>,
    /// The type of the new samples, if it is another one.
    pub(in crate::mapping) new_type: Option<MetricType>,
    /// The family whose counts this rule's old side includes.
    pub(in crate::mapping) includes: Option<(String, Span)>,
    pub(in crate::mapping) only_with: Option<OnlyWith>,
    /// The generation that this rule only adds to.
    pub(in crate::mapping) derive: Option<Generation>,
    /// Why the two sides do not have the same values.
    pub(in crate::mapping) differs: Option<String>,
    /// The factor from old values to new ones.
    pub(in crate::mapping) scale: Option<Scale>,
    /// How the values of variables are translated, by variable.
    pub(in crate::mapping) values: BTreeMap<String, ValueTranslation>,
    /// The variables whose label a sample can lack.
    pub(in crate::mapping) optional: Vec<String>,
}

/// The old side means only label sets that another family has too.
#[derive(Clone, Debug)]
pub(in crate::mapping) struct OnlyWith {
    pub(in crate::mapping) family: String,
    pub(in crate::mapping) on: Vec<String>,
    pub(in crate::mapping) span: Span,
}

impl PackRule {
    pub(in crate::mapping) fn side(&self, generation: Generation) -> &Selector {
        match generation {
            Generation::Old => &self.old,
            Generation::New => &self.new,
        }
    }

    /// The location of one side.
    pub(in crate::mapping) fn span(&self, generation: Generation) -> Span {
        match generation {
            Generation::Old => self.old_span,
            Generation::New => self.new_span,
        }
    }

    pub(in crate::mapping) fn help(&self, generation: Generation) -> Option<&str> {
        match generation {
            Generation::Old => self.old_help.as_deref(),
            Generation::New => self.new_help.as_deref(),
        }
    }

    /// Bucket layouts of one side; `None` if the rule has no `buckets`.
    pub(in crate::mapping) fn layouts(&self, generation: Generation) -> Option<&Layouts> {
        let (old, new) = self.buckets.as_ref()?;
        Some(match generation {
            Generation::Old => old,
            Generation::New => new,
        })
    }

    /// The factor of the values, if samples of the other generation become those of `written`.
    pub(in crate::mapping) fn scale_to(&self, written: Generation) -> Option<Scale> {
        match written {
            Generation::New => self.scale,
            Generation::Old => self.scale.map(Scale::inverse),
        }
    }

    /// The type of the samples of one generation.
    pub(in crate::mapping) fn type_of(&self, generation: Generation) -> Option<MetricType> {
        match generation {
            Generation::Old => self.metric_type,
            Generation::New => self.new_type.or(self.metric_type),
        }
    }

    /// The types of the samples read and of those written, if they differ.
    pub(in crate::mapping) fn types_to(
        &self,
        written: Generation,
    ) -> Option<(MetricType, MetricType)> {
        let (old, new) = (self.metric_type?, self.new_type?);
        Some(if written == Generation::New { (old, new) } else { (new, old) })
    }

    /// The labels of a side that a sample can lack.
    pub(in crate::mapping) fn optional(
        &self,
        generation: Generation,
    ) -> impl Iterator<Item = &str> {
        let templates = self.side(generation).templates();
        templates.filter(|(_, template)| template.optional).map(|(label, _)| label)
    }

    /// True when both generations use one name.
    pub(in crate::mapping) fn keeps_name(&self) -> bool {
        self.old.family == self.new.family
    }

    /// True if the samples are the same in both generations.
    pub(in crate::mapping) fn changes_nothing(&self) -> bool {
        let same_buckets = self.buckets.as_ref().is_none_or(|(old, new)| old == new);
        let same_values = self.values.is_empty();
        self.old.to_string() == self.new.to_string() && same_buckets && same_values
    }

    /// Checks the keys of one rule. `None` if a selector cannot be read.
    pub(in crate::mapping) fn from_keys(keys: RuleKeys, check: &mut Check<'_>) -> Option<PackRule> {
        let old = check.selector(&keys.old);
        let new = check.selector(&keys.new);
        let merge = keys.merge.as_ref().and_then(|word| check.merge(word));
        let (metric_type, new_type) = check.metric_types(&keys.metric_type);
        let derive = keys.derive.as_ref().and_then(|word| check.derive(word));
        let buckets = keys.buckets.map(|lists| check.buckets(lists));
        let only_with = keys.only_with.as_ref().and_then(|text| check.only_with(text));
        let includes = keys.includes.map(|family| {
            check.family(&family.text, family.span);
            (family.text, family.span)
        });
        let (mut old, mut new) = (old?, new?);
        let scale = keys.scale.as_ref().and_then(|text| check.scale(text, [&old, &new]));
        let optional = check.optional(keys.optional, [&old, &new]);
        (old, new) = (old.with_optional(&optional), new.with_optional(&optional));
        check.scaled_boundaries(scale, buckets.as_ref(), keys.scale.as_ref());
        let values = check.values(keys.values, [&old, &new], &optional);
        let sides = [(&old, &keys.old), (&new, &keys.new)];
        if !check.same_placeholder(sides) {
            return None;
        }
        check.sides(sides, buckets.as_ref());
        let types = [metric_type, new_type];
        check.type_fits_rule(types, &keys.metric_type, buckets.is_some(), keys.merge.as_ref());
        if merge.is_none() {
            check.type_is_joinable(types, &keys.metric_type, sides, (&values, &optional));
        }
        if old.pattern.is_some() {
            let keys = [
                ("buckets", buckets.as_ref().map(|_| keys.old.span)),
                ("includes", includes.as_ref().map(|(_, span)| *span)),
                ("only_with", only_with.as_ref().map(|condition| condition.span)),
                ("derive", keys.derive.as_ref().map(|word| word.span)),
            ];
            check.not_with_patterns(&old.family, keys);
        }
        check.at_most_one(&[
            ("includes", includes.as_ref().map(|(_, span)| *span)),
            ("only_with", only_with.as_ref().map(|condition| condition.span)),
            ("derive", keys.derive.as_ref().map(|word| word.span)),
        ]);
        Some(PackRule {
            old,
            new,
            old_span: keys.old.span,
            new_span: keys.new.span,
            old_help: keys.help.old.map(|help| help.text),
            new_help: keys.help.new.map(|help| help.text),
            buckets,
            merge,
            metric_type,
            new_type,
            includes,
            only_with,
            derive,
            differs: keys.differs.map(|text| text.text),
            scale,
            values,
            optional,
        })
    }
}

impl Check<'_> {
    /// Checks the two sides of a rule, old and new, against each other.
    fn sides(
        &mut self,
        [(old, old_text), (new, new_text)]: [(&Selector, &Scalar); 2],
        buckets: Option<&(Layouts, Layouts)>,
    ) {
        self.variables(old, old_text, new);
        self.variables(new, new_text, old);
        self.bare_on_both(old, new, new_text);
        if buckets.is_some() {
            self.no_series(old, old_text);
            self.no_series(new, new_text);
        }
    }

    pub(in crate::mapping) fn selector(&mut self, text: &Scalar) -> Option<Selector> {
        let selector = match parse_selector(&text.text) {
            Ok(selector) => selector,
            Err(error) => {
                self.syntax(
                    text,
                    error,
                    "a selector looks like `family{label=\"text\", label=$x, label}`",
                );
                return None;
            }
        };
        let span = self.within(text, 0, selector.family.len());
        match &selector.pattern {
            None => self.family(&selector.family, span),
            Some(pattern) => self.pattern(pattern, span),
        }
        if selector.items.len() > MAX_LABELS {
            self.error(
                text.span,
                format!("more than {MAX_LABELS} labels in one selector"),
                "name only labels that differ between the generations",
            );
            return None;
        }
        for (index, item) in selector.items.iter().enumerate() {
            let span = self.item(text, item);
            self.label(&item.label, span);
            if item.label == "le" {
                self.error(
                    span,
                    "`le` is not a label that selectors can name",
                    "list the boundaries of each generation under `buckets`",
                );
            }
            if selector.items.iter().take(index).any(|before| before.label == item.label) {
                self.error(
                    span,
                    format!("`{}` is named twice", item.label),
                    "name each label once",
                );
            }
        }
        Some(selector)
    }

    /// Each variable of this side occurs on the other, and once in a text.
    fn variables(&mut self, this: &Selector, text: &Scalar, other: &Selector) {
        for item in &this.items {
            let Term::Template(Template { variables, .. }) = &item.term else {
                continue;
            };
            if variables.len() > MAX_LABELS {
                self.error(
                    self.item(text, item),
                    format!("more than {MAX_LABELS} variables in one text"),
                    "split a text only where the other side has labels for its parts",
                );
                continue;
            }
            for (index, name) in variables.iter().enumerate() {
                if variables.iter().take(index).any(|before| before == name) {
                    self.error(
                        self.item(text, item),
                        format!("`${name}` occurs twice in one text"),
                        "give each part of the text its own variable",
                    );
                } else if !other.variables().any(|its| its == name) {
                    self.error(
                        self.item(text, item),
                        format!("`${name}` does not occur on the other side"),
                        format!(
                            "say there which label takes the value, or write `{}` alone if the \
                             label exists on this side only",
                            item.label
                        ),
                    );
                }
            }
        }
    }

    fn bare_on_both(&mut self, old: &Selector, new: &Selector, text: &Scalar) {
        for item in new.items.iter().filter(|item| item.term == Term::Bare) {
            if old.bare().any(|label| label == item.label) {
                self.error(
                    self.item(text, item),
                    format!("`{}` is named on both sides without a value", item.label),
                    "leave it out of both: labels that are not named pass through",
                );
            }
        }
    }

    fn no_series(&mut self, selector: &Selector, text: &Scalar) {
        if let Some(family) = selector.family.strip_suffix("_bucket") {
            self.error(
                self.within(text, 0, selector.family.len()),
                format!("`{}` are series of a histogram, not the histogram", selector.family),
                format!("name the family: `{family}`"),
            );
        }
    }

    fn buckets(&mut self, sides: PerGeneration<LayoutKeys>) -> (Layouts, Layouts) {
        (self.layouts(Generation::Old, sides.old), self.layouts(Generation::New, sides.new))
    }

    pub(super) fn merge(&mut self, word: &Scalar) -> Option<Merge> {
        let words = [("max", Merge::Max), ("min", Merge::Min), ("sum", Merge::Sum)];
        self.one_of(word, "a way to merge gauges", &words)
    }

    fn scale(&mut self, text: &Scalar, [old, new]: [&Selector; 2]) -> Option<Scale> {
        let scale = self.factor(text).filter(|scale| !scale.is_one())?;
        if old.to_string() == new.to_string() {
            self.error(
                text.span,
                "both sides are the same, so the units of samples cannot be told apart",
                "a factor needs another name or label on one side",
            );
        }
        Some(scale)
    }

    /// The factor from old values to new ones.
    pub(in crate::mapping) fn factor(&mut self, text: &Scalar) -> Option<Scale> {
        let scale = Scale::parse(&text.text);
        match scale {
            None => self.error(
                text.span,
                format!("`{}` is not a factor", text.text),
                "write a decimal (`0.001`) or a ratio (`1/1024`) above 0: the new value is the old one \
                 times this",
            ),
            Some(scale) if scale.is_one() => self.error(
                text.span,
                "the factor 1 changes nothing",
                "remove `scale`, or write the factor from the old value to the new one",
            ),
            Some(_) => {}
        }
        scale
    }

    /// Boundaries of both sides are numbers in the unit of the other side, too.
    fn scaled_boundaries(
        &mut self,
        scale: Option<Scale>,
        buckets: Option<&(Layouts, Layouts)>,
        text: Option<&Scalar>,
    ) {
        let (Some(scale), Some((old, new)), Some(text)) = (scale, buckets, text) else { return };
        let is_lost = |scale: Scale, bound: f64| {
            let scaled = scale.checked(bound);
            scaled.is_none_or(|it| it.total_cmp(&0.0).is_eq() && bound.total_cmp(&0.0).is_ne())
        };
        let of = |scale: Scale, layouts: &Layouts| {
            layouts.union().into_iter().find(|bound| is_lost(scale, *bound))
        };
        if let Some(bound) = of(scale, old).or_else(|| of(scale.inverse(), new)) {
            self.error(
                text.span,
                format!("the boundary {bound:e} is no number in the other unit"),
                "correct the factor or the boundary",
            );
        }
    }

    /// The variables under `optional`. `$x` and `x` are the same.
    fn optional(&mut self, names: Vec<Scalar>, sides: [&Selector; 2]) -> Vec<String> {
        let known: BTreeSet<&str> = sides.into_iter().flat_map(Selector::variables).collect();
        let known: Vec<&str> = known.into_iter().collect();
        let name = |text: Scalar| {
            let name = text.text.strip_prefix('$').unwrap_or(&text.text);
            let mut templates = sides.into_iter().flat_map(Selector::templates);
            let (message, help) = if !known.contains(&name) {
                let help = match known.as_slice() {
                    [] => "remove it: the selectors have no variables".to_owned(),
                    known => format!("the variables are {}", listed(known)),
                };
                (format!("no label has the variable `${name}`"), help)
            } else if templates.any(|(_, it)| it.has(name) && it.variables.len() > 1) {
                let message = format!("`${name}` is a part of a text, so it must exist");
                (message, "remove it from `optional`".to_owned())
            } else {
                return Some(name.to_owned());
            };
            self.error(text.span, message, help);
            None
        };
        names.into_iter().filter_map(name).collect()
    }

    fn derive(&mut self, word: &Scalar) -> Option<Generation> {
        let words = [("old", Generation::Old), ("new", Generation::New)];
        self.one_of(word, "a generation", &words)
    }

    pub(in crate::mapping) fn one_of<T: Copy>(
        &mut self,
        word: &Scalar,
        noun: &str,
        known: &[(&str, T)],
    ) -> Option<T> {
        self.reader.one_of(word, noun, known)
    }

    pub(in crate::mapping) fn only_with(&mut self, text: &Scalar) -> Option<OnlyWith> {
        let condition = match parse_condition(&text.text) {
            Ok(condition) => condition,
            Err(error) => {
                self.syntax(text, error, "a condition looks like `family by (label, label)`");
                return None;
            }
        };
        self.family(&condition.family, text.span);
        if condition.on.is_empty() || condition.on.len() > MAX_LABELS {
            self.error(
                text.span,
                format!("{} labels are compared", condition.on.len()),
                format!("name the labels by which the two families belong together, at most {MAX_LABELS}"),
            );
            return None;
        }
        for (index, label) in condition.on.iter().enumerate() {
            self.label(label, text.span);
            if condition.on.iter().take(index).any(|before| before == label) {
                self.error(text.span, format!("`{label}` is named twice"), "name each label once");
            }
        }
        Some(OnlyWith { family: condition.family, on: condition.on, span: text.span })
    }

    fn at_most_one(&mut self, keys: &[(&str, Option<Span>)]) {
        let mut given = keys.iter().filter_map(|(key, span)| Some((*key, (*span)?)));
        let first = given.next();
        if let (Some((first, _)), Some((second, span))) = (first, given.next()) {
            self.error(
                span,
                format!("`{first}` and `{second}` exclude each other"),
                "keep one of them, and give the other a rule of its own",
            );
        }
    }

    pub(in crate::mapping) fn syntax(&mut self, text: &Scalar, error: SyntaxError, remedy: &str) {
        let span = self.within(text, error.offset, 1);
        self.error(span, format!("expected {}", error.expected), remedy);
    }

    pub(super) fn item(&self, text: &Scalar, item: &Item) -> Span {
        self.within(text, item.range.start, item.range.len())
    }

    /// Where some bytes of a scalar's text are written; the whole scalar if that is not clear.
    pub(in crate::mapping) fn within(&self, scalar: &Scalar, offset: usize, width: usize) -> Span {
        let document = self.reader.source().text();
        let text = &scalar.text;
        let next = text.get(offset..).and_then(|rest| rest.chars().next());
        let range = match (next, text.char_indices().next_back()) {
            // An error at the end is after the last character.
            (None, Some((last, _))) => scalar
                .range_in_document(document, last..text.len())
                .map(|range| range.end..range.end),
            // An empty text is written as two quotes.
            (None, None) => Some(scalar.span.start + 1..scalar.span.start + 1),
            (Some(next), _) => {
                let end = text.len().min(offset + width.max(next.len_utf8()));
                scalar.range_in_document(document, offset..end)
            }
        };
        range.map_or(scalar.span, Span::new)
    }
}
