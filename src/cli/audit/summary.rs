//! The lines after the table of `audit`.

use std::fmt::{self, Write as _};

use super::arguments::Arguments;
use super::run::Run;
use crate::document::plural;
use crate::mapping::Emit;
use crate::tools::audit::{Finding, Impact};

/// What was found, migrated and written.
pub(super) fn summary(run: &Run, arguments: &Arguments) -> String {
    let mut text = String::new();
    write_summary(run, arguments, &mut text).expect("writing to a String does not fail");
    text
}

fn write_summary(run: &Run, arguments: &Arguments, to: &mut String) -> fmt::Result {
    let findings = || run.files.iter().flat_map(|file| &file.findings);
    let count = |is: &dyn Fn(&Finding) -> bool| findings().filter(|it| is(it)).count();
    writeln!(
        to,
        "{}, {}, {} with a known family; {} break in the upgrade, {} with a gateway (emit: {})",
        counted(run.files.len(), "file"),
        counted(run.queries(), "query"),
        findings().count(),
        count(&|it| it.direct == Impact::Breaks),
        count(&|it| it.gateway == Impact::Breaks),
        arguments.emit.unwrap_or(Emit::Old),
    )?;
    let unknown = count(&|it| it.direct == Impact::Unknown);
    if unknown > 0 {
        let not_understood = counted(unknown, "query");
        writeln!(to, "not understood: {not_understood}, so the impact is unknown")?;
    }
    for need in &run.needs {
        writeln!(to, "after the upgrade: {need}")?;
    }
    if !arguments.rewrite {
        return Ok(());
    }
    let edition = match arguments.to {
        Emit::Edition(name) => format!(" (edition {name})"),
        Emit::Old | Emit::New | Emit::Both => String::new(),
    };
    let (migrated, stay) =
        (count(&|it| it.migrated.is_some()), count(&|it| !it.obstacles.is_empty()));
    let to_generation = format!("to the {} generation{edition}", run.to.as_str());
    if run.written.is_empty() {
        writeln!(to, "{migrated} can be migrated {to_generation}, {stay} cannot")?;
        let nowhere = arguments.output.is_none() && !arguments.in_place;
        if nowhere && arguments.save.apply && run.errors.is_empty() {
            return Ok(());
        }
        let why = match (run.errors.is_empty(), nowhere) {
            (false, _) => ": there are errors",
            (true, true) => "; to write files, add --output=DIR or --in-place",
            (true, false) => "",
        };
        return writeln!(to, "nothing written{why}");
    }
    if run.errors.is_empty() {
        writeln!(to, "{migrated} migrated {to_generation}, {stay} not migrated")?;
    }
    for path in &run.written {
        writeln!(to, "written: {}", path.display())?;
    }
    Ok(())
}

/// `1 query`, `2 queries`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {}", plural(count as u64, noun))
}
