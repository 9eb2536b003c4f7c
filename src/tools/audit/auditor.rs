//! Audits files: finds their queries, assesses them, and migrates those that can be migrated.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use percent_encoding::percent_decode_str;

use super::catalog::Catalog;
use super::extract::extract;
use super::finding::{FileAudit, Finding, Impact};
use super::legend;
use super::migrate::{Input, migrate};
use super::promql;
use super::query::{Query, QueryKind};
use super::source_file::EditTarget;
use super::template_vars::MaskedQuery;
use super::variable_query::VariableQuery;
use super::verdict::assess;
use crate::document::{Edit, Source, apply};
use crate::mapping::{Emit, Generation, Pack, correspondences};
use crate::tools::hints::{self, Selection};

/// Audits queries against packs.
#[derive(Debug)]
pub struct Auditor {
    catalog: Catalog,
    emit: Emit,
    to: Generation,
}

/// The edits that migrate a query and its legend.
struct QueryEdits {
    query: Vec<Edit>,
    legend: Option<Vec<Edit>>,
    notes: Vec<String>,
}

/// The `PromQL` in the text of a query.
struct PromQlPart {
    at: Range<usize>,
    /// Of `label_values`, the label.
    values_of: Option<Range<usize>>,
}

impl Auditor {
    /// An auditor for a gateway that emits `emit`, which migrates queries to `to`. Families in `absent`
    /// do not occur in the queried Prometheus.
    #[must_use]
    pub fn new(packs: &[Pack], emit: Emit, to: Generation, absent: Vec<String>) -> Auditor {
        Auditor { catalog: Catalog::new(correspondences(packs), absent), emit, to }
    }

    /// True if a pack has a rule for a family.
    #[must_use]
    pub fn knows(&self, family: &str) -> bool {
        self.catalog.lookup(family).is_some_and(|it| it.suffix.is_empty())
    }

    /// A family of a pack that a file of any kind mentions.
    #[must_use]
    pub fn mentioned(&self, bytes: &[u8]) -> Option<String> {
        let part = |byte: &u8| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'));
        let mut words = bytes.split(part).filter_map(|word| std::str::from_utf8(word).ok());
        words.find_map(|word| self.catalog.lookup(word)).map(|it| it.family)
    }

    /// What the new generation needs to have the families of the audited queries: the hints of the
    /// packs that name an option.
    #[must_use]
    pub fn needs(&self, files: &[FileAudit], packs: &[Pack]) -> Vec<String> {
        let findings = files.iter().flat_map(|file| &file.findings);
        let needs: BTreeSet<&Selection> = findings.flat_map(|it| &it.needs).collect();
        let mut texts = hints::texts(packs, needs.into_iter());
        texts.retain(|text| text.contains('`'));
        texts
    }

    /// Audits the text of one file.
    #[must_use]
    pub fn file(&self, path: &Path, text: &str) -> FileAudit {
        let source = match extract(Source::new(&path.to_string_lossy(), text)) {
            Ok(source) => source,
            Err(_) if is_template(text) => {
                return FileAudit::unreadable(
                    path,
                    "it is a template; render it first, for example with `helm template`",
                );
            }
            Err(diagnostic) => return FileAudit::unreadable(path, diagnostic.to_string()),
        };
        let mut audit = FileAudit { queries: source.queries.len(), ..FileAudit::new(path) };
        let mut edits: Vec<(EditTarget, Vec<Edit>)> = Vec::new();
        let mut migrated: Vec<usize> = Vec::new();
        for (index, query) in source.queries.iter().enumerate() {
            let Some((finding, changes)) = self.query(query) else { continue };
            if let Some(changes) = changes {
                migrated.push(audit.findings.len());
                edits.push((EditTarget::Query(index), changes.query));
                if let Some(legend) = changes.legend {
                    edits.push((EditTarget::Legend(index), legend));
                }
            }
            audit.findings.push(finding);
        }
        audit.findings.extend(source.links.iter().filter_map(|(line, url)| self.link(*line, url)));
        if !edits.is_empty() {
            match source.edited(&edits) {
                Ok(text) => audit.migrated = Some(text),
                Err(reason) => {
                    for index in migrated {
                        audit.findings[index].migrated = None;
                        audit.findings[index].obstacles.push(format!("the file: {reason}"));
                    }
                }
            }
        }
        audit.findings.sort_by_key(|finding| finding.line);
        audit
    }

