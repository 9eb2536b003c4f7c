//! A pack, read and compiled.
//!
//! Asserts: a pack that is read compiles for all settings or for none (a chain of packs, not for
//! both generations); every error has a location; what compiles can rewrite samples of Kong, and
//! samples that its rules read; what is written can be read.

use std::sync::Arc;

use crossfade::exposition::{Format, Scan, Scanner, write_escaped};
use crossfade::mapping::plan::exposition::Rule;
use crossfade::mapping::{BucketPolicy, Emit, Pack, Plan, Settings, compile};
use crossfade::packs;
use crossfade::rewrite::exposition::{History, Options, Progress, Rewriter};

const BODY: &[u8] =
    include_bytes!("../../tests/captures/tiny/prometheus/kong-2.8.5.http_stream.txt");

/// Checks one input.
///
/// # Panics
///
/// Where a promise does not hold.
pub(crate) fn check(text: &str) {
    let pack = match Pack::parse("fuzz.yaml", text) {
        Ok(pack) => pack,
        Err(errors) => {
            assert!(!errors.0.is_empty(), "refused without an error");
            assert!(errors.to_string().contains("fuzz.yaml"), "{errors}");
            return;
        }
    };
    for packs in [vec![pack.clone()], [packs::builtin(), vec![pack]].concat()] {
        let mut compiled = Vec::new();
        for emit in [Emit::Old, Emit::New, Emit::Both] {
            for buckets in [BucketPolicy::Target, BucketPolicy::Common, BucketPolicy::Native] {
                let settings = Settings { buckets, ..Settings::new(emit) };
                match compile(&packs, &settings) {
                    Ok(plan) => compiled.push((emit, Arc::new(plan))),
                    Err(errors) => assert!(!errors.0.is_empty(), "refused without an error"),
                }
            }
        }
        // Packs that follow others are not emitted in both generations.
        let is_chain = compiled.len() == 6 && compiled.iter().all(|(emit, _)| *emit != Emit::Both);
        let is_whole = compiled.is_empty() || compiled.len() == 9 || is_chain;
        assert!(is_whole, "compiles for some settings only");
        for (emit, plan) in compiled {
            let samples = samples(&plan);
            let mut rewriter = Rewriter::new(plan, Options::default(), History::default());
            let mut body = Vec::new();
            rewriter.push(BODY, &mut body).expect("no limit is passed");
            rewriter.push(&samples, &mut body).expect("no limit is passed");
            while rewriter.finish(&mut body).expect("no limit is passed") == Progress::More {}
            let most = 100 * (BODY.len() + samples.len());
            assert!(body.len() < most, "{emit:?}: {} bytes", body.len());
            can_be_read(&body);
        }
    }
}

/// A sample for each rule of the first hundred, with labels that meet its conditions.
fn samples(plan: &Plan) -> Vec<u8> {
    let mut body = Vec::new();
    for (number, rule) in plan.rules.iter().take(100).enumerate() {
        // A pattern in place of a name.
        if rule.from.iter().any(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_') {
            continue;
        }
        body.extend_from_slice(&rule.from);
        body.push(b'{');
        for (label, value) in labels(rule) {
            body.extend_from_slice(&label);
            body.extend_from_slice(b"=\"");
            body.extend_from_slice(&value);
            body.extend_from_slice(b"\",");
        }
        body.extend_from_slice(format!("}} {number}\n").as_bytes());
    }
    body
}

/// Labels that meet the conditions of a rule, with values as they are escaped.
fn labels(rule: &Rule) -> Vec<(Box<[u8]>, Vec<u8>)> {
    let mut labels: Vec<(Box<[u8]>, Vec<u8>)> = Vec::new();
    let mut add = |label: &[u8], value: Vec<u8>| {
        if !labels.iter().any(|(its, _)| **its == *label) {
            labels.push((label.into(), value));
        }
    };
    for (label, value) in &rule.when.equal {
        add(label, value.to_vec());
    }
    for text in rule.when.values.iter().flat_map(|edit| &edit.read) {
        let mut value = Vec::new();
        for (index, part) in text.texts.iter().enumerate() {
            write_escaped(part, &mut value);
            if index < text.variables.len() {
                value.extend_from_slice(b"v\\n");
            }
        }
        add(&text.label, value);
    }
    for label in &rule.when.present {
        add(label, b"x".to_vec());
    }
    labels
}

/// Panics if a line is not one of an exposition.
fn can_be_read(body: &[u8]) {
    let mut scanner = Scanner::new(usize::MAX, usize::MAX, Format::Text);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let is_malformed = matches!(scanner.scan(line), Scan::Flawed { .. });
        assert!(!is_malformed, "{}", line.escape_ascii());
    }
}
