//! The rules of a pack about `StatsD` lines, with the checks that need only one rule.

use crate::document::{Scalar, Span, listed};
use crate::mapping::generation::Generation;
use crate::mapping::pack::check::Check;
use crate::mapping::pack::grammar::SyntaxError;
use crate::mapping::pack::keys::{LineRuleKeys, TagsKeys};
use crate::mapping::pack::statsd::pattern::{
    Pattern, TaggedPattern, parse_name, parse_pattern, parse_tagged,
};
use crate::mapping::pack::statsd::tags::Tags;
use crate::mapping::scale::Scale;
use crate::mapping::segment::{
    MAX_NAME_SEGMENTS, MAX_PREFIX_SEGMENTS, MAX_TYPE_BYTES, Placeholder, Segment,
};

/// The rules of a pack about lines, and their common properties.
#[derive(Clone, Debug, Default)]
pub(in crate::mapping) struct Lines {
    pub(in crate::mapping) rules: Vec<PackLineRule>,
    /// The prefix of every name, unless the settings replace it.
    pub(in crate::mapping) prefix: Option<Vec<Segment>>,
    /// The text between prefix and name.
    pub(in crate::mapping) between: Vec<Vec<Segment>>,
    pub(in crate::mapping) tags: Tags,
    /// Names that both generations may mean.
    pub(in crate::mapping) either: Vec<Vec<Segment>>,
}

/// Lines that mean the same in both generations.
#[derive(Clone, Debug)]
pub(in crate::mapping) struct PackLineRule {
    pub(in crate::mapping) old: Side,
    pub(in crate::mapping) new: Side,
    /// A line with the same information as `old`: written in addition to it, dropped when read.
    pub(in crate::mapping) also_old: Option<Side>,
    /// The same for `new`.
    pub(in crate::mapping) also_new: Option<Side>,
    pub(in crate::mapping) tagged: Option<(TaggedPattern, Span)>,
    /// Values that the old generation sends if it has no real value.
    pub(in crate::mapping) skip: Vec<String>,
    /// The factor from old values to new ones.
    pub(in crate::mapping) scale: Option<Scale>,
}

/// A pattern and its place.
#[derive(Clone, Debug)]
pub(in crate::mapping) struct Side {
    pub(in crate::mapping) pattern: Pattern,
    pub(in crate::mapping) span: Span,
}

impl PackLineRule {
    pub(in crate::mapping) fn side(&self, generation: Generation) -> &Side {
        match generation {
            Generation::Old => &self.old,
            Generation::New => &self.new,
        }
    }

    pub(in crate::mapping) fn also(&self, generation: Generation) -> Option<&Side> {
        match generation {
            Generation::Old => self.also_old.as_ref(),
            Generation::New => self.also_new.as_ref(),
        }
    }

    /// The factor of the values, if lines of the other generation become those of `written`.
    pub(in crate::mapping) fn scale_to(&self, written: Generation) -> Option<Scale> {
        match written {
            Generation::New => self.scale,
            Generation::Old => self.scale.map(Scale::inverse),
        }
    }

    /// The types of each of its patterns.
    fn types(&self) -> impl Iterator<Item = &[String]> {
        let sides =
            [Some(&self.old), Some(&self.new), self.also_old.as_ref(), self.also_new.as_ref()];
        let sides = sides.into_iter().flatten().map(|side| side.pattern.types.as_slice());
        sides.chain(self.tagged.iter().map(|(tagged, _)| tagged.types.as_slice()))
    }

