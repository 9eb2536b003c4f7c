//! The outcome as a table.

use std::fmt::{self, Write as _};

use super::options::Traffic;
use super::outcome::{Difference, Estimated, FamilyResult, Outcome, Side, Verdict};
use super::parsed::number_text;
use crate::document::plural;
use crate::tools::estimates::{at_most_wrong, percent};
use crate::tools::wrap::{Indent, wrap};

/// Longest line of an explanation, in characters.
const WIDTH: usize = 78;

/// How many differences of a family are listed.
const SHOWN: usize = 5;

/// Indentation of the details of a family.
const DETAILS: &str = "                    ";

/// Formats an outcome: one line for each family, followed by its differences.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "writing to a String does not fail")]
pub fn table(outcome: &Outcome) -> String {
    let mut text = String::new();
    write(outcome, &mut text).expect("writing to a String does not fail");
    text
}

fn write(outcome: &Outcome, to: &mut String) -> fmt::Result {
    side("OLD", &outcome.old, to)?;
    side("NEW", &outcome.new, to)?;
    let (traffic, unit) = match outcome.traffic {
        Traffic::Same => ("the same traffic", "every series"),
        Traffic::Similar => ("similar traffic", "totals of families"),
    };
    let generation = outcome.compared_as;
    writeln!(
        to,
        "compared in the {generation} generation, {unit} ({traffic}{})\n",
        tolerance(outcome.tolerance)
    )?;

    writeln!(to, "{:<10} {:>7}  family", "", "numbers")?;
    for result in &outcome.families {
        family(result, to)?;
    }
    if !outcome.only_new.is_empty() {
        writeln!(to, "\nonly in the new generation, not compared")?;
        wrap(&outcome.only_new.join(", "), WIDTH, Indent::all("  "), to)?;
    }
    let differ = outcome.families.iter().filter(|family| !family.verdict.agrees()).count();
    match (outcome.agree, outcome.families.len()) {
        (_, 0) => writeln!(to, "\nnothing to compare"),
        (true, 1) => writeln!(to, "\nthe generations agree in the one family"),
        (true, all) => writeln!(to, "\nthe generations agree in all of {all} families"),
        (false, all) => {
            let families = plural(all as u64, "family");
            writeln!(to, "\nthe generations do NOT agree: {differ} of {all} {families}")
        }
    }
}

fn tolerance(part: f64) -> String {
    if part > 0.0 { format!(", tolerance {}", percent(part)) } else { String::new() }
}

fn side(which: &str, side: &Side, to: &mut String) -> fmt::Result {
    let generations = if side.generations.is_empty() {
        "unknown".to_owned()
    } else {
        side.generations.join(" and ")
    };
    writeln!(to, "{which}  {}: {} series, generation: {generations}", side.name, side.series)?;
    for (reason, lines) in &side.malformed {
        let (noun, rejects) = (plural(*lines, "line"), "that Prometheus rejects");
        writeln!(to, "     {lines} {noun} {rejects}: {reason}")?;
    }
    let checked = &side.cross_check;
    let result = match &checked.example {
        _ if checked.not_utf8 => {
            "parser check: none, because prometheus-parse reads only UTF-8".to_owned()
        }
        None => "parser check: a second parser (prometheus-parse) reads the same values".to_owned(),
        Some(example) => format!(
            "parser check: a second parser (prometheus-parse) reads {} series the same and \
             misreads {}, such as {example}",
            checked.same, checked.misread
        ),
    };
    wrap(&result, WIDTH, Indent::all("     "), to)
}

fn family(family: &FamilyResult, to: &mut String) -> fmt::Result {
    let count = if family.compared > 0 { family.compared } else { family.only_new };
    let remark = match family.verdict {
        Verdict::Missing => "  NEW does not have it",
        Verdict::Extra => "  OLD does not have it",
        Verdict::Present => "  gauge: values not compared",
        _ => "",
    };
    writeln!(to, "{:<10} {count:>7}  {}{remark}", family.verdict.as_str(), family.name)?;
    if let Some(estimated) = &family.estimated {
        wrap(&estimated_text(estimated), WIDTH, Indent::all(DETAILS), to)?;
    }
    for worst in family.worst.iter().take(SHOWN) {
        difference(worst, DETAILS, to)?;
    }
    if family.differ > SHOWN && !family.worst.is_empty() {
        writeln!(to, "{DETAILS}and {} more", family.differ - SHOWN)?;
    }
    if family.only_new > 0 && family.compared > 0 {
        writeln!(to, "{DETAILS}{} series only in NEW", family.only_new)?;
    }
    for hint in &family.hints {
        wrap(hint, WIDTH, Indent::all(DETAILS), to)?;
    }
    Ok(())
}

fn difference(worst: &Difference, indent: &str, to: &mut String) -> fmt::Result {
    let number = |value: Option<f64>| value.map_or_else(|| "missing".to_owned(), number_text);
    let (old, new) = (number(worst.old), number(worst.new));
    let deviation = if worst.old.is_some() && worst.new.is_some() {
        format!(", differ by {}", percent(worst.deviation))
    } else {
        String::new()
    };
    writeln!(to, "{indent}OLD {old}, NEW {new}{deviation}")?;
    writeln!(to, "{indent}  {}", worst.series)
}

fn estimated_text(estimated: &Estimated) -> String {
    let bounds: Vec<String> = estimated.boundaries.iter().map(|le| number_text(*le)).collect();
    format!(
        "estimated, so not compared: le {}; {}; the largest difference found is {}",
        bounds.join(" "),
        at_most_wrong(estimated.max_error, estimated.max_error_of_sum),
        percent(estimated.worst_deviation)
    )
}
