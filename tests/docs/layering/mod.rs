//! Imports point one way; the core does no I/O and contains nothing specific to Kong.

mod circles;
mod paths;
mod size;

use std::path::{Path, PathBuf};

/// Layers from left to right. A file may use modules of layers further left, and its own module.
const LAYERS: &[&[&str]] = &[
    &["exposition", "statsd", "document"],
    &["mapping"],
    &["rewrite"],
    &["build_info", "descriptors", "duration", "regular_file", "shown_url", "shutdown"],
    &["packs", "telemetry", "tls"],
    &["http_server", "tools"],
    &["scrape", "relay"],
    &["config", "http_client"],
    &["running", "apis"],
    &["admin"],
    &["app"],
    &["demo"],
    &["cli"],
    &["main"],
];

/// Number of layers, from the left, that are the core.
const CORE: usize = 3;

/// Words that no core file may contain, and the reason.
const BANNED: &[(&str, &str)] = &[
    ("tokio", "the core is synchronous"),
    ("hyper", "the core knows no HTTP"),
    ("std::net", "the core has no sockets"),
    ("std::fs", "the core has no files"),
    ("std::process", "the core starts nothing"),
    ("std::env", "the core's settings are arguments"),
    ("std::time", "the core has no clock"),
    ("tracing", "the core returns its results; callers log them"),
    ("println!", "the core returns its results; callers print them"),
    ("kong", "rules for Kong are in mappings/"),
];

/// Every Rust file in `src`, with its path relative to `src`.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The top-level module of a file.
fn module(file: &Path) -> String {
    let first = file.iter().next().expect("not empty").to_str().expect("plain names");
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The modules of this crate that a line of code names: the words after `crate::`.
fn named(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for after in code.split("crate::").skip(1) {
        // `use crate::{a::B, c};` names several.
        let several = after.strip_prefix('{').map(|list| list.split('}').next().unwrap_or(list));
        let paths = several.map_or(vec![after], |list| list.split(',').collect());
        for path in paths {
            let word = path.trim().split(|c: char| !(c.is_alphanumeric() || c == '_')).next();
            names.extend(word.filter(|word| !word.is_empty()).map(str::to_owned));
        }
    }
    names
}

/// Whether a text contains a word that is not part of a longer word.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = text.split_at(at);
        let after = after.strip_prefix(word).expect("it was found there");
        let goes_on = word.ends_with(part) && after.starts_with(part);
        !before.ends_with(part) && !goes_on
    })
}

fn violations(file: &Path, text: &str) -> Vec<String> {
    let module = module(file);
    if module == "lib" {
        return Vec::new(); // the list of modules
    }
    let Some(own) = layer(&module) else {
        return vec![format!(
            "{}: add the module to LAYERS in tests/docs/layering/mod.rs",
            file.display()
        )];
    };
    let mut violations = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{}:{}", file.display(), number + 1);
        let lower = line.to_lowercase();
        for (word, reason) in BANNED {
            // `kong` also within words; the others only as words.
            let found = if *word == "kong" { lower.contains(word) } else { has_word(&lower, word) };
            if own < CORE && found {
                violations.push(format!("{place}: {word}: {reason}"));
            }
        }
        let code = line.split("//").next().unwrap_or(line);
        for name in named(code) {
            match layer(&name) {
                _ if name == module => {}
                Some(other) if other < own => {}
                Some(_) => violations.push(format!("{place}: {module} may not use {name}")),
                // `crate::Type` would be a re-export; there are none.
                None => violations.push(format!("{place}: crate::{name} has no layer")),
            }
        }
    }
    violations
}

/// Every file of `src`: its path relative to `src`, and its text.
fn all() -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&src);
    assert!(files.len() > 20, "{files:?}");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("src is text");
        (path.strip_prefix(&src).expect("below src").to_owned(), text)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn imports_follow_the_layers_and_the_core_is_pure() {
    let violations: Vec<String> =
        all().iter().flat_map(|(file, text)| violations(file, text)).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn violations_are_found() {
    let found = |file: &str, text: &str| !violations(Path::new(file), text).is_empty();
    assert!(found("rewrite/mod.rs", "use std::fs::File;"));
    assert!(found("mapping/x.rs", "// as Kong does it"));
    assert!(found("exposition/mod.rs", "use tokio::io;"));
    assert!(found("exposition/mod.rs", "use crate::mapping::Plan;"));
    assert!(found("scrape/mod.rs", "use crate::{rewrite::Rewriter, app::App};"));
    assert!(found("scrape/mod.rs", "use crate::relay::Sink;"));
    assert!(found("somewhere/mod.rs", ""));
    assert!(!found("rewrite/mod.rs", "use crate::mapping::Plan; // hyperbole"));
    assert!(!found("cli/mod.rs", "use crate::{app, config}; // Kong"));
}