    fn query(&self, query: &Query) -> Option<(Finding, Option<QueryEdits>)> {
        let text = query.text.text.as_str();
        if let VariableQuery::Metrics(at) = variable_query(query.kind, text) {
            return self.name_pattern(query, &at).map(|finding| (finding, None));
        }
        let part = promql_part(query.kind, text)?;
        let inner = text.get(part.at.clone())?;
        let masked = masked(query.kind, inner);
        let mut finding = new_finding(query);
        let expr = match promql::parse(&masked.text) {
            Ok(expr) => expr,
            Err(error) => {
                // A query in another language names no family. A query that does must be reported.
                let family = self.catalog.first_in(inner)?;
                let error = error.lines().next().unwrap_or_default();
                let names = family.generation.into_iter().map(Generation::as_str);
                finding.generations = names.collect();
                (finding.direct, finding.gateway) = (Impact::Unknown, Impact::Unknown);
                let family = family.family;
                finding.details.push(format!("it names {family}, but cannot be parsed: {error}"));
                return Some((finding, None));
            }
        };
        let values_of = part.values_of.as_ref().and_then(|label| text.get(label.clone()));
        let verdict = assess(&self.catalog, inner, &masked, &expr, self.emit, values_of)?;
        finding.generations = verdict.generations.iter().copied().map(Generation::as_str).collect();
        (finding.direct, finding.gateway) = (verdict.direct, verdict.gateway);
        finding.details = verdict.details;
        finding.needs = verdict.needs;
        if !verdict.generations.contains(&self.to.other()) {
            return Some((finding, None));
        }
        match self.migrated(query, &part, inner, &masked, &expr) {
            Ok((migrated, edits)) if !edits.query.is_empty() => {
                finding.migrated = Some(migrated);
                finding.details.extend(edits.notes.iter().cloned());
                Some((finding, Some(edits)))
            }
            Ok(_) => Some((finding, None)),
            Err(obstacles) => {
                finding.obstacles = obstacles;
                Some((finding, None))
            }
        }
    }

    /// The text of a query in the other generation, and the edits that give it.
    fn migrated(
        &self,
        query: &Query,
        part: &PromQlPart,
        inner: &str,
        masked: &MaskedQuery,
        expr: &promql::Expr,
    ) -> Result<(String, QueryEdits), Vec<String>> {
        let text = query.text.text.as_str();
        let legend = query.legend.as_ref().map_or("", |legend| legend.text.as_str());
        let values_of = part.values_of.as_ref();
        let input = Input {
            catalog: &self.catalog,
            text: inner,
            masked,
            expr,
            from: self.to.other(),
            templated: query.kind.has_variables(),
            labels_matter: query.labels_matter,
            legend: &legend::labels(legend),
            values_of: values_of.and_then(|label| text.get(label.clone())),
        };
        let migration = migrate(&input)?;
        let mut edits = migration.edits;
        for edit in &mut edits {
            edit.at = edit.at.start + part.at.start..edit.at.end + part.at.start;
        }
        if let Some(label) = values_of
            && let Some(to) = text.get(label.clone()).and_then(|it| migration.renames.get(it))
        {
            edits.push(Edit::replace(label.clone(), to));
        }
        let legend = query.legend.as_ref().map(|it| legend::edits(&it.text, &migration.renames));
        let legend = legend.filter(|edits| !edits.is_empty());
        let migrated = self.checked(text, &edits, query.kind)?;
        Ok((migrated, QueryEdits { query: edits, legend, notes: migration.notes }))
    }

