//! The packs in the binary, on samples of both generations.
//!
//! `tests/packs/PACK[.PROGRAM].old.txt` and `.new.txt` are expositions of one program in both
//! generations. Each is rewritten to the other generation and compared with the other file. The
//! result is in `.to-new.diff` and `.to-old.diff`: what the pack does not cover.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crossfade::packs::SHIPPED;

fn crossfade(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    let output = command.args(arguments).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    assert!(output.status.success(), "{arguments:?}: {}", text(output.stderr));
    text(output.stdout)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs")
}

/// The names before `.old.txt`.
fn samples() -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("a readable folder");
    let names = files.map(|file| file.expect("readable").file_name().into_string().expect("text"));
    let mut names: Vec<String> =
        names.filter_map(|name| Some(name.strip_suffix(".old.txt")?.to_owned())).collect();
    names.sort();
    names
}

/// A quoted text that begins after a quote, and what follows it.
fn quoted(text: &str) -> (&str, &str) {
    let mut escaped = false;
    let ends = |c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    };
    text.split_once(ends).expect("a closing quote")
}

/// A series with sorted labels. Empty labels do not count. `otel_scope_*` have the version of the
/// library, so they differ between the generations.
fn series(line: &str) -> (String, f64) {
    let end = line.find(['{', ' ']).expect("a value");
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        rest = loop {
            if let Some(after) = rest.strip_prefix('}') {
                break after;
            }
            let (label, value) = rest.split_once("=\"").expect("a label");
            let (value, after) = quoted(value);
            let text = match (label, value.parse::<f64>()) {
                ("le", Ok(boundary)) => boundary.to_string(),
                _ => value.to_owned(),
            };
            if !text.is_empty() && !label.starts_with("otel_scope_") {
                labels.insert(label, text);
            }
            rest = after.trim_start_matches(',');
        };
    }
    let labels: Vec<String> =
        labels.iter().map(|(name, text)| format!("{name}=\"{text}\"")).collect();
    let value = rest.split_whitespace().next().expect("a value").parse().expect("a number");
    (format!("{name}{{{}}}", labels.join(",")), value)
}

fn all_series(text: &str) -> BTreeMap<String, f64> {
    text.lines().filter(|line| !line.starts_with('#')).map(series).collect()
}

/// Programs multiply floating-point numbers where the gateway moves the decimal point.
fn equal(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}

/// `-` is only in the rewritten text, `+` only in the other one, `~` differs in the value.
fn difference(rewritten: &str, other: &str) -> String {
    let (rewritten, other) = (all_series(rewritten), all_series(other));
    let same = rewritten
        .iter()
        .filter(|(key, value)| other.get(*key).is_some_and(|its| equal(*its, **value)));
    let mut text = format!("{} series are equal\n", same.count());
    let keys: std::collections::BTreeSet<&String> = rewritten.keys().chain(other.keys()).collect();
    for key in keys {
        match (rewritten.get(key), other.get(key)) {
            (Some(a), Some(b)) if equal(*a, *b) => Ok(()),
            (Some(a), Some(b)) => writeln!(text, "~ {key} {a} {b}"),
            (Some(a), None) => writeln!(text, "- {key} {a}"),
            (None, b) => writeln!(text, "+ {key} {}", b.expect("it is in one of them")),
        }
        .expect("writing to a String cannot fail");
    }
    text
}

