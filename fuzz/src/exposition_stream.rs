//! A body, cut anywhere, through the shipped packs in every direction.
//!
//! Asserts, besides the absence of panics: the output does not depend on where the body is cut or
//! on whether unchanged parts are copied; Prometheus would accept all of it; rewriting the output
//! again does not change it.

use std::sync::{Arc, LazyLock};

use crossfade::mapping::{Emit, Pack, Plan, Settings, compile};
use crossfade::packs;
use crossfade::rewrite::exposition::{
    History, Limits, Malformed, Options, Progress, Report, Rewriter,
};

use super::naive;

/// Aggregates and drops what the rules of the shipped pack write, and what they forward.
const REDUCE: &str = r#"
name: reduce
reduce:
  - { family: kong_latency, without: [route, service] }
  - { family: kong_http_requests_total, keep: [code] }
  - { family: "kong_{rest*}", without: [node_id], merge: max }
  - { drop: 'kong_bandwidth{type="egress"}' }
  - { drop: "kong_nginx_{rest*}" }
"#;

static PLANS: LazyLock<[(Emit, Arc<Plan>); 5]> = LazyLock::new(|| {
    let reduce = Pack::parse("reduce.yaml", REDUCE).expect("valid");
    [
        (Emit::Old, None),
        (Emit::New, None),
        (Emit::Both, None),
        (Emit::Old, Some(&reduce)),
        (Emit::New, Some(&reduce)),
    ]
    .map(|(emit, more)| {
        let packs: Vec<Pack> = packs::builtin().into_iter().chain(more.cloned()).collect();
        let plan = compile(&packs, &Settings::new(emit));
        (emit, Arc::new(plan.expect("the packs compile")))
    })
});

fn rewrite(plan: &Arc<Plan>, chunks: &[&[u8]], longer_than: usize) -> Option<(Vec<u8>, Report)> {
    // Text proper, without exemplars; limits that a fuzzer can reach.
    let limits = Limits { line_bytes: 1 << 14, held_series: 1000, labels: 16, ..Limits::default() };
    let options = Options { malformed: Malformed::Drop, limits, ..Options::default() };
    let mut rewriter = Rewriter::new(Arc::clone(plan), options, History::default());
    let mut body = Vec::new();
    for chunk in chunks {
        if let Some(run) = rewriter.push_uncopied(chunk, longer_than, &mut body).ok()? {
            body.splice(run.at..run.at, chunk[run.range].iter().copied());
        }
    }
    while rewriter.finish(&mut body).ok()? == Progress::More {}
    let mut report = rewriter.report().clone();
    report.held_bytes = 0; // depends on when what was held
    Some((body, report))
}

/// Checks one input.
///
/// # Panics
///
/// Where a promise does not hold.
pub(crate) fn check(data: &[u8]) {
    // The first bytes are the positions of the cuts, so that a fuzzer can change them without
    // changing the body.
    let Some((cuts, body)) = data.split_at_checked(4) else { return };
    let offset = |two: &[u8]| usize::from(u16::from_be_bytes([two[0], two[1]])) % (body.len() + 1);
    let mut at: Vec<usize> = cuts.chunks(2).map(offset).collect();
    at.sort_unstable();
    let chunks = [&body[..at[0]], &body[at[0]..at[1]], &body[at[1]..]];

    for (emit, plan) in &*PLANS {
        let whole = rewrite(plan, &[body], usize::MAX);
        let cut = rewrite(plan, &chunks, 0);
        // Which limit is passed first may depend on the cut, whether one is may not.
        assert_eq!(whole.is_some(), cut.is_some(), "{emit:?}: a limit, cut at {at:?}");
        let (Some((left, report)), Some((cut_left, cut_report))) = (whole, cut) else { continue };
        assert!(
            left == cut_left,
            "{emit:?} cut at {at:?}\ninput: {}\nwhole: {}\ncut:   {}",
            body.escape_ascii(),
            left.escape_ascii(),
            cut_left.escape_ascii()
        );
        assert_eq!(report, cut_report, "{emit:?} cut at {at:?}");

        let read = naive::parse(&left);
        assert!(
            read.refused().is_empty(),
            "{emit:?}: {:?}\n{}",
            read.refused(),
            left.escape_ascii()
        );
        let ends = read.lines.iter().any(|(item, _)| *item == naive::Item::End);
        assert!(!ends, "{emit:?}: Prometheus would stop reading\n{}", left.escape_ascii());

        if *emit != Emit::Both
            && let Some((again, _)) = rewrite(plan, &[&left], usize::MAX)
        {
            assert!(
                again == left,
                "{emit:?} twice\nonce:  {}\ntwice: {}",
                left.escape_ascii(),
                again.escape_ascii()
            );
        }
    }
}
