//! The files that make a release agree with each other and with the program. What is made of them is
//! tested by `release/check`.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use crossfade::config;

use crate::support::root;

fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn notes(version: &str) -> Output {
    let mut command = Command::new(root("release/notes"));
    command.arg(version).env_remove("CROSSFADE_SOURCE").output().expect("a shell runs it")
}

/// The texts between each `from` and the next `to`.
fn between<'a>(text: &'a str, from: &'a str, to: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(from).skip(1).filter_map(move |rest| rest.split(to).next())
}

/// The words in quotes of the first line that begins so.
fn list(text: &str, key: &str) -> BTreeSet<String> {
    let line = text.lines().find(|line| line.starts_with(key)).expect("the key");
    line.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_version_has_notes() {
    let changes = read("CHANGELOG.md");
    let versions: Vec<&str> = between(&changes, "\n## ", "\n")
        .filter_map(|heading| heading.split(" - ").next())
        .collect();
    assert_eq!(versions.first(), Some(&"Unreleased"));
    assert_eq!(versions.get(1), Some(&env!("CARGO_PKG_VERSION")), "cut the section of the version");
    for version in &versions[1..] {
        let notes = notes(version);
        assert!(notes.status.success(), "{version}: {}", notes.stderr.escape_ascii());
        let text = std::str::from_utf8(&notes.stdout).expect("text");
        assert!(!text.starts_with('\n') && !text.contains("\n## "), "{version}: {text}");
        assert!(changes.contains(text.trim_end()), "{version}");
    }
    for unknown in ["99.0.0", "Unreleased", "0.2"] {
        assert_eq!(notes(unknown).status.code(), Some(1), "{unknown}");
    }
}

/// GitHub shows the notes on a page of its own, from which relative links lead nowhere.
#[test]
fn links_of_notes_lead_to_the_tag() {
    let mut command = Command::new(root("release/notes"));
    let notes = command.env("CROSSFADE_SOURCE", "https://example.com/crossfade").output();
    let notes = String::from_utf8(notes.expect("a shell runs it").stdout).expect("text");
    let tag = concat!("https://example.com/crossfade/blob/v", env!("CARGO_PKG_VERSION"), "/");
    let links: Vec<&str> = between(&notes, "](", ")").collect();
    assert!(links.contains(&format!("{tag}docs/install.md").as_str()), "{links:?}");
    assert!(links.iter().any(|link| link.starts_with(&format!("{tag}CHANGELOG.md#"))), "{links:?}");
    assert!(links.iter().all(|link| link.starts_with("https://")), "{links:?}");
}

#[test]
fn the_settings_of_the_packages_are_valid() {
    let settings = config::parse("deploy/crossfade.yaml", &read("deploy/crossfade.yaml"));
    settings.into_settings().unwrap_or_else(|errors| panic!("{errors}"));
    let unit = read("deploy/crossfade.service");
    // release/build replaces this folder.
    let command =
        "ExecStart=/usr/local/bin/crossfade serve --config.file=/etc/crossfade/crossfade.yaml";
    assert!(unit.lines().any(|line| line == command), "{unit}");
}

#[test]
fn the_packages_have_the_files_of_the_repository() {
    let manifest = read("Cargo.toml");
    let packages = between(&manifest, "[package.metadata.deb]", "\n[profile").next();
    let sources = packages.expect("the packages").split('"').skip(1).step_by(2);
    let files = sources.filter(|path| {
        path.contains('/') && !path.starts_with("target/") && !path.starts_with(['/'])
    });
    let mut found = 0;
    for path in files.filter(|path| !path.starts_with("usr/") && !path.starts_with("etc/")) {
        assert!(root(path).exists(), "{path}");
        found += 1;
    }
    assert!(found >= 7, "{found}");
}

/// An image is built from the files that .dockerignore names.
#[test]
fn an_image_has_the_files_that_cargo_looks_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let ignored = read(".dockerignore");
    let mut copy = Command::new("cp");
    copy.args(["-R", "--parents"]).args(ignored.lines().filter_map(|line| line.strip_prefix('!')));
    let copied = copy.arg(folder.path()).current_dir(root("")).status();
    assert!(copied.expect("cp is started").success());
    // Only a build looks for all of them, and this one ends before it compiles anything.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline", "--locked", "--bin=none"]).current_dir(folder.path());
    let error = cargo.output().expect("cargo is started").stderr;
    let error = String::from_utf8(error).expect("text");
    assert!(error.contains("no bin target named `none`"), "{error}");
}

#[test]
fn licences_that_are_allowed_are_named_in_the_packages() {
    let (allowed, named) = (read("deny.toml"), read("release/about.toml"));
    assert_eq!(list(&allowed, "allow = "), list(&named, "accepted = "));
}

#[test]
fn the_workflows_use_what_is_there() {
    let fuzz = read(".github/workflows/fuzz.yml");
    let targets: BTreeSet<&str> = between(&fuzz, "{ target: ", ",").collect();
    let manifest = read("fuzz/Cargo.toml");
    let bins: BTreeSet<&str> = between(&manifest, "[[bin]]\nname = \"", "\"").collect();
    assert_eq!(targets, bins);
    for dictionary in between(&fuzz, "dictionary: ", " ") {
        assert!(root("fuzz").join(dictionary).exists(), "{dictionary}");
    }
    // One version of Rust in all images.
    let dockerfile = read("Dockerfile");
    let rust = between(&dockerfile, "FROM rust:", "-").next().expect("an image");
    for path in [".github/workflows/ci.yml", ".github/workflows/release.yml"] {
        let workflow = read(path);
        let images: Vec<&str> = between(&workflow, ": rust:", "-").collect();
        assert_eq!(images, [rust], "{path}");
    }
}

#[test]
fn the_security_policy_is_of_this_version() {
    let minor = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
    assert!(read("SECURITY.md").contains(&format!("| {minor} | yes |")), "{minor}");
}
