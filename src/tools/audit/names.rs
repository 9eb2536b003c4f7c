//! Texts that use names of families without being queries: patterns and links.

use std::ops::Range;

use percent_encoding::percent_decode_str;
use regex::Regex;

use super::auditor::Auditor;
use super::finding::{Finding, Impact};
use super::query::Query;
use super::query_result::new_finding;
use super::template_vars::parts_around_variables;
use super::verdict::{first_families, literal_prefix};
use crate::mapping::Generation;

impl Auditor {
    /// `metrics(pattern)` of a template variable.
    pub(super) fn name_pattern(&self, query: &Query, at: &Range<usize>) -> Option<Finding> {
        let pattern = query.text.text.get(at.clone())?;
        let mut finding = new_finding(query);
        // Grafana searches the pattern in each name.
        let Ok(regex) = Regex::new(&parts_around_variables(pattern).join(".*")) else {
            (finding.direct, finding.gateway) = (Impact::Unknown, Impact::Unknown);
            finding.details.push("its pattern of names cannot be parsed".to_owned());
            return Some(finding);
        };
        for (generation, family) in first_families(&self.catalog, &|name| regex.is_match(name)) {
            if generation == Generation::Old {
                finding.direct = Impact::Breaks;
            }
            if !self.emitted.has(generation) {
                finding.gateway = Impact::Breaks;
            }
            if generation != self.to {
                finding.obstacles.push("patterns of names are not migrated".to_owned());
            }
            finding.generations.push(generation.as_str());
            finding.details.push(format!("the name is a pattern that matches {family}"));
        }
        // The pattern is searched anywhere in a name.
        self.may_match_pattern(&mut finding, "");
        (!finding.generations.is_empty()).then_some(finding)
    }

    /// If it is not known to match a family: a pattern of names may match a family that a pattern of
    /// a pack renames. `prefix` is the beginning of the names that it matches.
    fn may_match_pattern(&self, finding: &mut Finding, prefix: &str) {
        if !finding.generations.is_empty() {
            return;
        }
        for generation in [Generation::Old, Generation::New] {
            let Some(pattern) = self.catalog.pattern_near(prefix, generation) else { continue };
            if generation == Generation::Old {
                finding.direct = Impact::Unknown;
            }
            if !self.emitted.has(generation) {
                finding.gateway = Impact::Unknown;
            }
            finding.generations.push(generation.as_str());
            finding.details.push(format!("it may match families of {pattern}"));
        }
    }

    /// The name of a metric that an adapter makes from series: the name of the series, or such as
    /// `jobs_per_second` from `jobs_total`.
    pub(super) fn metric_name(&self, query: &Query) -> Option<Finding> {
        let name = query.text.text.as_str();
        let mut head = name;
        let family = loop {
            let counter = || self.catalog.lookup(&format!("{head}_total"));
            if let Some(found) = self.catalog.lookup(head).or_else(counter) {
                break found;
            }
            head = head.rsplit_once('_')?.0;
        };
        let generation = family.generation?;
        let mut finding = new_finding(query);
        let impact = if head == name { Impact::Breaks } else { Impact::Unknown };
        if generation == Generation::Old {
            finding.direct = impact;
        }
        if !self.emitted.has(generation) {
            finding.gateway = impact;
        }
        finding.generations = vec![generation.as_str()];
        finding.details.push(format!("an adapter makes it from series such as {}", family.family));
        if generation != self.to {
            finding.obstacles.extend(query.obstacle.clone());
        }
        Some(finding)
    }

    /// A link that contains a query. It is reported, but not migrated.
    pub(super) fn link(&self, line: usize, url: &str) -> Option<Finding> {
        let decoded = percent_decode_str(url).decode_utf8_lossy();
        let family = self.catalog.first_in(&decoded)?;
        let generation = family.generation?;
        let old = generation == Generation::Old;
        let impact = |breaks: bool| if breaks { Impact::Breaks } else { Impact::Survives };
        let mut finding = Finding::new(line, "link", "", url);
        finding.generations = vec![generation.as_str()];
        finding.direct = impact(old);
        finding.gateway = impact(!self.emitted.has(generation));
        finding.details.push(format!("the link contains {}", family.family));
        if generation != self.to {
            finding.obstacles.push("links are not migrated".to_owned());
        }
        Some(finding)
    }

    /// A relabeling rule that selects series by name: it must match both generations, or neither.
    pub(super) fn relabeling(&self, query: &Query) -> Option<Finding> {
        let pattern = &query.text.text;
        let mut finding = new_finding(query);
        let Ok(regex) = Regex::new(&format!("^(?s:{pattern})$")) else {
            let family = self.catalog.first_in(pattern)?.family;
            (finding.direct, finding.gateway) = (Impact::Unknown, Impact::Unknown);
            finding.details.push(format!("it mentions {family}, and was not understood"));
            return Some(finding);
        };
        let matches = |family: &str| {
            self.catalog.series_names(family).iter().any(|name| regex.is_match(name))
        };
        for (old, new) in self.catalog.pairs() {
            let generation = match (matches(old), matches(new)) {
                (true, false) => Generation::Old,
                (false, true) => Generation::New,
                _ => continue,
            };
            let is_old = generation == Generation::Old;
            if is_old {
                finding.direct = Impact::Breaks;
            }
            if !self.emitted.has(generation) {
                finding.gateway = Impact::Breaks;
            }
            if !finding.generations.contains(&generation.as_str()) {
                finding.generations.push(generation.as_str());
            }
            let (has, lacks) = if is_old { (old, new) } else { (new, old) };
            finding.details.push(format!("it matches {has}, but not {lacks}"));
        }
        self.may_match_pattern(&mut finding, literal_prefix(pattern));
        if finding.generations.contains(&self.to.other().as_str()) {
            finding.obstacles.extend(query.obstacle.clone());
        }
        (!finding.generations.is_empty()).then_some(finding)
    }
}
