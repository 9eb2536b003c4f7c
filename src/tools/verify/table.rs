//! The outcome, for people.

use std::fmt::{self, Write as _};

use super::compare::{Difference, Estimated, Family, Verdict};
use super::reading::spelled;
use super::{Outcome, Side, Traffic};

/// How wide explanations are.
const WIDTH: usize = 78;

/// How many differences of a family are shown.
const SHOWN: usize = 5;

/// What stands below a family is indented by this.
const UNDER: &str = "                    ";

/// One line for each family, what differs below it.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "a String takes everything")]
pub fn table(outcome: &Outcome) -> String {
    let mut text = String::new();
    write(outcome, &mut text).expect("a String takes everything");
    text
}

fn write(outcome: &Outcome, to: &mut String) -> fmt::Result {
    side("OLD", &outcome.old, to)?;
    side("NEW", &outcome.new, to)?;
    let (traffic, unit) = match outcome.traffic {
        Traffic::Same => ("the same traffic", "number by number"),
        Traffic::Similar => ("similar traffic", "by the totals of families"),
    };
    let generation = outcome.compared_as;
    writeln!(to, "compared as {generation}, {unit}: {traffic}{}\n", tolerance(outcome.tolerance))?;

    writeln!(to, "{:<10} {:>7}  family", "", "numbers")?;
    for one in &outcome.families {
        family(one, to)?;
    }
    if !outcome.only_new.is_empty() {
        writeln!(to, "\nonly in the new generation, not judged")?;
        wrapped(&outcome.only_new.join(", "), "  ", to)?;
    }
    let bad = outcome.families.iter().filter(|family| !family.verdict.agrees()).count();
    match (outcome.agree, outcome.families.len()) {
        (_, 0) => writeln!(to, "\nnothing to compare"),
        (true, all) => writeln!(to, "\nthe generations agree in all of {all} families"),
        (false, all) => writeln!(to, "\nthe generations do NOT agree: {bad} of {all} families"),
    }
}

fn tolerance(part: f64) -> String {
    if part > 0.0 { format!(", up to {} apart", percent(part)) } else { String::new() }
}

fn side(which: &str, side: &Side, to: &mut String) -> fmt::Result {
    let speaks = if side.speaks.is_empty() {
        "no generation that a pack knows".to_owned()
    } else {
        side.speaks.join(" and ")
    };
    writeln!(to, "{which}  {}: {} series, speaks {speaks}", side.name, side.series)?;
    for (reason, lines) in &side.malformed {
        writeln!(to, "     {lines} lines that Prometheus would refuse: {reason}")?;
    }
    let outsider = &side.outsider;
    let said = match &outsider.example {
        _ if outsider.not_utf8 => {
            "not UTF-8, so prometheus-parse cannot read it: read by our own grammar alone"
                .to_owned()
        }
        None => "prometheus-parse reads them all alike".to_owned(),
        Some(example) => format!(
            "prometheus-parse reads {} of them alike and misreads {}, for which our own grammar is taken, \
             such as {example}",
            outsider.alike, outsider.misread
        ),
    };
    wrapped(&said, "     ", to)
}

fn family(family: &Family, to: &mut String) -> fmt::Result {
    let count = if family.compared > 0 { family.compared } else { family.only_new };
    let remark = match family.verdict {
        Verdict::Missing => "  NEW does not have it",
        Verdict::Extra => "  OLD does not have it",
        Verdict::Present => "  a gauge: values not judged",
        _ => "",
    };
    writeln!(to, "{:<10} {count:>7}  {}{remark}", family.verdict.word(), family.name)?;
    if let Some(estimated) = &family.estimated {
        wrapped(&apart(estimated), UNDER, to)?;
    }
    for worst in family.worst.iter().take(SHOWN) {
        difference(worst, UNDER, to)?;
    }
    if family.differ > SHOWN && !family.worst.is_empty() {
        writeln!(to, "{UNDER}and {} more", family.differ - SHOWN)?;
    }
    if family.only_new > 0 && family.compared > 0 {
        writeln!(to, "{UNDER}{} series that only NEW has", family.only_new)?;
    }
    for hint in &family.hints {
        wrapped(hint, UNDER, to)?;
    }
    Ok(())
}

fn difference(worst: &Difference, indent: &str, to: &mut String) -> fmt::Result {
    let number = |value: Option<f64>| value.map_or_else(|| "missing".to_owned(), spelled);
    let (old, new) = (number(worst.old), number(worst.new));
    let off = if worst.old.is_some() && worst.new.is_some() {
        format!(", {} apart", percent(worst.off))
    } else {
        String::new()
    };
    writeln!(to, "{indent}OLD {old}, NEW {new}{off}")?;
    writeln!(to, "{indent}  {}", worst.series)
}

fn apart(estimated: &Estimated) -> String {
    let bounds: Vec<String> = estimated.boundaries.iter().map(|le| spelled(*le)).collect();
    format!(
        "estimated, so not judged: le {} (at worst {} of a series' observations off)",
        bounds.join(" "),
        percent(estimated.worst_off)
    )
}

fn percent(part: f64) -> String {
    let percent = part * 100.0;
    if percent >= 10.0 || percent == 0.0 {
        format!("{percent:.0} %")
    } else if percent >= 0.01 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.1e} %")
    }
}

/// Text in lines of words.
fn wrapped(text: &str, indent: &str, to: &mut String) -> fmt::Result {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty()
            && indent.len() + line.chars().count() + 1 + word.chars().count() > WIDTH
        {
            writeln!(to, "{indent}{line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.is_empty() { Ok(()) } else { writeln!(to, "{indent}{line}") }
}
