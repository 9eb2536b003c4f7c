//! Files are short enough to be read at once. How long a function may be, clippy knows
//! (`clippy.toml`).

/// How many lines a file may have, tests included.
const LINES: usize = 500;

/// Files that are longer, and why they are not two. Remove a line when its file is short enough.
const LONGER: &[(&str, &str)] = &[];

#[test]
fn files_are_short() {
    let longer: Vec<String> = super::all()
        .iter()
        .map(|(file, text)| (file.display().to_string(), text.lines().count()))
        .filter(|(_, lines)| *lines > LINES)
        .filter(|(file, _)| !LONGER.iter().any(|(its, _)| its == file))
        .map(|(file, lines)| format!("{file}: {lines} lines, more than {LINES}: split it"))
        .collect();
    assert!(longer.is_empty(), "{}", longer.join("\n"));
}
