//! The exposition engine as a filter, and its report as a table.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use anyhow::bail;

use super::filter::{Engine, Remaining};
use crate::cli::flags::Rewriting;
use crate::cli::input;
use crate::document::plural;
use crate::exposition::Format;
use crate::mapping::{self, Emit, Pack, Plan};
use crate::rewrite::exposition::{History, Options, Progress, Report, Rewriter};
use crate::tools::{Indent, WIDTH, at_most_wrong, rule_title, wrap};

/// Where the titles of rules begin, after two numbers.
pub(super) const TITLE_COLUMN: usize = 23;

pub(super) struct ExpositionEngine {
    rewriter: Rewriter,
    format: Format,
    /// The last bytes of the input.
    end: Vec<u8>,
}

/// The plan for these packs and flags.
///
/// # Errors
///
/// The packs cannot be compiled with these flags.
pub(super) fn plan(packs: &[Pack], flags: &Rewriting, emit: Emit) -> anyhow::Result<Arc<Plan>> {
    Ok(Arc::new(mapping::compile(packs, &flags.conversion.settings(emit))?))
}

impl ExpositionEngine {
    pub(super) fn new(plan: Arc<Plan>, options: Options) -> Self {
        let rewriter = Rewriter::new(plan, options, History::default());
        ExpositionEngine { rewriter, format: options.format, end: Vec::new() }
    }
}

impl Engine for ExpositionEngine {
    fn push(&mut self, input: &[u8], output: &mut Vec<u8>) -> anyhow::Result<()> {
        input::keep_end(&mut self.end, input);
        Ok(self.rewriter.push(input, output)?)
    }

    fn finish(&mut self, output: &mut Vec<u8>) -> anyhow::Result<Remaining> {
        Ok(match self.rewriter.finish(output)? {
            Progress::More => Remaining::More,
            Progress::Done => Remaining::Nothing,
        })
    }

    fn summary(&self) -> String {
        table(self.rewriter.report())
    }

    fn check(&self) -> anyhow::Result<()> {
        let report = self.rewriter.report();
        if report.samples_in == 0 {
            let malformed = report.dropped.iter().find(|(reason, _)| reason.is_malformed());
            if let Some((reason, count)) = malformed {
                let lines = plural(*count, "line");
                bail!("it has no sample that Prometheus accepts: {count} {lines} with {reason}");
            }
            bail!("it has no sample; expected the response of a metrics endpoint");
        }
        if self.format == Format::Text && Format::of_body(&self.end) == Format::OpenMetrics {
            bail!(
                "it ends with `# EOF`, so it is OpenMetrics, but was read as the text format; write \
                 --format=openmetrics"
            );
        }
        Ok(())
    }
}

/// A count of dropped or unrewritten input: the reason as in the label of the metrics, and in words.
pub(in crate::cli) fn write_reason(
    count: u64,
    noun: &str,
    reason: impl fmt::Display,
    meaning: &str,
    to: &mut String,
) -> fmt::Result {
    let first = format!("{count:>10} ");
    let indent = Indent { first: &first, next: "             " };
    wrap(&format!("{noun}: {reason}, {meaning}"), WIDTH, indent, to)
}

/// One line for each rule that read any sample, then a section for everything else.
fn table(report: &Report) -> String {
    let mut text = String::new();
    write(report, &mut text).expect("writing to a String cannot fail");
    text
}

fn write(report: &Report, to: &mut String) -> fmt::Result {
    let generations: Vec<String> =
        report.generations.iter().map(|generation| generation.as_str().to_owned()).collect();
    let totals = format!(
        "read {} {} in {} {}, wrote {} {}; held {} bytes at most; generations read: {}",
        report.samples_in,
        plural(report.samples_in, "sample"),
        report.bytes_in,
        plural(report.bytes_in, "byte"),
        report.samples_out,
        plural(report.samples_out, "sample"),
        report.held_bytes,
        if generations.is_empty() { "none".to_owned() } else { generations.join(", ") },
    );
    wrap(&totals, WIDTH, Indent { first: "", next: "  " }, to)?;

    writeln!(to, "\n{:>10} {:>10}  rule", "read", "written")?;
    for rule in &report.rewritten {
        let title = rule_title(&rule.title, TITLE_COLUMN);
        writeln!(to, "{:>10} {:>10}  {title}", rule.samples_in, rule.samples_out)?;
    }
    writeln!(to, "{0:>10} {0:>10}  no rule: forwarded unchanged", report.passed)?;
    if !report.reduced.is_empty() {
        writeln!(to, "\n{:>10} {:>10}  reduced, in the output of the rules", "read", "written")?;
    }
    for item in &report.reduced {
        let title = rule_title(&item.title, TITLE_COLUMN);
        writeln!(to, "{:>10} {:>10}  {title}", item.samples_in, item.samples_out)?;
    }
    if report.kept > 0 {
        writeln!(to, "{:>10} {:>10}  forwarded unchanged and also rewritten", "", report.kept)?;
    }
    write_problems(report, to)?;
    write_missing(report, to)
}

