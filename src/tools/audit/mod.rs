//! Do dashboards, alerts and rules survive the upgrade, and can they be moved?
//!
//! ```text
//! file ── document ──> texts with places ── source ──> queries ── promql ──> tree with places
//!      packs ── knowledge ─┬─ verdict: what it speaks, what becomes of it
//!                          └─ moving: edits of names, matchers, lists of labels ── source ──> file
//! ```
//!
//! Nothing here knows a family by name: all that is known comes from the packs. A file is edited where it stands, read again and
//! compared, so that whatever is not meant to change does not.

mod catalog;
mod document;
mod extract;
mod migrate;
mod promql;
mod table;
mod template_vars;
mod variable_query;
mod vector_use;
mod verdict;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::mapping::{Emit, Generation, Pack, correspondences};
use catalog::Knowledge;
use document::{Edit, apply};
use extract::{Kind, Place, Query, Source};
use migrate::Request;
use template_vars::Masked;
use variable_query::Asks;

pub use table::table;
pub use verdict::Fate;

/// What to ask of each query.
#[derive(Debug)]
pub struct Auditor {
    knowledge: Knowledge,
    emit: Emit,
    to: Generation,
}

/// What was found in one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileAudit {
    /// The file.
    pub path: PathBuf,
    /// Why it could not be read, if so.
    pub unreadable: Option<String>,
    /// Queries in it, those that no pack has anything to say of included.
    pub queries: usize,
    /// Queries that packs know a family of.
    pub findings: Vec<Finding>,
    /// The file with the queries moved that can be; `None` where there are none.
    #[serde(skip)]
    pub moved: Option<String>,
}

/// One query, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where it stands.
    pub line: usize,
    /// `panel`, `annotation`, `variable`, `record`, `alert` or `link`.
    pub kind: &'static str,
    /// The name of that.
    pub title: String,
    /// The query.
    pub query: String,
    /// The generations whose families it names.
    pub speaks: Vec<&'static str>,
    /// After the upgrade without a gateway.
    pub direct: Fate,
    /// After the upgrade behind a gateway.
    pub gateway: Fate,
    /// What there is to know.
    pub notes: Vec<String>,
    /// The query in the other generation.
    pub moved: Option<String>,
    /// Why it cannot be moved.
    pub obstacles: Vec<String>,
}

impl Auditor {
    /// An auditor behind whose gateway `emit` leaves, and that moves queries to `to`. Families that are `absent` do not occur.
    #[must_use]
    pub fn new(packs: &[Pack], emit: Emit, to: Generation, absent: Vec<String>) -> Auditor {
        Auditor { knowledge: Knowledge::new(correspondences(packs), absent), emit, to }
    }

    /// Whether a pack knows a family by this name.
    #[must_use]
    pub fn knows(&self, family: &str) -> bool {
        self.knowledge.named(family).is_some_and(|named| named.suffix.is_empty())
    }

    /// Audits one file that is given as text.
    #[must_use]
    pub fn file(&self, path: &Path, text: &str) -> FileAudit {
        let mut audit = FileAudit {
            path: path.to_owned(),
            unreadable: None,
            queries: 0,
            findings: Vec::new(),
            moved: None,
        };
        let source = match Source::parse(text.to_owned()) {
            Ok(source) => source,
            Err(reason) => {
                audit.unreadable = Some(reason);
                return audit;
            }
        };
        audit.queries = source.queries.len();
        let mut edits: Vec<(Place, Vec<Edit>)> = Vec::new();
        let mut moved: Vec<usize> = Vec::new();
        for (index, query) in source.queries.iter().enumerate() {
            let Some((finding, changes)) = self.query(query) else { continue };
            if let Some(changes) = changes {
                moved.push(audit.findings.len());
                edits.push((Place::Query(index), changes.query));
                if let Some(legend) = changes.legend {
                    edits.push((Place::Legend(index), legend));
                }
            }
            audit.findings.push(finding);
        }
        audit.findings.extend(source.links.iter().filter_map(|(line, url)| self.link(*line, url)));
        if !edits.is_empty() {
            match source.edited(&edits) {
                Ok(text) => audit.moved = Some(text),
                Err(reason) => {
                    for index in moved {
                        audit.findings[index].moved = None;
                        audit.findings[index].obstacles.push(format!("the file: {reason}"));
                    }
                }
            }
        }
        audit.findings.sort_by_key(|finding| finding.line);
        audit
    }

