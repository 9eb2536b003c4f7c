//! What the benches share: bodies, floors, and one way to drive the engine.

#![allow(dead_code, reason = "each bench uses its part")]

pub(crate) mod bodies;
pub(crate) mod body;
pub(crate) mod datagrams;
pub(crate) mod renames;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};

/// Bodies arrive in pieces: this is what a read from a socket brings.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Benches of one body: throughput in its bytes, and few rounds where one takes long.
pub(crate) fn group<'a>(
    criterion: &'a mut Criterion,
    what: &str,
    input: &bodies::Input,
) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("{what}: {}", input.name));
    group.throughput(Throughput::Bytes(input.bytes.len() as u64));
    group.sample_size(if input.bytes.len() > 10_000_000 { 10 } else { 30 });
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    group
}

/// The two floors. Nothing that hands a body on can be cheaper than copying it, and nothing that
/// looks at its lines can be cheaper than finding where they end.
pub(crate) fn floors(group: &mut BenchmarkGroup<'_, WallTime>, body: &[u8]) {
    let mut out = Vec::with_capacity(2 * CHUNK);
    group.bench_function("floor: copy", |bencher| {
        bencher.iter(|| {
            for chunk in body.chunks(CHUNK) {
                out.clear();
                out.extend_from_slice(chunk);
                std::hint::black_box(&out);
            }
        });
    });
    group.bench_function("floor: newlines", |bencher| {
        bencher.iter(|| memchr::memchr_iter(b'\n', body).count());
    });
}