/// What was dropped, forwarded although it should not be, added or estimated.
fn write_problems(report: &Report, to: &mut String) -> fmt::Result {
    if !report.dropped.is_empty() {
        writeln!(to, "\ndropped")?;
    }
    for (reason, count) in &report.dropped {
        write_reason(*count, &plural(*count, "line"), reason, reason.meaning(), to)?;
    }
    if !report.unrewritten.is_empty() {
        writeln!(to, "\nforwarded unchanged although a rule reads them")?;
    }
    for (reason, count) in &report.unrewritten {
        write_reason(*count, "series", reason, reason.meaning(), to)?;
    }
    if report.malformed_passed > 0 {
        let lines = report.malformed_passed;
        let were = if lines == 1 { "was" } else { "were" };
        writeln!(to, "\n{lines} malformed {} {were} forwarded", plural(lines, "line"))?;
    }
    if report.filled > 0 {
        let samples = report.filled;
        writeln!(to, "\n{samples} missing {} added", plural(samples, "sample"))?;
    }
    if report.incomplete > 0 {
        writeln!(to, "\n{} series without a sum or count", report.incomplete)?;
    }
    if !report.estimated.is_empty() {
        writeln!(to, "\nestimated bucket counts")?;
    }
    for estimated in &report.estimated {
        writeln!(to, "  {}", rule_title(&estimated.title, 2))?;
        let boundaries = format!("le {}", estimated.boundaries.join(" "));
        wrap(&boundaries, WIDTH, Indent { first: "    ", next: "       " }, to)?;
        let error = at_most_wrong(estimated.max_error, estimated.max_error_of_sum);
        wrap(&error, WIDTH, Indent::all("    "), to)?;
    }
    Ok(())
}

/// What the packs expect and the input does not have.
fn write_missing(report: &Report, to: &mut String) -> fmt::Result {
    for (heading, optional) in
        [("missing from the input", false), ("optional, and not in the input", true)]
    {
        let mut missing = report.missing.iter().filter(|it| it.optional == optional).peekable();
        if missing.peek().is_some() {
            writeln!(to, "\n{heading}")?;
        }
        for missing in missing {
            let hint = missing.hint.as_deref().map_or_else(String::new, |hint| format!(": {hint}"));
            let text = format!("{}{hint}", missing.input);
            wrap(&text, WIDTH, Indent { first: "  ", next: "    " }, to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::exposition::Flaw;
    use crate::mapping::Generation;
    use crate::rewrite::exposition::{DropReason, Estimated, Missing, RefusedBecause, Rewritten};

    /// A report with a value in every section.
    fn full_report() -> Report {
        let mut report = Report::default();
        report.bytes_in = 1_234;
        report.samples_in = 12;
        report.samples_out = 9;
        report.passed = 3;
        report.kept = 2;
        report.held_bytes = 99;
        report.generations = BTreeSet::from([Generation::New]);
        report.rewritten.push(Rewritten {
            title: "a{x} -> b".into(),
            from: "a".into(),
            to: "b".into(),
            samples_in: 9,
            samples_out: 4,
        });
        report.dropped = BTreeMap::from([(DropReason::Malformed(Flaw::BadValue), 1)]);
        report.unrewritten = BTreeMap::from([(RefusedBecause::NotJoinable, 2)]);
        report.malformed_passed = 1;
        report.estimated.push(Estimated {
            title: "a{x} -> b".into(),
            family: "b".into(),
            boundaries: vec!["15".into(), "25".into()],
            max_error: 0.5,
            max_error_of_sum: 0.011,
        });
        let missing = |input: &str, hint: Option<&str>| Missing {
            pack: "p".to_owned(),
            input: input.into(),
            generation: Generation::New,
            rules: Vec::new(),
            hint: hint.map(str::to_owned),
            option: None,
            optional: hint == Some("Only with streams."),
            expected: Vec::new(),
        };
        report.missing = vec![
            missing("c", Some("Switch it on.")),
            missing("g", Some("Only with streams.")),
            missing("d{e=\"f\"}", None),
        ];
        report
    }

    #[test]
    fn a_full_report() {
        let expected = concat!(
            "read 12 samples in 1234 bytes, wrote 9 samples; held 99 bytes at most;\n",
            "  generations read: new\n",
            "\n",
            "      read    written  rule\n",
            "         9          4  a{x} -> b\n",
            "         3          3  no rule: forwarded unchanged\n",
            "                    2  forwarded unchanged and also rewritten\n",
            "\n",
            "dropped\n",
            "         1 line: bad_value, Prometheus would refuse the whole scrape because of\n",
            "             this line\n",
            "\n",
            "forwarded unchanged although a rule reads them\n",
            "         2 series: not_joinable, the rule does not say how to merge such gauges\n",
            "             or summaries\n",
            "\n",
            "1 malformed line was forwarded\n",
            "\n",
            "estimated bucket counts\n",
            "  a{x} -> b\n",
            "    le 15 25\n",
            "    each is between the counts of the two exact boundaries next to it, so it is\n",
            "    wrong by at most 50 % of the observations of its series (1.10 % over all\n",
            "    series)\n",
            "\n",
            "missing from the input\n",
            "  c: Switch it on.\n",
            "  d{e=\"f\"}\n",
            "\n",
            "optional, and not in the input\n",
            "  g: Only with streams.\n",
        );
        assert_eq!(table(&full_report()), expected);
    }

    #[test]
    fn an_empty_report() {
        let expected = concat!(
            "read 0 samples in 0 bytes, wrote 0 samples; held 0 bytes at most; generations\n",
            "  read: none\n",
            "\n",
            "      read    written  rule\n",
            "         0          0  no rule: forwarded unchanged\n",
        );
        assert_eq!(table(&Report::default()), expected);
    }
}