    fn query(&self, query: &Query) -> Option<(Finding, Option<Changes>)> {
        let text = query.text.value.as_str();
        let (at, asked) = match query.kind {
            Kind::Variable => match variable_query::asks(text) {
                Asks::Values { selector, label } => (selector, Some(label)),
                Asks::Result(at) => (at, None),
                Asks::Names(at) => return self.names(query, &at),
                Asks::Nothing => return None,
            },
            _ => (0..text.len(), None),
        };
        let inner = text.get(at.clone())?;
        let templated = query.kind.has_variables();
        let masked = if templated { Masked::new(inner) } else { Masked::plain(inner) };
        let mut finding = Finding {
            line: query.line,
            kind: query.kind.word(),
            title: query.title.clone(),
            query: text.to_owned(),
            speaks: Vec::new(),
            direct: Fate::Survives,
            gateway: Fate::Survives,
            notes: Vec::new(),
            moved: None,
            obstacles: Vec::new(),
        };
        let expr = match promql::parse(&masked.query) {
            Ok(expr) => expr,
            Err(error) => {
                // Of other languages we know nothing; of ours we must not be silent.
                let named = self.knowledge.mentioned(inner)?;
                finding.speaks = named.generation.into_iter().map(Generation::as_str).collect();
                finding.direct = Fate::Breaks;
                finding.gateway = Fate::Breaks;
                let error = error.lines().next().unwrap_or_default();
                finding
                    .notes
                    .push(format!("it names {}, but cannot be read: {error}", named.family));
                return Some((finding, None));
            }
        };
        let verdict = verdict::judge(&self.knowledge, inner, &masked, &expr, self.emit)?;
        finding.speaks = verdict.speaks.iter().copied().map(Generation::as_str).collect();
        (finding.direct, finding.gateway) = (verdict.direct, verdict.gateway);
        finding.notes = verdict.notes;
        let from = self.to.other();
        if !verdict.speaks.contains(&from) {
            return Some((finding, None));
        }
        let legend = query.legend.as_ref().map_or("", |legend| legend.value.as_str());
        let request = Request {
            text: inner,
            masked: &masked,
            expr: &expr,
            from,
            templated,
            labels_matter: query.labels_matter,
            legend: &legend_labels(legend),
            asked: asked.as_ref().and_then(|label| text.get(label.clone())),
        };
        let changes = migrate::moved(&self.knowledge, &request).and_then(|moved| {
            let mut edits: Vec<Edit> = moved.edits;
            for edit in &mut edits {
                edit.at = edit.at.start + at.start..edit.at.end + at.start;
            }
            if let Some(label) = &asked
                && let Some(to) = text.get(label.clone()).and_then(|it| moved.renames.get(it))
            {
                edits.push(Edit::replace(label.clone(), to));
            }
            let legend = query.legend.as_ref().map(|it| legend_edits(&it.value, &moved.renames));
            let legend = legend.filter(|edits| !edits.is_empty());
            self.sound(text, &edits, query).map(|moved| (moved, Changes { query: edits, legend }))
        });
        match changes {
            Ok((moved, changes)) if !changes.query.is_empty() => {
                finding.moved = Some(moved);
                Some((finding, Some(changes)))
            }
            Ok(_) => Some((finding, None)),
            Err(obstacles) => {
                finding.obstacles = obstacles;
                Some((finding, None))
            }
        }
    }

    /// The moved query, if it is one, and speaks the other generation only.
    fn sound(&self, text: &str, edits: &[Edit], query: &Query) -> Result<String, Vec<String>> {
        let wrong = || vec!["moved, it would not be a query".to_owned()];
        let moved = apply(text, edits).ok_or_else(wrong)?;
        let at = match query.kind {
            Kind::Variable => match variable_query::asks(&moved) {
                Asks::Values { selector, .. } => selector,
                Asks::Result(at) => at,
                Asks::Names(_) | Asks::Nothing => return Err(wrong()),
            },
            _ => 0..moved.len(),
        };
        let inner = moved.get(at).ok_or_else(wrong)?;
        let masked =
            if query.kind.has_variables() { Masked::new(inner) } else { Masked::plain(inner) };
        let expr = promql::parse(&masked.query).map_err(|_| wrong())?;
        let verdict = verdict::judge(&self.knowledge, inner, &masked, &expr, self.emit);
        let stale = verdict.is_some_and(|it| it.speaks.contains(&self.to.other()));
        if stale {
            Err(vec!["moved, it would still speak the other generation".to_owned()])
        } else {
            Ok(moved)
        }
    }

