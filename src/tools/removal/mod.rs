//! Whether a gateway can be removed: what still speaks, emits or reads the other generation.
//!
//! The caller collects what is known; this says what follows from it.

mod report;

use serde::{Serialize, Serializer};

use crate::document::plural;
use crate::mapping::{Correspondence, Generation};

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing needs it.
    Yes,
    /// Something needs it.
    No,
    /// Nothing is known that needs it, but not everything that was asked is known.
    NotKnown,
}

impl Answer {
    /// The answer in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Answer::Yes => "yes",
            Answer::No => "no",
            Answer::NotKnown => "not known",
        }
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What the gateway does for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetNeed {
    /// Nothing: it speaks the generation, and is not changed.
    None,
    /// No client requests it any more.
    Gone,
    /// It speaks the generation, but the gateway changes it, to another edition for example.
    Changed,
    /// The gateway emits the other generation for it.
    EmitsOther,
    /// Its generation is not known.
    NotKnown,
    /// It speaks the other generation.
    SpeaksOther,
}

/// A target of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemovalTarget {
    /// Its name.
    pub name: String,
    /// Its URL, without secrets.
    pub url: String,
    /// The gateway.
    pub gateway: String,
    /// What the gateway does for it.
    pub need: TargetNeed,
    /// More about it, in words; can be empty.
    pub detail: String,
}

/// A source of series of the other generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredNames {
    /// The label `job`.
    pub job: String,
    /// The label `instance`.
    pub instance: String,
    /// The number of series.
    pub series: u64,
}

/// A query that reads the other generation, or may read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemovalQuery {
    /// The file, the dashboard, the group of rules, or the query log.
    pub source: String,
    /// The panel, the rule, or how often it was run.
    pub place: String,
    /// The query.
    pub query: String,
    /// It reads the other generation for sure.
    pub is_certain: bool,
    /// Why it is not certain, or not migrated, in words.
    pub details: Vec<String>,
}

/// What is known about the need for a gateway.
#[derive(Clone, Debug, Serialize)]
pub struct Removal {
    /// The generation that everything is to speak and read.
    #[serde(serialize_with = "as_word")]
    pub to: Generation,
    /// The targets.
    pub targets: Vec<RemovalTarget>,
    /// Where Prometheus gets names of the other generation from.
    pub stored: Vec<StoredNames>,
    /// The number of queries that were looked at.
    pub queries_seen: usize,
    /// Those that need the gateway.
    pub queries: Vec<RemovalQuery>,
    /// What was asked and is not known, in words.
    pub not_known: Vec<String>,
    /// What to do next; after a line break, the command that does it.
    pub next: Vec<String>,
    /// What no source can tell.
    pub not_seen: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn as_word<S: Serializer>(generation: &Generation, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(generation.as_str())
}

impl Removal {
    /// The number of targets with this need.
    #[must_use]
    pub fn count(&self, need: TargetNeed) -> usize {
        self.targets.iter().filter(|target| target.need == need).count()
    }

    fn certain_queries(&self) -> usize {
        self.queries.iter().filter(|query| query.is_certain).count()
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let is_needed = [TargetNeed::SpeaksOther, TargetNeed::EmitsOther, TargetNeed::Changed]
            .into_iter()
            .any(|need| self.count(need) > 0);
        if is_needed || !self.stored.is_empty() || self.certain_queries() > 0 {
            Answer::No
        } else if self.unknown().is_empty() {
            Answer::Yes
        } else {
            Answer::NotKnown
        }
    }

    /// The answer and its reasons, in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        let reasons = match self.answer() {
            Answer::Yes => self.why_yes(),
            Answer::No => self.why_no().join(", "),
            Answer::NotKnown => self.unknown().join("; "),
        };
        format!("{}: {reasons}", self.answer().as_str())
    }

    fn why_yes(&self) -> String {
        let targets = self.count(TargetNeed::None);
        let speak = if targets == 1 { "speaks" } else { "speak" };
        format!(
            "{} {speak} {}, and none of {} reads {} names",
            counted(targets, "target"),
            self.to.as_str(),
            counted(self.queries_seen, "query"),
            self.to.other().as_str()
        )
    }

    fn why_no(&self) -> Vec<String> {
        let other = self.to.other().as_str();
        let verb = |count: usize, one: &str, many: &str| {
            if count == 1 { one.to_owned() } else { many.to_owned() }
        };
        let mut reasons = Vec::new();
        let mut add = |count: usize, noun: &str, one: &str, many: &str, end: &str| {
            if count > 0 {
                reasons.push(format!("{} {}{end}", counted(count, noun), verb(count, one, many)));
            }
        };
        add(self.count(TargetNeed::SpeaksOther), "target", "speaks", "speak", &format!(" {other}"));
        let queries = self.certain_queries();
        add(queries, "query", "reads", "read", &format!(" {other} names"));
        let emitted = self.count(TargetNeed::EmitsOther);
        add(emitted, "target", "is", "are", &format!(" served as {other}"));
        let changed = self.count(TargetNeed::Changed);
        add(changed, "target", "is", "are", " still changed");
        // If a gateway emits the other generation, these are its targets.
        if emitted + self.count(TargetNeed::SpeaksOther) == 0 {
            let stored = self.stored.len();
            add(stored, "instance", "has", "have", &format!(" {other} names in Prometheus"));
        }
        if reasons.is_empty() {
            reasons.push(format!("Prometheus still gets {other} names"));
        }
        reasons
    }

    /// What is not known: sources, targets and queries.
    fn unknown(&self) -> Vec<String> {
        let mut unknown = self.not_known.clone();
        if !self.targets.is_empty() && self.count(TargetNeed::Gone) == self.targets.len() {
            unknown.push("no target has been scraped lately".to_owned());
        }
        let targets = self.count(TargetNeed::NotKnown);
        if targets > 0 {
            unknown.push(format!("{} cannot be read", counted(targets, "target")));
        }
        let queries = self.queries.len() - self.certain_queries();
        if queries > 0 {
            unknown.push(format!("{} not understood", counted(queries, "query")));
        }
        unknown
    }
}

/// `1 target`, `2 targets`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {}", plural(count as u64, noun))
}

/// Names of series that only one generation has: of the families of these rules, without patterns.
#[must_use]
pub fn names_only_in(generation: Generation, rules: &[Correspondence]) -> Vec<String> {
    let series = |rule: &Correspondence, generation| {
        let family = &rule.side(generation).family;
        // Of a counter or gauge there are no series with a suffix, and asking for them does no harm.
        ["", "_bucket", "_sum", "_count"]
            .iter()
            .map(|suffix| format!("{family}{suffix}"))
            .collect::<Vec<_>>()
    };
    let other: Vec<String> = rules.iter().flat_map(|it| series(it, generation.other())).collect();
    let mut names: Vec<String> = rules.iter().flat_map(|it| series(it, generation)).collect();
    names.retain(|name| !other.contains(name));
    names.sort_unstable();
    names.dedup();
    names
}
