//! The plan for `StatsD` lines: packs compiled for one emitted generation.
//!
//! A [`StatsdPlan`] finds the rule for a line by name and type. Like [`Plan`](crate::mapping::Plan)
//! it cannot be invalid, because only [`compile_statsd`](crate::mapping::compile_statsd()) builds
//! it.

use std::sync::Arc;

use super::name_tree::NameTree;
use super::text::{Text, first_eight};
use crate::mapping::{Generation, Scale};
use crate::statsd::Dialect;

pub use super::known::KnownEnd;
pub use super::line_rule_id::LineRuleId;
pub use super::name_tree::{Capture, NameParts};
pub use super::text::Name;

/// `StatsD` rules of packs, compiled for one emitted generation.
#[derive(Debug, Default)]
pub struct StatsdPlan {
    /// Every rule, in the order of the packs.
    pub rules: Vec<LineRule>,
    /// The keys of all tags that senders write. The index of a tag is its number.
    pub tags: Vec<Box<[u8]>>,
    /// Whether any rule reads tagged lines.
    pub tagged: bool,
    /// The same keys, prepared for [`tag_at`](Self::tag_at).
    pub(in crate::mapping) keys: Vec<Text>,
    /// The first bytes of lines that a rule may read.
    pub(in crate::mapping) leads: Vec<Text>,
    pub(in crate::mapping) names: NameTree,
}

/// How lines that one pattern reads are rewritten.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent properties, in any combination")]
pub struct LineRule {
    /// The pack rule as shown to users, read → written.
    pub title: String,
    /// The location of the pack rule: `pack name:line`.
    pub source: String,
    /// The generation of the lines read.
    pub reads: Generation,
    /// Whether it reads lines of any type.
    pub any_type: bool,
    /// If set, it reads only lines with tags that the pack's sender can have sent, and writes only
    /// the templates whose tags are present.
    pub tagged: Option<Arc<TaggedLines>>,
    /// A line is ambiguous if all parts of one of these have these texts: a rule of the other
    /// generation may read it too, and earlier lines of the sender decide.
    pub ambiguous_with: Vec<Vec<(Capture, Box<[u8]>)>>,
    /// Values that mean "no value": nothing is written for them.
    pub skip: Vec<Box<[u8]>>,
    /// Values are multiplied, so a line whose values are no numbers is forwarded unchanged.
    pub scaled: bool,
    /// Values decide what is written: some are skipped, or all are multiplied.
    pub reads_values: bool,
    /// The line is also forwarded unchanged. A rule that keeps and writes nothing prevents other
    /// rules from reading the line, and identifies the generation.
    pub keep: bool,
    /// The lines written for one that is read. A line neither kept nor written is implied by
    /// others.
    pub writes: Vec<LineTemplate>,
}

/// What is known of the tagged lines of a pack's sender. Sets of tags are bits by tag number.
#[derive(Debug, Default)]
pub struct TaggedLines {
    /// The types that the sender sends. Empty: any.
    pub types: Vec<Box<[u8]>>,
    /// Tags that are never empty. Lines with `DogStatsD` tags have all of them.
    ///
    /// Other senders use `DogStatsD` tags with the same names; tags within the name are the
    /// sender's own.
    pub required: u32,
    /// Tags whose values may contain commas, or be empty if they are not required.
    pub text: u32,
}

impl LineRule {
    /// Whether nothing is written for this value.
    #[inline]
    #[must_use]
    pub fn skips(&self, value: &[u8]) -> bool {
        // Comparing byte by byte costs less than a function call: the first ones differ.
        self.skip.iter().any(|skip| skip.len() == value.len() && skip.iter().eq(value))
    }
}

impl TaggedLines {
    /// Whether the sender sends lines of this type.
    #[must_use]
    pub fn sends(&self, metric_type: &[u8]) -> bool {
        self.types.is_empty() || self.types.iter().any(|its| **its == *metric_type)
    }
}

/// How to write a line. Everything else is copied from the line read: prefix, value, rate, other
/// fields.
#[derive(Debug)]
pub struct LineTemplate {
    /// The name after the prefix.
    pub name: Vec<Part>,
    /// The same, if the written name ends like the name read.
    pub ending: Option<Ending>,
    /// The value, if it differs from that of the line read.
    pub value: Option<WrittenValue>,
    /// The type, if it differs from that of the line read.
    pub metric_type: Option<Box<[u8]>>,
    /// Numbers of the tags that this line requires, as bits.
    pub needs: u32,
    /// Tags to write.
    pub tags: Option<TagsTemplate>,
}

/// A value that is not copied with the rest of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenValue {
    /// The text of this part.
    Part(Capture),
    /// The value read times this.
    Scaled(Scale),
}