    /// `metrics(pattern)`.
    fn names(&self, query: &Query, at: &Range<usize>) -> Option<(Finding, Option<Changes>)> {
        let pattern = query.text.value.get(at.clone())?;
        let regex = regex::Regex::new(pattern).ok()?;
        let takes = |generation| {
            self.knowledge.only_in(generation).into_iter().any(|it| regex.is_match(it))
        };
        let speaks: Vec<Generation> =
            [Generation::Old, Generation::New].into_iter().filter(|it| takes(*it)).collect();
        let fate = |lives: bool| if lives { Fate::Differs } else { Fate::Breaks };
        (!speaks.is_empty()).then(|| {
            let finding = Finding {
                line: query.line,
                kind: query.kind.word(),
                title: query.title.clone(),
                query: query.text.value.clone(),
                direct: fate(speaks.contains(&Generation::New)),
                gateway: fate(
                    self.emit == Emit::Both
                        || speaks.contains(&match self.emit {
                            Emit::New => Generation::New,
                            _ => Generation::Old,
                        }),
                ),
                speaks: speaks.iter().copied().map(Generation::as_str).collect(),
                notes: vec!["it asks for names of families by a pattern".to_owned()],
                moved: None,
                obstacles: Vec::new(),
            };
            (finding, None)
        })
    }

    /// An address that has a query in it is shown, and left to people.
    fn link(&self, line: usize, url: &str) -> Option<Finding> {
        let named = self.knowledge.mentioned(&decoded(url))?;
        let generation = named.generation?;
        let old = generation == Generation::Old;
        let fate = |breaks: bool| if breaks { Fate::Breaks } else { Fate::Survives };
        Some(Finding {
            line,
            kind: "link",
            title: String::new(),
            query: url.to_owned(),
            speaks: vec![generation.as_str()],
            direct: fate(old),
            gateway: fate(if old { self.emit == Emit::New } else { self.emit == Emit::Old }),
            notes: vec![format!("the address names {}", named.family)],
            moved: None,
            obstacles: if generation == self.to {
                Vec::new()
            } else {
                vec!["addresses are left as they are".to_owned()]
            },
        })
    }
}

/// Edits of a query and of its legend.
struct Changes {
    query: Vec<Edit>,
    legend: Option<Vec<Edit>>,
}

/// `%5B` and the like as what they stand for, as far as names are concerned.
fn decoded(url: &str) -> String {
    let mut text = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((before, behind)) = rest.split_once('%') {
        text.push_str(before);
        let byte = behind.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, behind.get(2..)) {
            (Some(byte), Some(more)) if byte.is_ascii() => {
                text.push(char::from(byte));
                rest = more;
            }
            _ => {
                text.push('%');
                rest = behind;
            }
        }
    }
    text + rest
}

/// `{{ label }}` in a legend: the label's place.
fn legend_places(legend: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(open) = legend.get(from..).and_then(|rest| rest.find("{{")) {
        let start = from + open + 2;
        let Some(close) = legend.get(start..).and_then(|rest| rest.find("}}")) else { break };
        let inner = legend.get(start..start + close).unwrap_or_default();
        let label = start + inner.len() - inner.trim_start().len();
        places.push(label..label + inner.trim().len());
        from = start + close + 2;
    }
    places
}

fn legend_labels(legend: &str) -> BTreeSet<String> {
    let text = |at: Range<usize>| legend.get(at).map(str::to_owned);
    legend_places(legend).into_iter().filter_map(text).collect()
}

fn legend_edits(legend: &str, renames: &std::collections::BTreeMap<String, String>) -> Vec<Edit> {
    let edit = |at: Range<usize>| {
        let to = renames.get(legend.get(at.clone())?)?;
        Some(Edit::replace(at, to))
    };
    legend_places(legend).into_iter().filter_map(edit).collect()
}
