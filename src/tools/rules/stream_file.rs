//! Relabeling and a stream aggregation configuration for vmagent.

use std::fmt::{self, Write as _};

use super::comment::{write_comment, write_header};
use super::relabel::unmarked;
use super::relabel_family::RelabelledFamily;
use super::relabel_file::{write_entry, write_list};
use super::source::Source;
use super::stream_family::{AggregatedFamily, Aggregation};

/// What is true of the two parts.
const HEADER: &str = "\
Relabeling and stream aggregation of vmagent, which write the {to} generation of metrics from the \
{from} one. Written by `crossfade rules --format=vmagent`; docs/rules.md describes how to use it.

The file has two documents. The first is a part of a scrape configuration: put it into the one of the \
targets. The second is a file of its own, for `-remoteWrite.streamAggr.config` or \
`-streamAggr.config`. Samples are stored under the new names only, unless vmagent has the flag \
`keepInput`.

`interval` must be a multiple of the scrape interval. Counters are aggregated by `total`: rates are \
right also if one process of a target restarts, and values begin when vmagent starts. Gauges are \
aggregated over the last sample of each series in the interval.";

/// The two documents.
pub(super) fn file(
    source: &Source<'_>,
    relabelled: &[RelabelledFamily],
    aggregated: &[AggregatedFamily],
) -> String {
    let mut text = String::new();
    write_file(source, relabelled, aggregated, &mut text)
        .expect("writing to a String does not fail");
    text
}

fn write_file(
    source: &Source<'_>,
    relabelled: &[RelabelledFamily],
    aggregated: &[AggregatedFamily],
    to: &mut String,
) -> fmt::Result {
    write_header(HEADER, source.written, to)?;
    to.push_str("#\n");
    for family in relabelled {
        write_comment(&family.outline, true, "", to)?;
    }
    to.push('\n');
    write_list(source, relabelled, to)?;
    to.push_str("---\n");
    for family in aggregated {
        to.push('\n');
        write_comment(&family.outline, !family.aggregations.is_empty(), "", to)?;
        for aggregation in &family.aggregations {
            write_aggregation(aggregation, to)?;
        }
    }
    Ok(())
}

fn write_aggregation(aggregation: &Aggregation, to: &mut String) -> fmt::Result {
    writeln!(to, "- name: {}", aggregation.name)?;
    to.push_str("  match:\n");
    for selector in &aggregation.matches {
        writeln!(to, "    - '{}'", selector.replace('\'', "''"))?;
    }
    to.push_str("  interval: 1m\n");
    if aggregation.output != "total" {
        to.push_str("  dedup_interval: 1m\n");
    }
    if !aggregation.without.is_empty() {
        writeln!(to, "  without: [{}]", aggregation.without.join(", "))?;
    }
    writeln!(to, "  outputs: [{}]", aggregation.output)?;
    for (key, steps) in [
        ("input_relabel_configs", &aggregation.before),
        ("output_relabel_configs", &aggregation.after),
    ] {
        writeln!(to, "  {key}:")?;
        for step in steps {
            write_entry(&unmarked(step), "    ", to)?;
        }
    }
    Ok(())
}
