//! The changes of a text as a unified diff.

use std::fmt::Write as _;
use std::ops::Range;

/// Unchanged lines around a change.
const CONTEXT: usize = 3;

/// The changes between two texts with the same number of lines, which have one value on each line.
/// Other texts are shown as a whole.
pub(super) fn unified(name: &str, old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut text = format!("--- {name}\n+++ {name}, migrated\n");
    if old.len() != new.len() {
        hunk(&old, &new, 0..old.len(), 0..new.len(), &mut text);
        return text;
    }
    let changed: Vec<usize> = (0..old.len()).filter(|at| old[*at] != new[*at]).collect();
    let mut hunks: Vec<Range<usize>> = Vec::new();
    for at in changed {
        let around = at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(old.len());
        match hunks.last_mut() {
            Some(last) if around.start <= last.end => last.end = around.end,
            _ => hunks.push(around),
        }
    }
    for lines in hunks {
        hunk(&old, &new, lines.clone(), lines, &mut text);
    }
    text
}

fn hunk(old: &[&str], new: &[&str], of_old: Range<usize>, of_new: Range<usize>, to: &mut String) {
    let header = format!(
        "@@ -{},{} +{},{} @@",
        of_old.start + 1,
        of_old.len(),
        of_new.start + 1,
        of_new.len()
    );
    writeln!(to, "{header}").expect("writing to a String does not fail");
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    let mut pairs = of_old.len().max(of_new.len());
    let (mut olds, mut news) = (old[of_old].iter(), new[of_new].iter());
    while pairs > 0 {
        pairs -= 1;
        match (olds.next(), news.next()) {
            (Some(old), Some(new)) if old == new => {
                flush(&mut removed, &mut added, to);
                to.extend([" ", old, "\n"]);
            }
            (old, new) => {
                removed.extend(old.copied());
                added.extend(new.copied());
            }
        }
    }
    flush(&mut removed, &mut added, to);
}

fn flush(removed: &mut Vec<&str>, added: &mut Vec<&str>, to: &mut String) {
    to.extend(removed.drain(..).flat_map(|line| ["-", line, "\n"]));
    to.extend(added.drain(..).flat_map(|line| ["+", line, "\n"]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_three_lines_around_them() {
        let old: Vec<String> = (1..=20).map(|line: u8| line.to_string()).collect();
        let old = old.join("\n") + "\n";
        let new = old.replace("\n5\n6\n", "\nfive\nsix\n").replace("\n20\n", "\ntwenty\n");
        let expected = "\
--- d
+++ d, migrated
@@ -2,8 +2,8 @@
 2
 3
 4
-5
-6
+five
+six
 7
 8
 9
@@ -17,4 +17,4 @@
 17
 18
 19
-20
+twenty
";
        assert_eq!(unified("d", &old, &new), expected);
        assert_eq!(unified("d", "a\n", "a\n"), "--- d\n+++ d, migrated\n");
        assert_eq!(unified("d", "a\n", "b\nc\n").lines().last(), Some("+c"));
    }
}
