//! A few small captures and their complete rewritten text.
//!
//! These files show order, spacing, spelling and headers. `BLESS=1 cargo test --test engine golden`
//! writes them again; check each difference before you commit it.

use crate::support::engine::{plan_with, rewrite};
use crate::support::{capture, root};
use crossfade::mapping::{self, BucketPolicy, Emit};

/// The rewritten capture must equal the file `tests/golden/NAME.txt`.
#[track_caller]
fn golden(name: &str, capture_name: &str, settings: &mapping::Settings) {
    let body = capture(&format!("tiny/prometheus/{capture_name}.txt"));
    let left = rewrite(&plan_with(settings), &body).body;
    let path = root("tests/golden").join(format!("{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &left).expect("tests/golden is writable");
        return;
    }
    let expected = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (mut expected_lines, mut left_lines) =
        (expected.split(|&b| b == b'\n'), left.split(|&b| b == b'\n'));
    for line in 1.. {
        match (expected_lines.next(), left_lines.next()) {
            (None, None) => break,
            (expected, left) => assert_eq!(
                left.map(|l| l.escape_ascii().to_string()),
                expected.map(|l| l.escape_ascii().to_string()),
                "tests/golden/{name}.txt, line {line} (BLESS=1 writes the file anew)"
            ),
        }
    }
}

fn emit(emit: Emit) -> mapping::Settings {
    mapping::Settings::new(emit)
}

fn with_buckets(emit: Emit, buckets: BucketPolicy) -> mapping::Settings {
    mapping::Settings { buckets, ..mapping::Settings::new(emit) }
}

#[test]
fn upgrades() {
    golden("2.0-to-new", "kong-2.0-plugin-0.7.0.main", &emit(Emit::New));
    golden("2.8-to-new", "kong-2.8.5.main", &emit(Emit::New));
    golden("2.8-stream-to-new", "kong-2.8.5.http_stream", &emit(Emit::New));
}

#[test]
fn downgrades() {
    golden("3.0-to-old", "kong-3.0.2.main", &emit(Emit::Old));
    golden("3.9-to-old", "kong-3.9.1.main", &emit(Emit::Old));
    golden("3.9-stream-to-old", "kong-3.9.1.http_stream", &emit(Emit::Old));
}

#[test]
fn both() {
    golden("2.8-to-both", "kong-2.8.5.main", &emit(Emit::Both));
    golden("3.9-to-both", "kong-3.9.1.main", &emit(Emit::Both));
}

#[test]
fn bucket_policies() {
    golden("2.8-to-new-common", "kong-2.8.5.main", &with_buckets(Emit::New, BucketPolicy::Common));
    golden("3.9-to-old-native", "kong-3.9.1.main", &with_buckets(Emit::Old, BucketPolicy::Native));
}

#[test]
fn filled_labels() {
    let mut settings = emit(Emit::New);
    for (label, value) in [("workspace", "default"), ("node_id", "a33139d7"), ("source", "")] {
        settings.fill.insert(label.to_owned(), value.to_owned());
    }
    golden("2.8-to-new-filled", "kong-2.8.5.main", &settings);
}
