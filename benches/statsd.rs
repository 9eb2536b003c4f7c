//! The `StatsD` engine alone: one thread, no I/O. Throughput is in lines that arrive.
//!
//! Datagrams are Kong's own, one line each as Kong sends them, or packed as its batching does.
//! Every group has its floors in it: looking for newlines, and copying.

mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use crossfade::mapping::{Emit, Pack, StatsdPlan, StatsdSettings, compile_statsd};
use crossfade::packs;
use crossfade::rewrite::statsd::{Outcome, Rewriter, Sender};
use crossfade::statsd::Packer;

use support::datagrams::{self, Input};

fn plan(packs: &[Pack], emit: Emit) -> Arc<StatsdPlan> {
    Arc::new(compile_statsd(packs, &StatsdSettings::new(emit)).expect("the pack is in order"))
}

/// Drives datagrams through the engine as a relay does, and gives back the bytes that are left.
fn rewrite(rewriter: &mut Rewriter, input: &Input, out: &mut Vec<u8>) -> usize {
    let mut sender = Sender::default();
    let mut left = 0;
    for datagram in input.datagrams() {
        out.clear();
        left += match rewriter.rewrite(black_box(datagram), &mut sender, out) {
            Outcome::Untouched => datagram.len(),
            Outcome::Rewritten => black_box(&*out).len(),
        };
    }
    left
}

fn group<'a>(criterion: &'a mut Criterion, input: &Input) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("statsd: {}", input.name));
    group.throughput(Throughput::Elements(input.lines));
    group.sample_size(20);
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    group
}

fn floors(group: &mut BenchmarkGroup<'_, WallTime>, input: &Input) {
    group.bench_function("floor: newlines", |bencher| {
        bencher.iter(|| {
            let count = |datagram| memchr::memchr_iter(b'\n', black_box(datagram)).count();
            input.datagrams().map(count).sum::<usize>()
        });
    });
    let mut out = Vec::with_capacity(input.bytes.len());
    group.bench_function("floor: copy", |bencher| {
        bencher.iter(|| {
            for datagram in input.datagrams() {
                out.clear();
                out.extend_from_slice(black_box(datagram));
                black_box(&out);
            }
        });
    });
}

/// One input, for whatever may be emitted.
fn kong(criterion: &mut Criterion) {
    let packs = packs::builtin();
    for input in datagrams::all() {
        let mut group = group(criterion, &input);
        floors(&mut group, &input);
        for (name, emit) in
            [("emit old", Emit::Old), ("emit new", Emit::New), ("emit both", Emit::Both)]
        {
            let mut rewriter = Rewriter::new(plan(&packs, emit));
            let mut out = Vec::with_capacity(64 * 1024);
            // Once before it is measured: that every line was seen.
            assert!(rewrite(&mut rewriter, &input, &mut out) > 0);
            assert_eq!(rewriter.take_report().lines_in, input.lines);
            group.bench_function(name, |bencher| {
                bencher.iter(|| rewrite(&mut rewriter, &input, &mut out));
            });
        }
        group.finish();
    }
}

/// The same lines with ever more rules beside those that apply.
fn rules(criterion: &mut Criterion) {
    let input = datagrams::kong_old();
    let mut group = group(criterion, &input.called("Kong 2.8, rules beside"));
    for rules in [1, 10, 100, 1_000] {
        let entry =
            |rule| format!("  - {{ old: '{{x}}.f{rule}.count', new: 'app.{{x}}.f{rule}.count' }}");
        let entries: Vec<String> = (0..rules).map(entry).collect();
        let text = format!("name: rules\nprefix: kong\nstatsd:\n{}\n", entries.join("\n"));
        let pack = Pack::parse("rules.yaml", &text).expect("the pack is in order");
        let packs = [packs::builtin(), vec![pack]].concat();
        let mut rewriter = Rewriter::new(plan(&packs, Emit::New));
        let mut out = Vec::with_capacity(64 * 1024);
        group.bench_function(rules.to_string(), |bencher| {
            bencher.iter(|| rewrite(&mut rewriter, &input, &mut out));
        });
    }
    group.finish();
}

/// Rewriting and packing together: what a relay does between its system calls.
fn packing(criterion: &mut Criterion) {
    let input = datagrams::kong_old();
    let mut group = group(criterion, &input.called("Kong 2.8, and packing"));
    let mut rewriter = Rewriter::new(plan(&packs::builtin(), Emit::New));
    let mut packer = Packer::new(crossfade::statsd::DEFAULT_DATAGRAM_BYTES);
    let mut out = Vec::with_capacity(64 * 1024);
    group.bench_function("emit new", |bencher| {
        bencher.iter(|| {
            let mut sender = Sender::default();
            let mut sent = 0;
            for datagram in input.datagrams() {
                out.clear();
                match rewriter.rewrite(black_box(datagram), &mut sender, &mut out) {
                    Outcome::Untouched => packer.push(datagram),
                    Outcome::Rewritten => packer.push_lines(&out),
                }
                if packer.datagrams().len() >= 32 {
                    sent += packer.datagrams().map(|it| black_box(it).len()).sum::<usize>();
                    packer.clear();
                }
            }
            sent
        });
    });
    group.finish();
}

criterion_group!(benches, kong, rules, packing);
criterion_main!(benches);