    /// The edited text, if it is a valid query that uses only the other generation.
    fn checked(&self, text: &str, edits: &[Edit], kind: QueryKind) -> Result<String, Vec<String>> {
        let invalid = || vec!["the migrated text would not be a valid query".to_owned()];
        let migrated = apply(text, edits).ok_or_else(invalid)?;
        let variables = |text: &str| -> BTreeSet<String> {
            let masked = masked(kind, text);
            let texts = masked.variables.iter().filter_map(|at| text.get(at.clone()));
            texts.map(str::to_owned).collect()
        };
        if variables(text) != variables(&migrated) {
            return Err(vec!["a variable would be missing in the migrated query".to_owned()]);
        }
        let part = promql_part(kind, &migrated).ok_or_else(invalid)?;
        let inner = migrated.get(part.at).ok_or_else(invalid)?;
        let masked = masked(kind, inner);
        let expr = promql::parse(&masked.text).map_err(|_| invalid())?;
        let verdict = assess(&self.catalog, inner, &masked, &expr, self.emit, None);
        if verdict.is_some_and(|it| it.generations.contains(&self.to.other())) {
            Err(vec!["the migrated query would still use the other generation".to_owned()])
        } else {
            Ok(migrated)
        }
    }

    /// `metrics(pattern)` of a template variable.
    fn name_pattern(&self, query: &Query, at: &Range<usize>) -> Option<Finding> {
        let regex = regex::Regex::new(query.text.text.get(at.clone())?).ok()?;
        let matches = |generation: &Generation| {
            self.catalog.only_in(*generation).into_iter().any(|it| regex.is_match(it))
        };
        let generations: Vec<Generation> =
            [Generation::Old, Generation::New].into_iter().filter(matches).collect();
        if generations.is_empty() {
            return None;
        }
        let impact = |exists: bool| if exists { Impact::Differs } else { Impact::Breaks };
        let emitted = match self.emit {
            Emit::Both => true,
            Emit::New => generations.contains(&Generation::New),
            Emit::Old => generations.contains(&Generation::Old),
        };
        Some(Finding {
            direct: impact(generations.contains(&Generation::New)),
            gateway: impact(emitted),
            generations: generations.iter().copied().map(Generation::as_str).collect(),
            details: vec!["it queries family names by a pattern".to_owned()],
            ..new_finding(query)
        })
    }

    /// A link that contains a query. It is reported, but not migrated.
    fn link(&self, line: usize, url: &str) -> Option<Finding> {
        let decoded = percent_decode_str(url).decode_utf8_lossy();
        let family = self.catalog.first_in(&decoded)?;
        let generation = family.generation?;
        let old = generation == Generation::Old;
        let impact = |breaks: bool| if breaks { Impact::Breaks } else { Impact::Survives };
        let mut finding = Finding::new(line, "link", "", url);
        finding.generations = vec![generation.as_str()];
        finding.direct = impact(old);
        finding.gateway = impact(if old { self.emit == Emit::New } else { self.emit == Emit::Old });
        finding.details.push(format!("the link contains {}", family.family));
        if generation != self.to {
            finding.obstacles.push("links are not migrated".to_owned());
        }
        Some(finding)
    }
}

/// True if a text has the placeholders of Helm and similar tools outside of values.
fn is_template(text: &str) -> bool {
    text.lines().any(|line| {
        line.trim_start().starts_with("{{") || line.contains("{{-") || line.contains(": {{")
    })
}

fn new_finding(query: &Query) -> Finding {
    Finding::new(query.line, query.kind.as_str(), &query.title, &query.text.text)
}

fn masked(kind: QueryKind, promql: &str) -> MaskedQuery {
    if kind.has_variables() { MaskedQuery::templated(promql) } else { MaskedQuery::plain(promql) }
}

fn variable_query(kind: QueryKind, text: &str) -> VariableQuery {
    match kind {
        QueryKind::Variable => VariableQuery::parse(text),
        _ => VariableQuery::QueryResult(0..text.len()),
    }
}

fn promql_part(kind: QueryKind, text: &str) -> Option<PromQlPart> {
    match variable_query(kind, text) {
        VariableQuery::LabelValues { selector, label } => {
            Some(PromQlPart { at: selector, values_of: Some(label) })
        }
        VariableQuery::QueryResult(at) => Some(PromQlPart { at, values_of: None }),
        VariableQuery::Metrics(_) | VariableQuery::Other => None,
    }
}
