//! Audits files: finds their queries, assesses them, and migrates those that can be migrated.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};

use super::catalog::Catalog;
use super::extract::extract;
use super::finding::FileAudit;
use super::query::{Query, QueryKind};
use super::query_result::{QueryAudit, of_recorded};
use super::source_file::QueryEdits;
use crate::document::{Diagnostic, Source};
use crate::mapping::{Emit, Emitted, Generation, Pack, PatternedRules, correspondences};
use crate::tools::hints::{self, Selection};

/// Fewer queries are not worth a thread: they take some 20 ms.
const MIN_QUERIES: usize = 500;

/// Audits queries against packs.
#[derive(Debug)]
pub struct Auditor {
    /// The rules, with the boundaries of the newest editions.
    pub(super) catalog: Catalog,
    /// The rules, with the boundaries of the edition that the gateway emits.
    pub(super) through_gateway: Catalog,
    /// The rules, with the boundaries of the edition that queries are migrated to.
    pub(super) target: Catalog,
    pub(super) emitted: Emitted,
    pub(super) to: Generation,
    pub(super) allow_differs: bool,
    /// Names of families under which rules of other files record.
    pub(super) recorded: BTreeSet<String>,
}

impl Auditor {
    /// An auditor for a gateway that emits `emit`, which migrates queries to `to`: a generation, or an
    /// edition of one. Families in `absent` do not occur in the queried Prometheus.
    ///
    /// # Errors
    ///
    /// No pack declares an edition, or `to` is both generations.
    pub fn new(
        packs: &[Pack],
        emit: Emit,
        to: impl Into<Emit>,
        absent: Vec<String>,
    ) -> Result<Auditor, Diagnostic> {
        let patterned = Arc::new(PatternedRules::new(packs));
        let absent: Arc<[String]> = absent.into();
        let catalog = |emitted| {
            let rules = correspondences(packs, emitted);
            Catalog::new(rules, Arc::clone(&patterned), Arc::clone(&absent))
        };
        let emitted = Emitted::new(emit, packs)?;
        let target = Emitted::new(to.into(), packs)?;
        let to = target.generation().ok_or_else(|| {
            Diagnostic::error("a query is migrated to one generation, not to both")
        })?;
        Ok(Auditor {
            through_gateway: catalog(emitted),
            target: catalog(target),
            catalog: catalog(Emitted::default()),
            emitted,
            to,
            allow_differs: false,
            recorded: BTreeSet::new(),
        })
    }

    /// Also migrates queries whose result differs, if it is known how far. These are quantiles over
    /// buckets whose boundaries differ between the generations.
    #[must_use]
    pub fn allow_differs(self, allow: bool) -> Auditor {
        Auditor { allow_differs: allow, ..self }
    }

    /// The auditor with the rules that patterns have for the families of a query. `None`: there are
    /// none.
    pub(super) fn resolved(&self, query: &str) -> Option<Auditor> {
        Some(Auditor {
            catalog: self.catalog.resolved(query)?,
            through_gateway: self.through_gateway.resolved(query)?,
            target: self.target.resolved(query)?,
            recorded: BTreeSet::new(),
            ..*self
        })
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
        let found = words.find_map(|word| self.catalog.lookup_word(word)).map(|it| it.family);
        // ASCII in UTF-16 and UTF-32 is ASCII with zeros between.
        found.or_else(|| {
            let narrow = || bytes.iter().copied().filter(|byte| *byte != 0);
            bytes.contains(&0).then(|| self.mentioned(&narrow().collect::<Vec<u8>>()))?
        })
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
        let names = |text: &str| self.catalog.first_in(text).is_some();
        let source = match extract(Source::new(&path.to_string_lossy(), text), &names) {
            Ok(source) => source,
            Err(_) if is_template(text) => {
                return FileAudit::unreadable(
                    path,
                    "it is a template; render it first, for example with `helm template`",
                );
            }
            Err(diagnostic) => return FileAudit::unreadable(path, diagnostic.to_string()),
        };
        let its = source.recorded.iter().filter(|name| self.catalog.lookup_word(name).is_some());
        let recorded: BTreeSet<String> = its.chain(&self.recorded).cloned().collect();
        let mut found = self.queries(&source.queries, &recorded);
        if source.is_unit_test {
            migrate_all_or_none(&mut found);
        }
        let edits: Vec<(usize, &QueryEdits)> =
            found.iter().filter_map(|(index, it)| Some((*index, it.edits.as_ref()?))).collect();
        let (migrated, failed) = source.edited(&edits);
        // A text is a query if it turns out to be one.
        let is_name = |query: &&Query| query.kind == QueryKind::MetricName;
        let is_query = |query: &&Query| query.kind != QueryKind::Text && !is_name(query);
        let is_text = |index: &usize| source.queries[*index].kind == QueryKind::Text;
        let texts = found.iter().filter(|(index, _)| is_text(index)).count();
        let mut audit = FileAudit {
            queries: source.queries.iter().filter(is_query).count() + texts,
            migrated,
            is_unit_test: source.is_unit_test,
            rule_files: source.rule_files.clone(),
            ..FileAudit::new(path)
        };
        for (index, QueryAudit { mut finding, .. }) in found {
            if let Some(reason) = failed.get(&index) {
                finding.migrated = None;
                finding.obstacles.push(format!("the text in the file: {reason}"));
            }
            audit.findings.push(finding);
        }
        audit.findings.extend(source.links.iter().filter_map(|(line, url)| self.link(*line, url)));
        audit.findings.extend(source.relabelings.iter().filter_map(|it| self.label_rule(it)));
        audit.findings.extend(self.ad_hoc_filters(&source));
        audit.queries += source.relabelings.len() + source.filters.len();
        audit.findings.sort_by_key(|finding| finding.line);
        audit
    }
}

impl Auditor {
    /// Audits queries, on all CPUs if there are many. Returns the index of each that uses a family of
    /// a pack, in order.
    fn queries(&self, queries: &[Query], recorded: &BTreeSet<String>) -> Vec<(usize, QueryAudit)> {
        let cpus = thread::available_parallelism().map_or(1, NonZero::get);
        let length = queries.len().div_ceil(cpus).max(MIN_QUERIES);
        let audit = |(chunk, queries): (usize, &[Query])| {
            let audits = queries.iter().enumerate().filter_map(|(index, query)| {
                let audited = of_recorded(query, self.query(query), recorded)?;
                Some((chunk * length + index, audited))
            });
            audits.collect::<Vec<_>>()
        };
        if queries.len() <= length {
            return audit((0, queries));
        }
        thread::scope(|scope| {
            let audits = queries.chunks(length).enumerate();
            let audits = audits.map(|chunk| scope.spawn(move || audit(chunk)));
            let audits: Vec<_> = audits.collect();
            let audits = audits.into_iter().map(ScopedJoinHandle::join);
            audits.flat_map(|audits| audits.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    }
}

/// The parts of unit tests are migrated together, or not at all.
fn migrate_all_or_none(found: &mut [(usize, QueryAudit)]) {
    if found.iter().all(|(_, it)| it.finding.obstacles.is_empty()) {
        return;
    }
    for (_, audited) in found {
        audited.edits = None;
        if audited.finding.migrated.take().is_some() {
            let obstacle = "another part of the unit tests cannot be migrated".to_owned();
            audited.finding.obstacles.push(obstacle);
        }
    }
}

/// True if a text has the placeholders of Helm and similar tools outside of values.
fn is_template(text: &str) -> bool {
    text.lines().any(|line| {
        line.trim_start().starts_with("{{") || line.contains("{{-") || line.contains(": {{")
    })
}
