//! The engine alone: one thread, no I/O, bodies in pieces of 64 KiB.
//!
//! Every group is named for its data and has the two floors and the empty plan in it, so that a
//! figure is never read without what it costs to do nothing.

mod support;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use crossfade::mapping::{self, Emit, Pack, Plan};
use crossfade::packs;
use crossfade::rewrite::exposition::{History, Options, Progress, Rewriter};

use support::bodies::{self, Input};
use support::{CHUNK, renames};

/// Drives one body through the engine as the scrape path does, and gives back bytes and samples
/// out.
fn rewrite(plan: &Arc<Plan>, body: &[u8], out: &mut Vec<u8>) -> (usize, u64) {
    let mut rewriter = Rewriter::new(Arc::clone(plan), Options::default(), History::default());
    let mut written = 0;
    for chunk in body.chunks(CHUNK) {
        out.clear();
        rewriter.push(chunk, out).expect("a genuine body passes no limit");
        written += black_box(&*out).len();
    }
    loop {
        out.clear();
        let progress = rewriter.finish(out).expect("a genuine body passes no limit");
        written += black_box(&*out).len();
        if progress == Progress::Done {
            return (written, rewriter.report().samples_out);
        }
    }
}

fn plan(packs: &[Pack], emit: Emit) -> Arc<Plan> {
    Arc::new(mapping::compile(packs, &mapping::Settings::new(emit)).expect("the pack is in order"))
}

/// One body, through several plans.
fn measure(criterion: &mut Criterion, input: &Input, plans: &[(String, Arc<Plan>)]) {
    let mut group = support::group(criterion, "rewrite", input);
    support::floors(&mut group, &input.bytes);
    let mut out = Vec::with_capacity(4 * CHUNK);
    let empty = ("empty plan".to_owned(), Arc::new(Plan::default()));
    for (name, plan) in [&empty].into_iter().chain(plans) {
        // Once before the measurement: checks the output, and counts its bytes.
        let (bytes, samples) = rewrite(plan, &input.bytes, &mut out);
        assert!(bytes > 0 && samples > 0, "{name}: {bytes} bytes, {samples} samples");
        group.bench_function(name, |bencher| {
            bencher.iter(|| rewrite(plan, &input.bytes, &mut out));
        });
    }
    group.finish();
}

fn full_pack(criterion: &mut Criterion) {
    let packs = packs::builtin();
    let to_old = plan(&packs, Emit::Old);
    let to_new = plan(&packs, Emit::New);
    let to_both = plan(&packs, Emit::Both);
    let of_old = [
        ("pass-through".to_owned(), Arc::clone(&to_old)),
        ("12 renames".to_owned(), plan(&[renames::pack()], Emit::New)),
        ("full pack, old to new".to_owned(), Arc::clone(&to_new)),
        ("full pack, old to both".to_owned(), Arc::clone(&to_both)),
    ];
    let of_new = [
        ("pass-through".to_owned(), to_new),
        ("full pack, new to old".to_owned(), to_old),
        ("full pack, new to both".to_owned(), to_both),
    ];
    for input in bodies::OLD {
        measure(criterion, &input(), &of_old);
    }
    for input in bodies::NEW {
        measure(criterion, &input(), &of_new);
    }
}

/// What rules cost that have nothing to do: one renames half of the body, the others never match.
fn number_of_rules(criterion: &mut Criterion) {
    let input = bodies::medium_old();
    let input = Input { name: "kong 2.8, medium capture, number of rules", ..input };
    let plans = [1, 10, 100, 1_000].map(|rules| {
        (format!("{rules} rules"), plan(&[renames::of_latency_among(rules)], Emit::New))
    });
    measure(criterion, &input, &plans);
}

criterion_group!(benches, full_pack, number_of_rules);
criterion_main!(benches);
