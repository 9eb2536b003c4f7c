//! The report of one exposition, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::mapping::EditionName;
use crate::rewrite;
use crate::rewrite::exposition::{DropReason, Missing, RefusedBecause, Rewritten};

/// A report.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    generations: Vec<&'static str>,
    /// Of the bucket boundaries that were read, as far as they tell.
    editions: Vec<&'a str>,
    /// Of those that were output.
    emitted_editions: Vec<&'a str>,
    bytes_in: u64,
    samples_in: u64,
    samples_out: u64,
    passed: u64,
    kept: u64,
    held_bytes: usize,
    malformed_passed: u64,
    filled: u64,
    incomplete: u64,
    rules: Vec<Rule<'a>>,
    /// What was aggregated in the output of the rules, see `reduce` of packs.
    reduced: Vec<Rule<'a>>,
    dropped: &'a BTreeMap<DropReason, u64>,
    unrewritten: &'a BTreeMap<RefusedBecause, u64>,
    estimated: Vec<Estimated<'a>>,
}

/// The estimated bucket counts that one rule wrote.
#[derive(Debug, Serialize)]
struct Estimated<'a> {
    rule: &'a str,
    family: &'a str,
    /// As spelled in `le`, ascending.
    boundaries: &'a [String],
    /// The most by which a count can be wrong, as a fraction of the observations of its series.
    max_error: f64,
    /// The same for a sum over all series.
    max_error_of_sum: f64,
}

/// What one rule did.
#[derive(Debug, Serialize)]
struct Rule<'a> {
    title: &'a str,
    from: &'a str,
    to: &'a str,
    samples_in: u64,
    samples_out: u64,
}

/// Samples that sources export and that did not arrive.
#[derive(Debug, Serialize)]
pub(super) struct Lack<'a> {
    input: &'a str,
    generation: &'static str,
    rules: &'a [String],
    hint: Option<&'a str>,
    option: Option<&'a str>,
    /// A healthy target can lack them.
    optional: bool,
}

impl<'a> Report<'a> {
    pub(super) fn new(report: &'a rewrite::exposition::Report) -> Report<'a> {
        let rule = |rule: &'a Rewritten| Rule {
            title: &rule.title,
            from: &rule.from,
            to: &rule.to,
            samples_in: rule.samples_in,
            samples_out: rule.samples_out,
        };
        let estimated = |of: &'a rewrite::exposition::Estimated| Estimated {
            rule: &of.title,
            family: &of.family,
            boundaries: &of.boundaries,
            max_error: of.max_error,
            max_error_of_sum: of.max_error_of_sum,
        };
        Report {
            generations: report.generations.iter().map(|generation| generation.as_str()).collect(),
            editions: report.editions.iter().map(EditionName::as_str).collect(),
            emitted_editions: report.emitted_editions.iter().map(|(_, it)| it.as_str()).collect(),
            bytes_in: report.bytes_in,
            samples_in: report.samples_in,
            samples_out: report.samples_out,
            passed: report.passed,
            kept: report.kept,
            held_bytes: report.held_bytes,
            malformed_passed: report.malformed_passed,
            filled: report.filled,
            incomplete: report.incomplete,
            rules: report.rewritten.iter().map(rule).collect(),
            reduced: report.reduced.iter().map(rule).collect(),
            dropped: &report.dropped,
            unrewritten: &report.unrewritten,
            estimated: report.estimated.iter().map(estimated).collect(),
        }
    }

    pub(super) fn lacks(report: &'a rewrite::exposition::Report) -> Vec<Lack<'a>> {
        let lack = |missing: &'a Missing| Lack {
            input: &missing.input,
            generation: missing.generation.as_str(),
            rules: &missing.rules,
            hint: missing.hint.as_deref(),
            option: missing.option.as_deref(),
            optional: missing.optional,
        };
        report.missing.iter().map(lack).collect()
    }
}