    fn from_keys(
        file: &LineRuleKeys,
        tags: &[String],
        check: &mut Check<'_>,
    ) -> Option<PackLineRule> {
        let old = check.side(&file.old);
        let new = check.side(&file.new);
        // All are parsed before returning, so that all errors are reported.
        let also_old = file.also_old.as_ref().map(|text| check.side(text));
        let also_new = file.also_new.as_ref().map(|text| check.side(text));
        let tagged = file.tagged.as_ref().map(|text| check.tagged(text, tags));
        let skip = check.skip(&file.skip);
        let scale = file.scale.as_ref().and_then(|text| check.factor(text));
        let rule = PackLineRule {
            old: old?,
            new: new?,
            also_old: also_old.map_or(Some(None), |side| side.map(Some))?,
            also_new: also_new.map_or(Some(None), |side| side.map(Some))?,
            tagged: tagged.map_or(Some(None), |tagged| tagged.map(Some))?,
            skip,
            scale,
        };
        if let Some(text) = &file.scale {
            check.numbers(&rule, text);
        }
        check.bound(&rule.old.pattern, &file.old, &rule.new.pattern);
        check.bound(&rule.new.pattern, &file.new, &rule.old.pattern);
        for (also, text) in [(&rule.also_old, &file.also_old), (&rule.also_new, &file.also_new)] {
            if let (Some(also), Some(text)) = (also, text) {
                check.bound(&also.pattern, text, &rule.old.pattern);
            }
        }
        if let (Some((tagged, _)), Some(text)) = (&rule.tagged, &file.tagged) {
            check.tags_bound(tagged, text, &rule.old.pattern, &file.old);
        }
        if rule.old.pattern.to_string() == rule.new.pattern.to_string() {
            check.error(
                file.new.span,
                "both sides are the same",
                "remove the rule: metrics without a rule are forwarded unchanged",
            );
        }
        Some(rule)
    }
}

/// A prefix that the settings give in place of the packs'.
///
/// # Errors
///
/// What is wrong with it, and what to do.
pub(in crate::mapping) fn parse_prefix(text: &str) -> Result<Vec<Segment>, (String, String)> {
    let looks_like =
        || "a prefix looks like `text.text`, with `{x}` for a segment that varies".to_owned();
    let name = parse_name(text).map_err(|error| {
        (format!("expected {} after {} bytes", error.expected, error.offset), looks_like())
    })?;
    if name.iter().any(|segment| matches!(segment, Segment::Many(_))) {
        return Err(("`{x*}` in a prefix".to_owned(), looks_like()));
    }
    if name.len() > MAX_PREFIX_SEGMENTS {
        let message = format!("more than {MAX_PREFIX_SEGMENTS} segments");
        return Err((message, "shorten the prefix".to_owned()));
    }
    Ok(name)
}

type Common = (Option<Scalar>, Vec<Scalar>, TagsKeys, Vec<Scalar>);

impl Lines {
    pub(in crate::mapping) fn from_keys(
        rules: &[LineRuleKeys],
        (prefix, between, tags, either): Common,
        check: &mut Check<'_>,
    ) -> Lines {
        let tags = Tags::from_keys(tags, check);
        let read =
            rules.iter().filter_map(|rule| PackLineRule::from_keys(rule, &tags.known, check));
        let rules = read.collect();
        Lines {
            rules,
            prefix: prefix.and_then(|text| check.fixed_name(&text, "the prefix")),
            between: between
                .iter()
                .filter_map(|text| check.fixed_name(text, "the text after the prefix"))
                .collect(),
            tags,
            either: either.iter().filter_map(|text| check.name(text)).collect(),
        }
    }
}

