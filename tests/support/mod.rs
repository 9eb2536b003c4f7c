//! Shared code of the tests: captures, the naive parser, the oracle, strict checks, comparisons.
#![allow(dead_code, unused_imports, reason = "each test program uses its own part of this")]

pub(crate) mod browser;
pub(crate) mod dashboards;
pub(crate) mod documents;
pub(crate) mod engine;
pub(crate) mod grafana;
pub(crate) mod kong;
pub(crate) mod label_oracle;
pub(crate) mod lines;
pub(crate) mod naive;
pub(crate) mod net;
pub(crate) mod open_metrics;
pub(crate) mod oracle;
pub(crate) mod pattern_oracle;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod prometheus;
pub(crate) mod reduction_oracle;
pub(crate) mod statsd;
pub(crate) mod status_page;
pub(crate) mod strict;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use naive::Series;

/// A folder below the repository's root.
pub(crate) fn root(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// The body of a capture, by its path below `tests/captures`, unpacked where it is compressed.
#[track_caller]
pub(crate) fn capture(name: &str) -> Vec<u8> {
    let path = root("tests/captures").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut body = Vec::new();
    let unpacked = flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut body);
    unpacked.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    body
}

/// The names of the captures of a scale, sorted, as [`capture`] takes them.
pub(crate) fn captures(scale: &str) -> Vec<String> {
    let folder = format!("{scale}/prometheus");
    let files = std::fs::read_dir(root("tests/captures").join(&folder)).expect("captures exist");
    let mut names: Vec<String> = files
        .map(|file| file.expect("a readable folder").file_name())
        .map(|name| format!("{folder}/{}", name.to_str().expect("captures have plain names")))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no captures in {folder}");
    names
}

/// Whether a capture is of Kong 2.x.
pub(crate) fn is_old(name: &str) -> bool {
    name.contains("kong-2.")
}

/// The differences of two sets of series, one line each.
pub(crate) fn differences(
    expected: &BTreeMap<Series, f64>,
    actual: &BTreeMap<Series, f64>,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (series, value) in expected {
        match actual.get(series) {
            None => lines.push(format!("missing    {series} {value}")),
            Some(other) if !same_number(*value, *other) => {
                lines.push(format!("different  {series} {other}, should be {value}"));
            }
            Some(_) => {}
        }
    }
    for (series, value) in actual {
        if !expected.contains_key(series) {
            lines.push(format!("unexpected {series} {value}"));
        }
    }
    lines
}

/// Fails unless two sets of series are equal, and shows the first differences.
#[track_caller]
pub(crate) fn assert_same_series(
    expected: &BTreeMap<Series, f64>,
    actual: &BTreeMap<Series, f64>,
    context: &str,
) {
    let lines = differences(expected, actual);
    let shown: Vec<&str> = lines.iter().take(20).map(String::as_str).collect();
    assert!(lines.is_empty(), "{context}: {} differences:\n{}", lines.len(), shown.join("\n"));
}

/// Equal, or both not a number.
pub(crate) fn same_number(a: f64, b: f64) -> bool {
    a.total_cmp(&b).is_eq() || (a.is_nan() && b.is_nan()) || (a - b).abs() == 0.0
}

/// Pseudo-random numbers, the same in every run.
#[derive(Clone, Debug)]
pub(crate) struct Seeded(u64);

impl Seeded {
    /// The seed determines the sequence.
    pub(crate) fn new(seed: u64) -> Self {
        Seeded(seed)
    }

    /// The next number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // splitmix64: short, and random enough for cut positions.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(end).expect("fits")).expect("below a usize")
    }

    /// Any of these.
    pub(crate) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}
