//! Comments in the YAML.

use std::fmt;

use super::contribution::Outline;
use crate::mapping::Generation;
use crate::tools::wrap::{Indent, wrap};

/// The widest comment, in characters.
const WIDTH: usize = 100;

/// The beginning of the file: paragraphs, with `{to}` and `{from}` for the generations.
pub(super) fn write_header(header: &str, written: Generation, to: &mut String) -> fmt::Result {
    let header = header.replace("{to}", written.as_str());
    let header = header.replace("{from}", written.other().as_str());
    for (at, paragraph) in header.split("\n\n").enumerate() {
        if at > 0 {
            to.push_str("#\n");
        }
        wrap(paragraph, WIDTH, Indent::all("# "), to)?;
    }
    Ok(())
}

/// What is written of a family, and what is not.
pub(super) fn write_comment(
    family: &Outline,
    is_written: bool,
    indent: &str,
    to: &mut String,
) -> fmt::Result {
    let what = match (is_written, family.reasons.is_empty()) {
        (false, _) => "not possible",
        (true, true) => "exact",
        (true, false) => "partly",
    };
    let first = format!("{indent}# ");
    let lines = |text: &str, to: &mut String| wrap(text, WIDTH, Indent::all(&first), to);
    lines(&format!("{}, from {}: {what}.", family.name, family.reads.join(", ")), to)?;
    for reason in &family.reasons {
        let next = format!("{indent}#   ");
        let first = format!("{indent}# - ");
        wrap(&format!("{reason}."), WIDTH, Indent { first: &first, next: &next }, to)?;
    }
    for remark in &family.remarks {
        lines(remark, to)?;
    }
    Ok(())
}
