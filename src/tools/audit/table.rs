//! What was found, for people.

use std::fmt::{self, Write as _};

use super::{FileAudit, Finding};

/// Every file with its queries, and a last line that sums up. Lines are as wide as `width`, where words allow.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "a String takes everything")]
pub fn table(files: &[FileAudit], width: usize, moves: bool) -> String {
    let mut text = String::new();
    for file in files {
        write(file, width.max(40), moves, &mut text).expect("a String takes everything");
    }
    text
}

fn write(file: &FileAudit, width: usize, moves: bool, to: &mut String) -> fmt::Result {
    if let Some(reason) = &file.unreadable {
        return writeln!(to, "{}\n  {reason}\n", file.path.display());
    }
    if file.findings.is_empty() {
        return Ok(());
    }
    writeln!(to, "{}", file.path.display())?;
    let title = width.saturating_sub(41);
    writeln!(
        to,
        "{:>6}  {:<title$} {:<6} {:<9} {:<9} move",
        "line", "query of", "speaks", "upgrade", "gateway"
    )?;
    for finding in &file.findings {
        row(finding, width, title, moves, to)?;
    }
    to.write_char('\n')
}

fn row(finding: &Finding, width: usize, title: usize, moves: bool, to: &mut String) -> fmt::Result {
    let of = if finding.title.is_empty() {
        finding.kind.to_owned()
    } else {
        format!("{} {}", finding.kind, finding.title)
    };
    let speaks =
        if finding.speaks.is_empty() { "either".to_owned() } else { finding.speaks.join("+") };
    let speaks = if speaks == "old+new" { "both".to_owned() } else { speaks };
    let moved = match (&finding.moved, finding.obstacles.is_empty()) {
        (Some(_), _) => "yes",
        (None, false) => "no",
        (None, true) => "-",
    };
    let of = shortened(&of, title);
    let (direct, gateway) = (finding.direct.word(), finding.gateway.word());
    let line = finding.line;
    writeln!(to, "{line:>6}  {of:<title$} {speaks:<6} {direct:<9} {gateway:<9} {moved}")?;
    let query: Vec<&str> = finding.query.split_whitespace().collect();
    wrapped(&query.join(" "), "        ", "          ", width, to)?;
    if let Some(moved) = finding.moved.as_ref().filter(|_| moves) {
        let moved: Vec<&str> = moved.split_whitespace().collect();
        wrapped(&moved.join(" "), "        -> ", "           ", width, to)?;
    }
    for note in &finding.notes {
        wrapped(note, "        - ", "          ", width, to)?;
    }
    for obstacle in &finding.obstacles {
        wrapped(&format!("not moved: {obstacle}"), "        - ", "          ", width, to)?;
    }
    Ok(())
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Text in lines of words.
fn wrapped(text: &str, first: &str, next: &str, width: usize, to: &mut String) -> fmt::Result {
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > width {
            writeln!(to, "{line}")?;
            next.clone_into(&mut line);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    writeln!(to, "{line}")
}
