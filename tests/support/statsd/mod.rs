//! Shared code of the `StatsD` tests: captures, the engine, comparisons, the naive oracle.

pub(crate) mod naive;

use std::collections::BTreeMap;
use std::sync::Arc;

use crossfade::mapping::{Emit, Pack, StatsdPlan, StatsdSettings, compile_statsd};
use crossfade::packs;
use crossfade::rewrite::statsd::{Outcome, Report, Rewriter, Sender};
use crossfade::statsd::lines;

/// The datagrams of a capture, in order. The stream of a TCP capture is one datagram.
pub(crate) fn datagrams(name: &str) -> Vec<Vec<u8>> {
    let packed = super::root("tests/captures").join(format!("{name}.gz")).exists();
    let capture = super::capture(&if packed { format!("{name}.gz") } else { name.to_owned() });
    if name.ends_with(".stream.txt") {
        return vec![capture];
    }
    let objects = lines(&capture).map(|line| {
        let object: BTreeMap<String, String> = serde_json::from_slice(line).expect("JSON");
        match object.get("datagram") {
            Some(text) => text.clone().into_bytes(),
            None => decode_base64(&object["datagram_base64"]),
        }
    });
    objects.collect()
}

fn decode_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |byte: u8| {
        let at = ALPHABET.iter().position(|it| *it == byte).expect("base64");
        u32::try_from(at).expect("below 64")
    };
    let digits: Vec<u32> = text.trim_end_matches('=').bytes().map(digit).collect();
    let bytes = digits.chunks(4).flat_map(|group| {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    });
    bytes.collect()
}

/// The plan of the shipped packs.
pub(crate) fn plan(emit: Emit) -> Arc<StatsdPlan> {
    plan_with(&StatsdSettings::new(emit))
}

pub(crate) fn plan_with(settings: &StatsdSettings) -> Arc<StatsdPlan> {
    compiled(&packs::builtin(), settings)
}

/// The plan of a pack with a few rules.
pub(crate) fn plan_of(pack: &str, settings: &StatsdSettings) -> Arc<StatsdPlan> {
    let pack = Pack::parse("demo.yaml", &format!("name: demo\n{pack}"));
    compiled(&[pack.unwrap_or_else(|errors| panic!("{errors}"))], settings)
}

fn compiled(packs: &[Pack], settings: &StatsdSettings) -> Arc<StatsdPlan> {
    Arc::new(compile_statsd(packs, settings).unwrap_or_else(|errors| panic!("{errors}")))
}

/// Rewrites datagrams of one sender. Datagrams without output are left out.
pub(crate) fn rewrite<D: AsRef<[u8]>>(
    plan: &Arc<StatsdPlan>,
    datagrams: &[D],
) -> (Vec<Vec<u8>>, Report) {
    let mut rewriter = Rewriter::new(Arc::clone(plan));
    let mut sender = Sender::default();
    let mut rewritten = Vec::new();
    for datagram in datagrams.iter().map(AsRef::as_ref) {
        let mut out = Vec::new();
        match rewriter.rewrite(datagram, &mut sender, &mut out) {
            Outcome::Untouched => {
                assert!(out.is_empty(), "nothing is written for what is untouched");
                rewritten.push(datagram.to_vec());
            }
            Outcome::Rewritten if out.is_empty() => {}
            Outcome::Rewritten => rewritten.push(out),
        }
    }
    let report = rewriter.take_report();
    let left: u64 = rewritten.iter().map(|datagram| lines(datagram).count() as u64).sum();
    assert_eq!(report.lines_out, left, "the report counts what left");
    (rewritten, report)
}

/// Lines and how often each occurs.
pub(crate) type Multiset = BTreeMap<Vec<u8>, u64>;

pub(crate) fn count<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Multiset {
    let mut counts = Multiset::new();
    for line in lines {
        *counts.entry(line.as_ref().to_vec()).or_default() += 1;
    }
    counts
}

/// The lines of datagrams.
pub(crate) fn all_lines<D: AsRef<[u8]>>(datagrams: &[D]) -> Vec<Vec<u8>> {
    datagrams.iter().flat_map(|it| lines(it.as_ref()).map(<[u8]>::to_vec)).collect()
}

/// Fails unless the same lines occur equally often, and shows the first differences.
#[track_caller]
pub(crate) fn assert_same_lines(expected: &Multiset, actual: &Multiset, what: &str) {
    let both: std::collections::BTreeSet<&Vec<u8>> = expected.keys().chain(actual.keys()).collect();
    let times = |counts: &Multiset, line: &Vec<u8>| counts.get(line).copied().unwrap_or(0);
    let differences: Vec<String> = both
        .into_iter()
        .filter(|line| times(expected, line) != times(actual, line))
        .map(|line| {
            let (should, is) = (times(expected, line), times(actual, line));
            format!("{is} times, should be {should}: {}", line.escape_ascii())
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{what}: {} lines differ\n{}",
        differences.len(),
        differences[..differences.len().min(10)].join("\n")
    );
    assert!(!expected.is_empty(), "{what}: nothing to compare");
}
