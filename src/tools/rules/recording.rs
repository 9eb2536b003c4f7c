//! A file of recording rules.

use std::fmt::{self, Write as _};

use super::comment::{write_comment, write_header};
use super::expression::quoted;
use super::family::{Family, Recording};
use crate::mapping::Generation;

/// What is true of all rules.
const HEADER: &str = "\
Recording rules that write the {to} generation of metrics from the {from} one. Written by `crossfade \
rules`; docs/rules.md describes how to load and remove them.

They add series and remove none: what they read stays. They are evaluated at the interval of the \
group, so recorded series are up to one interval behind, and end up to one interval after those that \
they are made of. When a target is upgraded, the series that it then exports itself continue those \
that were recorded for it; one sample can be missing in between. Recorded series have no type, no help \
text and no exemplars.

Some rules add counters. Those of one target are reset together, when it restarts, so rate() of the \
sum is right. It is not if the target has several processes that restart on their own: the sum then \
drops by the count of one of them, and rate() takes the whole rest for new. Never add recorded \
counters of several targets before rate(), as with any counter.

A comment before each family says what is not as the gateway writes it. `exact` means that values \
and labels are the same.";

/// The file: a group for each pack.
pub(super) fn file(families: &[Family], written: Generation) -> String {
    let mut text = String::new();
    write_file(families, written, &mut text).expect("writing to a String does not fail");
    text
}

fn write_file(families: &[Family], written: Generation, to: &mut String) -> fmt::Result {
    write_header(HEADER, written, to)?;
    to.push_str("\ngroups:\n");
    let mut packs: Vec<&str> = families.iter().map(|it| it.outline.pack.as_str()).collect();
    packs.sort_unstable();
    packs.dedup();
    for pack in packs {
        let own = || families.iter().filter(|it| it.outline.pack == pack);
        if own().all(|it| it.recordings.is_empty()) {
            writeln!(to, "  # {pack}: no rule is possible.")?;
            for family in own() {
                write_comment(&family.outline, false, "  ", to)?;
            }
            continue;
        }
        writeln!(to, "  - name: crossfade_{pack}_to_{}", written.as_str())?;
        to.push_str("    rules:\n");
        for (at, family) in own().enumerate() {
            if at > 0 {
                to.push('\n');
            }
            write_comment(&family.outline, !family.recordings.is_empty(), "      ", to)?;
            for recording in &family.recordings {
                write_recording(recording, to)?;
            }
        }
    }
    Ok(())
}

fn write_recording(recording: &Recording, to: &mut String) -> fmt::Result {
    writeln!(to, "      - record: {}", recording.record)?;
    let text = recording.expr.pretty(10);
    let is_plain = text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_' || it == b':');
    if is_plain {
        writeln!(to, "        expr: {text}")?;
    } else {
        writeln!(to, "        expr: |-\n          {text}")?;
    }
    if let Some(le) = &recording.le {
        writeln!(to, "        labels: {{ le: {} }}", quoted(le))?;
    }
    Ok(())
}
