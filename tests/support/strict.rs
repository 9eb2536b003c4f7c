//! The requirements of the strictest parsers of the text format.
//!
//! `expfmt` (promtool, Telegraf and others), parsers that build native histograms from consecutive
//! lines, and strict vendors accept less than Prometheus itself. The checks use only the naive
//! parser.

use std::collections::{BTreeMap, BTreeSet};

use super::naive::{self, Exposition, Item, Sample};

/// All errors of a body. `held` are the families that were gathered: they must be contiguous,
/// complete and in order. The others passed or were renamed line by line.
pub(crate) fn errors(body: &[u8], held: &[&str]) -> Vec<String> {
    let read = naive::parse(body);
    let mut errors = Vec::new();
    if body.last().is_some_and(|&b| b != b'\n') {
        errors.push("no newline at the end".to_owned());
    }
    for refused in read.refused() {
        let raw = refused.raw.escape_ascii();
        errors.push(format!("line {}: {:?}: {raw}", refused.line, refused.why));
    }
    headers(&read, held, &mut errors);
    duplicates(&read, &mut errors);
    for family in held {
        contiguous(&read, family, &mut errors);
        escaped(&read, family, &mut errors);
        if read.types().get(*family).is_some_and(|kind| kind == "histogram") {
            histogram(&read, family, &mut errors);
        }
    }
    errors
}

/// Fails with all errors of a body.
#[track_caller]
pub(crate) fn assert_strict(body: &[u8], held: &[&str], context: &str) {
    let errors = errors(body, held);
    let shown: Vec<&str> = errors.iter().take(12).map(String::as_str).collect();
    assert!(errors.is_empty(), "{context}: {} errors:\n{}", errors.len(), shown.join("\n"));
}

/// One HELP and one TYPE at most, before the first sample; a held family has its TYPE.
fn headers(read: &Exposition, held: &[&str], errors: &mut Vec<String>) {
    let types = read.types();
    let mut helps_seen = BTreeSet::new();
    let mut types_seen = BTreeSet::new();
    let mut sampled = BTreeSet::new();
    for (item, _) in &read.lines {
        match item {
            Item::Help(name, _) => {
                if !helps_seen.insert(name.clone()) {
                    errors.push(format!("second HELP of {name}"));
                }
                if sampled.contains(name) {
                    errors.push(format!("HELP of {name} after a sample"));
                }
            }
            Item::Type(name, _) => {
                if !types_seen.insert(name.clone()) {
                    errors.push(format!("second TYPE of {name}"));
                }
                if sampled.contains(name) {
                    errors.push(format!("TYPE of {name} after a sample"));
                }
            }
            Item::Sample(sample) => {
                sampled.insert(naive::family_of(&types, &sample.name));
            }
            _ => {}
        }
    }
    for family in held {
        if sampled.contains(*family) && !types_seen.contains(*family) {
            errors.push(format!("no TYPE of {family}"));
        }
        if sampled.contains(*family) && !helps_seen.contains(*family) {
            errors.push(format!("no HELP of {family}"));
        }
        if types_seen.contains(*family) && !sampled.contains(*family) {
            errors.push(format!("headers of {family} without samples"));
        }
    }
}

fn duplicates(read: &Exposition, errors: &mut Vec<String>) {
    let mut seen = BTreeMap::new();
    for sample in read.samples() {
        if let Some(first) = seen.insert(sample.series(), sample.line) {
            errors.push(format!("{} in lines {first} and {}", sample.series(), sample.line));
        }
    }
}

/// The lines of a family are contiguous, without blank lines between them.
fn contiguous(read: &Exposition, family: &str, errors: &mut Vec<String>) {
    let types = read.types();
    let belongs = |item: &Item| match item {
        Item::Help(name, _) | Item::Type(name, _) => name == family,
        Item::Sample(sample) => naive::family_of(&types, &sample.name) == family,
        _ => false,
    };
    let runs = read.lines.chunk_by(|(a, _), (b, _)| belongs(a) == belongs(b));
    let runs = runs.filter(|run| belongs(&run[0].0)).count();
    if runs > 1 {
        errors.push(format!("{family} is in {runs} places"));
    }
}

/// A rewritten line escapes exactly the characters that must be escaped.
fn escaped(read: &Exposition, family: &str, errors: &mut Vec<String>) {
    let types = read.types();
    for sample in read.samples().filter(|s| naive::family_of(&types, &s.name) == family) {
        if sample.raw.contains(&b'\n') {
            errors.push(format!("line {}: a raw newline in a label value", sample.line));
        }
    }
}

/// One label set after the other: buckets in ascending order to `+Inf`, then `_sum`, then `_count`.
fn histogram(read: &Exposition, family: &str, errors: &mut Vec<String>) {
    let types = read.types();
    let samples: Vec<&Sample> =
        read.samples().filter(|s| naive::family_of(&types, &s.name) == family).collect();
    let same_set =
        |a: &&Sample, b: &&Sample| label_set(a, family).labels == label_set(b, family).labels;
    let mut seen = BTreeSet::new();
    for run in samples.chunk_by(same_set) {
        let set = label_set(run[0], family);
        if !seen.insert(set.clone()) {
            errors.push(format!("{set}: its lines are not contiguous"));
        }
        let suffixes: Vec<&str> =
            run.iter().map(|s| s.name.strip_prefix(family).expect("belongs to it")).collect();
        let buckets = suffixes.iter().take_while(|&&s| s == "_bucket").count();
        if suffixes[buckets..] != ["_sum", "_count"] {
            errors.push(format!("{set}: after the buckets: {:?}", &suffixes[buckets..]));
        }
        let steps: Vec<(f64, f64)> = run[..buckets].iter().map(|s| (le(s), s.value)).collect();
        if steps.last().is_none_or(|last| last.0 != f64::INFINITY) {
            errors.push(format!("{set}: the last bucket is not +Inf"));
        }
        for pair in steps.windows(2) {
            if pair[0].0 >= pair[1].0 {
                errors.push(format!("{set}: le {} before {}", pair[0].0, pair[1].0));
            }
            if pair[0].1 > pair[1].1 {
                errors.push(format!("{set}: {} counts more than {}", pair[0].0, pair[1].0));
            }
        }
        let count = run.iter().find(|s| s.name.ends_with("_count")).map(|s| s.value);
        let differ = |last: &(f64, f64)| {
            last.0.is_infinite() && count.is_some_and(|count| !same(last.1, count))
        };
        if steps.last().is_some_and(differ) {
            errors.push(format!("{set}: +Inf and _count differ"));
        }
    }
}

fn label_set(sample: &Sample, family: &str) -> naive::Series {
    sample.series().without(&["le"]).named(family)
}

fn le(sample: &Sample) -> f64 {
    sample.series().label("le").parse().unwrap_or(f64::NAN)
}

fn same(a: f64, b: f64) -> bool {
    a.total_cmp(&b).is_eq()
}
