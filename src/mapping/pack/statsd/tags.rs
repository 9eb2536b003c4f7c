//! The properties of lines with tags that apply to all rules of a pack.

use crate::document::{Scalar, listed};
use crate::mapping::pack::check::Check;
use crate::mapping::pack::keys::TagsKeys;
use crate::mapping::segment::MAX_TYPE_BYTES;

/// Maximum number of tags of a sender. Matching keeps one bit for each; real senders have fewer than
/// ten.
const MAX_TAGS: usize = 32;

/// The tags of a sender.
#[derive(Clone, Debug, Default)]
pub(in crate::mapping) struct Tags {
    /// The keys of all tags that the sender writes.
    pub(in crate::mapping) known: Vec<String>,
    /// Those that are never empty, and that every line with `DogStatsD` tags has.
    pub(in crate::mapping) required: Vec<String>,
    /// Those whose values may be any text.
    pub(in crate::mapping) text: Vec<String>,
    /// The types that the sender sends. Empty: any.
    pub(in crate::mapping) types: Vec<String>,
}

impl Tags {
    pub(in crate::mapping) fn from_keys(keys: TagsKeys, check: &mut Check<'_>) -> Tags {
        let known = check.known_tags(keys.known);
        let required = check.some_of(keys.required, &known);
        let text = check.some_of(keys.text, &known);
        // Without the list, commas have no special meaning.
        let text = if text.is_empty() { known.clone() } else { text };
        let types = keys.types.iter().filter_map(|text| check.tagged_type(text)).collect();
        Tags { known, required, text, types }
    }
}

impl Check<'_> {
    fn known_tags(&mut self, tags: Vec<Scalar>) -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for Scalar { span, text, .. } in tags {
            if text.is_empty()
                || text.contains(|c: char| c.is_whitespace() || ",:=|#[]".contains(c))
            {
                self.error(
                    span,
                    format!("`{text}` cannot be the key of a tag"),
                    "leave out space and `,:=|#[]`",
                );
            } else if known.contains(&text) {
                self.error(span, format!("the tag `{text}` is named twice"), "name each tag once");
            } else if known.len() == MAX_TAGS {
                self.error(
                    span,
                    format!("more than {MAX_TAGS} tags"),
                    "leave out tags that no rule names",
                );
            }
            known.push(text);
        }
        known
    }

    fn some_of(&mut self, tags: Vec<Scalar>, known: &[String]) -> Vec<String> {
        for Scalar { span, text, .. } in &tags {
            if !known.contains(text) {
                let words: Vec<&str> = known.iter().map(String::as_str).collect();
                let help = match words.as_slice() {
                    [] => "list all tags of the input under `tags`".to_owned(),
                    words => format!("the pack's `tags` are {}", listed(words)),
                };
                self.error(*span, format!("the pack lists no tag `{text}`"), help);
            }
        }
        tags.into_iter().map(|tag| tag.text).collect()
    }

    fn tagged_type(&mut self, Scalar { span, text, .. }: &Scalar) -> Option<String> {
        let letters = text.bytes().all(|byte| byte.is_ascii_alphabetic());
        if letters && (1..=MAX_TYPE_BYTES).contains(&text.len()) {
            return Some(text.clone());
        }
        self.error(
            *span,
            format!("`{text}` cannot be a type"),
            format!("types are up to {MAX_TYPE_BYTES} letters: `c`, `g`, `ms`, `s`, `h`, `d`"),
        );
        None
    }
}