#[test]
fn samples_become_those_of_the_other_generation() {
    let mut wrong = Vec::new();
    let samples = samples();
    for sample in &samples {
        let pack = format!("--pack={}", sample.split('.').next().expect("a name"));
        for (from, to) in [("old", "new"), ("new", "old")] {
            let file = |generation: &str| folder().join(format!("{sample}.{generation}.txt"));
            let input = file(from).display().to_string();
            let rewritten = crossfade(&["rewrite", &format!("--emit={to}"), &pack, &input]);
            let other = std::fs::read_to_string(file(to)).expect("readable");
            let found = difference(&rewritten, &other);
            let expected = folder().join(format!("{sample}.to-{to}.diff"));
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&expected, &found).expect("writable");
            }
            if std::fs::read_to_string(&expected).unwrap_or_default() != found {
                wrong.push(format!("{} (BLESS=1 writes it):\n{found}", expected.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for pack in SHIPPED.iter().filter(|pack| !pack.is_default()) {
        let of_pack = |sample: &&String| sample.split('.').next() == Some(pack.name);
        assert!(samples.iter().any(|sample| of_pack(&sample)), "no sample for {}", pack.name);
    }
}

#[test]
fn what_has_the_emitted_shape_is_not_changed() {
    for sample in samples() {
        let pack = format!("--pack={}", sample.split('.').next().expect("a name"));
        for generation in ["old", "new"] {
            let input = folder().join(format!("{sample}.{generation}.txt"));
            let text = std::fs::read_to_string(&input).expect("readable");
            let emit = format!("--emit={generation}");
            let rewritten = crossfade(&["rewrite", &emit, &pack, &input.display().to_string()]);
            let found = difference(&rewritten, &text);
            assert_eq!(found.lines().count(), 1, "{sample} {generation}: {found}");
        }
    }
}

#[test]
fn every_pack_is_valid_alone_and_with_all_others() {
    let names: Vec<&str> = SHIPPED.iter().map(|pack| pack.name).collect();
    for name in &names {
        crossfade(&["check", "pack", name]);
    }
    crossfade(&[&["check", "pack"], &names[..]].concat());
    let text = crossfade(&["test"]);
    assert!(text.ends_with(", 0 failed\n"), "{text}");
}

#[test]
fn packs_are_listed_and_printed() {
    let text = crossfade(&["packs"]);
    for pack in SHIPPED {
        assert!(text.contains(&format!("\n{}\n    ", pack.name)) || pack.is_default(), "{text}");
        assert_eq!(crossfade(&["packs", pack.name]), pack.text);
        assert_eq!(pack.parse().name(), pack.name);
    }
    assert!(text.starts_with("kong (default)\n    Kong Gateway"), "{text}");
}

#[test]
fn names_that_do_not_exist_are_errors() {
    let error = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
        let output = command.args(arguments).output().expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).expect("text")
    };
    let text = error(&["packs", "apisx"]);
    assert!(text.contains("there is no shipped pack `apisx`; did you mean `apisix`?"), "{text}");
    let text = error(&["rewrite", "--emit=new", "--pack=apisx", "/dev/null"]);
    assert!(text.contains("`apisx` is neither a shipped pack nor a file"), "{text}");
    assert!(text.contains("did you mean the shipped pack `apisix`?"), "{text}");
}

/// A list with a name is complete; a list of files is added to the default.
#[test]
fn names_replace_the_default_and_files_extend_it() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shipped-packs");
    std::fs::create_dir_all(&folder).expect("writable");
    let (ours, input) = (folder.join("ours.yaml"), folder.join("input.txt"));
    std::fs::write(&ours, "name: ours\nprometheus: [{ old: ours_a, new: ours_b }]\n")
        .expect("writable");
    let text = "kong_http_status{code=\"200\"} 1\nours_a 2\n\
                apisix_nginx_http_current_connections{state=\"total\"} 3\n";
    std::fs::write(&input, text).expect("writable");
    let rewritten = |packs: &[&str]| {
        let packs = packs.iter().map(|pack| format!("--pack={pack}"));
        let input = input.display().to_string();
        let arguments: Vec<String> = ["rewrite".to_owned(), "--emit=new".to_owned(), input]
            .into_iter()
            .chain(packs)
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let text = crossfade(&arguments);
        let has = |name: &str| text.lines().any(|line| line.starts_with(name));
        ["kong_http_requests_total{", "ours_b ", "apisix_http_requests_total "].map(has)
    };
    let ours = ours.display().to_string();
    assert_eq!(rewritten(&[]), [true, false, false]);
    assert_eq!(rewritten(&[&ours]), [true, true, false]);
    assert_eq!(rewritten(&["apisix"]), [false, false, true]);
    assert_eq!(rewritten(&["apisix", &ours]), [false, true, true]);
    assert_eq!(rewritten(&["kong", "apisix", &ours]), [true, true, true]);
}

/// With packs that follow each other, the result is that of one after the other.
#[test]
fn packs_that_follow_each_other() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("followed");
    std::fs::create_dir_all(&folder).expect("a folder");
    let [first, second] = ["--pack=node_exporter", "--pack=node_exporter_1"];
    let samples = ["node_exporter.old", "node_exporter.new", "node_exporter_1.new"];
    for (emit, step, order) in [
        ("1.0", "new", [first, second]),
        ("new", "new", [first, second]),
        ("0.15", "old", [second, first]),
        ("old", "old", [second, first]),
    ] {
        for sample in samples {
            let input = self::folder().join(format!("{sample}.txt")).display().to_string();
            let step = format!("--emit={step}");
            let between = folder.join(format!("{emit}-{sample}.txt"));
            let text = crossfade(&["rewrite", &step, order[0], &input]);
            std::fs::write(&between, text).expect("writable");
            let expected = crossfade(&["rewrite", &step, order[1], &between.display().to_string()]);
            let emit = format!("--emit={emit}");
            assert_eq!(crossfade(&["rewrite", &emit, first, second, &input]), expected, "{sample}");
        }
    }
    // The generation in between.
    for (sample, stays) in [("node_exporter.new", true), ("node_exporter_1.new", false)] {
        let input = self::folder().join(format!("{sample}.txt"));
        let text = std::fs::read_to_string(&input).expect("readable");
        let between =
            crossfade(&["rewrite", "--emit=0.16", first, second, &input.display().to_string()]);
        assert_eq!(between == text, stays, "{sample}");
    }
}