impl Check<'_> {
    fn side(&mut self, text: &Scalar) -> Option<Side> {
        let pattern = self.parsed(text, parse_pattern(&text.text), LOOKS_LIKE)?;
        self.segments(&pattern.segments, text);
        self.types(&pattern.types, text);
        let placeholders: Vec<&Placeholder> = pattern.placeholders().collect();
        self.once(&placeholders, text);
        Some(Side { pattern, span: text.span })
    }

    fn tagged(&mut self, text: &Scalar, known: &[String]) -> Option<(TaggedPattern, Span)> {
        let looks_like = "a tagged line looks like `text.text:type|#key:{x},key:{y}`";
        let tagged = self.parsed(text, parse_tagged(&text.text), looks_like)?;
        self.segments(&tagged.segments, text);
        self.types(&tagged.types, text);
        if let Some(placeholder) = tagged.segments.iter().find_map(Segment::placeholder) {
            self.error(
                self.placeholder(text, placeholder),
                "a placeholder in the name of a tagged line",
                "write the name without placeholders: tags have the parts that vary",
            );
        }
        let placeholders: Vec<&Placeholder> = tagged.tags.iter().map(|(_, it)| it).collect();
        self.once(&placeholders, text);
        for (index, (key, placeholder)) in tagged.tags.iter().enumerate() {
            let span = self.placeholder(text, placeholder);
            if tagged.tags.iter().take(index).any(|(before, _)| before == key) {
                self.error(span, format!("the tag `{key}` is named twice"), "name each tag once");
            } else if !known.contains(key) {
                let words: Vec<&str> = known.iter().map(String::as_str).collect();
                let remedy = match words.as_slice() {
                    [] => "list all tags of the input under `tags` of the pack".to_owned(),
                    words => format!("the pack's `tags` are {}", listed(words)),
                };
                self.error(span, format!("the pack lists no tag `{key}`"), remedy);
            }
        }
        Some((tagged, text.span))
    }

    /// A name that may have placeholders, but of one segment each.
    fn fixed_name(&mut self, text: &Scalar, noun: &str) -> Option<Vec<Segment>> {
        let name = self.name(text)?;
        if name.len() > MAX_PREFIX_SEGMENTS {
            let message = format!("{noun} has more than {MAX_PREFIX_SEGMENTS} segments");
            self.error(text.span, message, "shorten it");
        }
        if let Some(Segment::Many(placeholder)) =
            name.iter().find(|segment| matches!(segment, Segment::Many(_)))
        {
            self.error(
                self.placeholder(text, placeholder),
                format!("{noun} has a fixed number of segments"),
                format!("write `{{{}}}` for each of them", placeholder.name),
            );
        }
        Some(name)
    }

    fn name(&mut self, text: &Scalar) -> Option<Vec<Segment>> {
        let looks_like = "a name looks like `text.{x}.{x*}`";
        let name = self.parsed(text, parse_name(&text.text), looks_like)?;
        self.segments(&name, text);
        Some(name)
    }

    fn parsed<T>(
        &mut self,
        text: &Scalar,
        parsed: Result<T, SyntaxError>,
        looks_like: &str,
    ) -> Option<T> {
        parsed.map_err(|error| self.syntax(text, error, looks_like)).ok()
    }

    fn segments(&mut self, segments: &[Segment], text: &Scalar) {
        if segments.len() > MAX_NAME_SEGMENTS {
            self.error(
                text.span,
                format!("more than {MAX_NAME_SEGMENTS} segments in one name"),
                "match the varying segments together with `{x*}`",
            );
        }
        let many = segments.iter().filter_map(|segment| match segment {
            Segment::Many(placeholder) => Some(placeholder),
            Segment::Text(_) | Segment::One(..) => None,
        });
        if let Some(second) = many.clone().nth(1) {
            self.error(
                self.placeholder(text, second),
                "a second `{x*}` in one name",
                format!("write `{{{}}}`: the end of the first is ambiguous", second.name),
            );
        }
    }

    fn types(&mut self, types: &[String], text: &Scalar) {
        for (index, word) in types.iter().enumerate() {
            let letters = word.bytes().all(|byte| byte.is_ascii_alphabetic());
            if !letters || word.len() > MAX_TYPE_BYTES {
                self.error(
                    text.span,
                    format!("`{word}` cannot be a type"),
                    format!(
                        "types are up to {MAX_TYPE_BYTES} letters: `c`, `g`, `ms`, `s`, `h`, `d`"
                    ),
                );
            } else if types.iter().take(index).any(|before| before == word) {
                self.error(
                    text.span,
                    format!("the type `{word}` is named twice"),
                    "name each type once",
                );
            }
        }
    }

    fn once(&mut self, placeholders: &[&Placeholder], text: &Scalar) {
        for (index, placeholder) in placeholders.iter().enumerate() {
            if placeholders.iter().take(index).any(|before| before.name == placeholder.name) {
                self.error(
                    self.placeholder(text, placeholder),
                    format!("`{{{}}}` is used twice in one pattern", placeholder.name),
                    "give each its own name",
                );
            }
        }
    }

    /// Each placeholder of `this` occurs in `other`, with the same number of segments.
    fn bound(&mut self, this: &Pattern, text: &Scalar, other: &Pattern) {
        for placeholder in this.placeholders() {
            let span = self.placeholder(text, placeholder);
            let name = &placeholder.name;
            match (shown(this, name), shown(other, name)) {
                (Some(mine), Some(its)) if mine != its => self.error(
                    span,
                    format!("`{mine}` here and `{its}` on the other side"),
                    "use the same number of segments on both sides",
                ),
                (_, None) => self.error(
                    span,
                    format!("`{{{name}}}` does not occur on the other side"),
                    "use it there too: no text may be lost or invented",
                ),
                _ => {}
            }
        }
    }

    /// The tags give exactly what the dotted name needs.
    fn tags_bound(
        &mut self,
        tagged: &TaggedPattern,
        text: &Scalar,
        old: &Pattern,
        old_text: &Scalar,
    ) {
        for (_, placeholder) in &tagged.tags {
            if shown(old, &placeholder.name).is_none() {
                self.error(
                    self.placeholder(text, placeholder),
                    format!("`{{{}}}` does not occur in `old`", placeholder.name),
                    "remove the tag: tags that a rule does not name are optional",
                );
            }
        }
        for placeholder in old.placeholders() {
            if !tagged.tags.iter().any(|(_, its)| its.name == placeholder.name) {
                self.error(
                    self.placeholder(old_text, placeholder),
                    format!("no tag gives `{{{}}}`", placeholder.name),
                    "name the tag that has its text under `tagged`",
                );
            }
        }
    }

    fn skip(&mut self, values: &[Scalar]) -> Vec<String> {
        for Scalar { span, text, .. } in values {
            if text.is_empty() || text.contains(['|', ':', '\n']) {
                self.error(
                    *span,
                    format!("`{text}` cannot be a value"),
                    "write the text between `:` and `|`",
                );
            }
        }
        values.iter().map(|value| value.text.clone()).collect()
    }

    /// Only values that are numbers can be multiplied.
    fn numbers(&mut self, rule: &PackLineRule, scale: &Scalar) {
        if rule.old.pattern.value.is_some() || rule.new.pattern.value.is_some() {
            let remedy = "remove `scale`, or the placeholder for the value";
            self.error(scale.span, "a captured value cannot be multiplied", remedy);
            return;
        }
        let is_number = |word: &String| NUMBERS.contains(&word.as_str());
        if rule.types().all(|types| !types.is_empty() && types.iter().all(is_number)) {
            return;
        }
        let word = rule.types().flatten().find(|word| !is_number(word));
        let message = match word {
            Some(word) => format!("values of the type `{word}` cannot be multiplied"),
            None => "values of any type cannot be multiplied".to_owned(),
        };
        let remedy = format!("name the types of all lines of the rule, out of {}", listed(NUMBERS));
        self.error(scale.span, message, remedy);
    }

    fn placeholder(&self, text: &Scalar, placeholder: &Placeholder) -> Span {
        self.within(text, placeholder.range.start, placeholder.range.len())
    }
}

/// Types whose values are numbers.
const NUMBERS: &[&str] = &["c", "g", "ms", "h", "d"];

const LOOKS_LIKE: &str = "a pattern looks like `text.{x}.{x*}:type`";

/// A placeholder as it is written in a pattern.
fn shown(pattern: &Pattern, name: &str) -> Option<String> {
    let in_name = pattern.segments.iter().find_map(|segment| match segment {
        Segment::One(it, _) if it.name == name => Some(format!("{{{name}}}")),
        Segment::Many(it) if it.name == name => Some(format!("{{{name}*}}")),
        _ => None,
    });
    let in_value = || {
        let value = pattern.value.as_ref().filter(|value| value.name == name);
        value.map(|_| format!(":{{{name}}}|"))
    };
    in_name.or_else(in_value)
}