/// From some part on, the name equals the name read. That part and the rest of the line are copied
/// at once.
#[derive(Debug)]
pub struct Ending {
    /// The name before it.
    pub front: Vec<Part>,
    /// The part.
    pub from: Capture,
}

/// How to write tags.
#[derive(Debug)]
pub struct TagsTemplate {
    /// The dialect.
    pub dialect: Dialect,
    /// Keys, and where the values are.
    pub tags: Vec<(Box<[u8]>, Capture)>,
    /// What to write instead if the line cannot have these tags.
    pub dotted: Vec<LineTemplate>,
}

/// A piece of a written name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// This text, dots included.
    Text(Literal),
    /// The text read there.
    Copy(Capture),
    /// The text read there, as one segment: dots become underscores.
    Segment(Capture),
}

/// A text to write. Most are short, so that copying a fixed number of bytes is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    short: [u8; Literal::SHORT],
    bytes: Box<[u8]>,
}

impl Literal {
    /// The length of a short text.
    pub const SHORT: usize = 32;

    pub(in crate::mapping) fn new(text: &[u8]) -> Literal {
        let mut short = [0; Literal::SHORT];
        let start = &text[..text.len().min(Literal::SHORT)];
        short[..start.len()].copy_from_slice(start);
        Literal { short, bytes: text.into() }
    }

    /// The text.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text, and zeros after it, unless it is longer.
    #[inline]
    #[must_use]
    pub fn short(&self) -> Option<&[u8; Literal::SHORT]> {
        (self.bytes.len() <= Literal::SHORT).then_some(&self.short)
    }

    /// Appends the text.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        if let Some(short) = self.short() {
            let length = out.len() + self.bytes.len();
            out.extend_from_slice(short);
            out.truncate(length);
        } else {
            out.extend_from_slice(&self.bytes);
        }
    }
}

impl StatsdPlan {
    /// False if no rule reads the line, judged by its first bytes. True if a rule may read it.
    #[inline]
    #[must_use]
    pub fn concerns(&self, line: &[u8]) -> bool {
        self.leads.iter().any(|lead| lead.begins_line(line))
    }

    /// The rule for lines of this name and type; `name_parts` receives the positions of the name's
    /// parts. With `only`, rules that read the other generation are ignored.
    ///
    /// Text precedes `{x}`, which precedes `{x*}`, from left to right; a named type precedes any
    /// type. The cost grows with the segments of the name, not with the number of rules.
    #[inline]
    pub fn find(
        &self,
        name: Name<'_>,
        metric_type: &[u8],
        only: Option<Generation>,
        name_parts: &mut NameParts,
    ) -> Option<LineRuleId> {
        self.names.find(name, metric_type, only, name_parts)
    }

    /// How many bytes of a line are those that the last name begins with, up to a dot; and where the
    /// name of the line ends, if that needs no search. `name_parts` has the parts of the last name.
    #[inline]
    #[must_use]
    pub fn known(&self, line: &[u8], name_parts: &NameParts) -> (usize, Option<KnownEnd>) {
        self.names.known(line, name_parts)
    }

    /// [`find`](Self::find), for a name whose end is [known](Self::known). `None` says nothing.
    #[inline]
    pub fn find_known(
        &self,
        end: KnownEnd,
        metric_type: &[u8],
        name_parts: &mut NameParts,
    ) -> Option<LineRuleId> {
        self.names.find_known(end, metric_type, name_parts)
    }

    /// The rule with this id.
    #[must_use]
    pub fn rule(&self, id: LineRuleId) -> &LineRule {
        &self.rules[id.0 as usize]
    }

    /// The number of the tag whose key and `equals` are at the start of a text, and the length of
    /// both.
    #[inline]
    #[must_use]
    pub fn tag_at(&self, text: &[u8], equals: u8) -> Option<(u8, usize)> {
        let first = first_eight(text);
        let is_its = |key: &Text| key.begins(text, first) && text.get(key.len()) == Some(&equals);
        let place = self.keys.iter().position(is_its)?;
        Some((u8::try_from(place).ok()?, self.keys[place].len() + 1))
    }

    /// The length of the key of this tag and `equals`, if a text begins with both.
    #[inline]
    #[must_use]
    pub fn is_tag(&self, tag: u8, text: &[u8], equals: u8) -> Option<usize> {
        let key = self.keys.get(usize::from(tag))?;
        let begins = key.begins(text, first_eight(text)) && text.get(key.len()) == Some(&equals);
        begins.then(|| key.len() + 1)
    }

    /// The number of a tag.
    #[must_use]
    pub fn tag(&self, key: &[u8]) -> Option<u8> {
        let place = self.tags.iter().position(|tag| **tag == *key)?;
        u8::try_from(place).ok()
    }
}
