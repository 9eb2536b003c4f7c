//! The plan for `StatsD` lines: packs compiled for one emitted generation.
//!
//! A [`StatsdPlan`] answers one question quickly: *what becomes of a line of this name and type?* Like
//! [`Plan`](crate::mapping::Plan) it is built by [`compile_statsd`](crate::mapping::compile_statsd()) and cannot be invalid.

use super::name_tree::Names;
use crate::mapping::Generation;
use crate::statsd::Dialect;

pub use super::name_tree::{Capture, Cuts};

/// Index into [`StatsdPlan::rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineRuleId(pub u32);

/// `StatsD` entries of packs, compiled for one emitted generation.
#[derive(Debug, Default)]
pub struct StatsdPlan {
    /// Every rule, in the order of the packs' entries.
    pub rules: Vec<LineRule>,
    /// The keys of all tags that sources write. A tag's place here is its number.
    pub tags: Vec<Box<[u8]>>,
    /// Some rule reads lines for their tags.
    pub tagged: bool,
    /// How lines begin that some rule may read.
    pub(in crate::mapping) leads: Vec<Box<[u8]>>,
    pub(in crate::mapping) names: Names,
}

/// What becomes of lines that one pattern reads.
#[derive(Debug)]
pub struct LineRule {
    /// The entry for people, read → written.
    pub title: String,
    /// Where the entry stands: `pack name:line`.
    pub source: String,
    /// The generation of the lines read.
    pub reads: Generation,
    /// Lines of any type are read.
    pub any_type: bool,
    /// Only lines with tags are read, and only as far as they have the tags that are needed.
    pub tagged: bool,
    /// A rule of the other generation may read the line too where all parts of one of these have these texts. What the
    /// sender sent before then tells which is meant.
    pub ambiguous_with: Vec<Vec<(Capture, Box<[u8]>)>>,
    /// Values that stand for none: with one of these, nothing is written.
    pub skip: Vec<Box<[u8]>>,
    /// The line also leaves as it came. A rule that keeps and writes nothing is there so that no other reads
    /// these lines, and to tell the generation.
    pub keep: bool,
    /// The lines written for one that is read. Neither kept nor written: other lines say the same.
    pub writes: Vec<LineTemplate>,
}

/// How to write a line. What is not said here is copied from the line read: prefix, value, rate, other fields.
#[derive(Debug)]
pub struct LineTemplate {
    /// The name behind the prefix.
    pub name: Vec<Part>,
    /// The same, where the line read ends as this one does.
    pub ending: Option<Ending>,
    /// The value, where it is not that of the line read.
    pub value: Option<Capture>,
    /// The type, where it is not that of the line read.
    pub metric_type: Option<Box<[u8]>>,
    /// Numbers of tags without which this line is not written, as bits.
    pub needs: u32,
    /// Tags to write.
    pub tags: Option<TagsTemplate>,
}

/// From some part on, the name is as it was read. With what stands behind it, that is copied in one piece.
#[derive(Debug)]
pub struct Ending {
    /// The name in front of it.
    pub front: Vec<Part>,
    /// The part.
    pub from: Capture,
}

/// How to write tags.
#[derive(Debug)]
pub struct TagsTemplate {
    /// In which dialect.
    pub dialect: Dialect,
    /// Key, and what gives the value.
    pub tags: Vec<(Box<[u8]>, Capture)>,
}

/// A piece of a written name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// This text, dots included.
    Text(Box<[u8]>),
    /// What was read there.
    Copy(Capture),
    /// What was read there, as one segment: dots become underscores.
    Segment(Capture),
}

impl StatsdPlan {
    /// False when surely no rule reads the line: most lines of other senders are told by their first bytes.
    #[inline]
    #[must_use]
    pub fn concerns(&self, line: &[u8]) -> bool {
        self.leads.iter().any(|lead| line.starts_with(lead))
    }

    /// The rule for lines of this name and type, and in `cuts` where the name's parts lie. With `only`, rules
    /// that read the other generation do not count.
    ///
    /// Text beats `{x}` beats `{x*}`, from left to right; a type that is named beats any. The cost grows with the
    /// segments of the name, not with the number of rules.
    #[inline]
    pub fn find(
        &self,
        name: &[u8],
        metric_type: &[u8],
        only: Option<Generation>,
        cuts: &mut Cuts,
    ) -> Option<LineRuleId> {
        self.names.find(name, metric_type, only, cuts)
    }

    /// The rule behind an id.
    #[must_use]
    pub fn rule(&self, id: LineRuleId) -> &LineRule {
        &self.rules[id.0 as usize]
    }

    /// The number of a tag.
    #[must_use]
    pub fn tag(&self, key: &[u8]) -> Option<u8> {
        let place = self.tags.iter().position(|tag| **tag == *key)?;
        u8::try_from(place).ok()
    }
}
