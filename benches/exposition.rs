//! Reading expositions, without rules: what finding and checking the parts of each line costs.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use crossfade::exposition::{Format, Scan, Scanner};

use support::bodies::{self, Input};

/// Reads every line and counts samples.
fn scan(body: &[u8]) -> usize {
    let mut scanner = Scanner::new(1 << 20, 64, Format::Text);
    let (mut rest, mut samples) = (body, 0);
    loop {
        let len = match scanner.scan(rest) {
            Scan::Sample(sample) => {
                samples += 1;
                sample.len
            }
            Scan::Header { len, .. } | Scan::Comment { len } => len,
            Scan::Incomplete => break,
            other => panic!("a genuine body is in order, this is not: {other:?}"),
        };
        rest = &rest[len..];
    }
    assert!(rest.is_empty(), "{} bytes were not read", rest.len());
    samples
}

/// What is neither blank nor a comment.
fn count_samples(body: &[u8]) -> usize {
    body.split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .count()
}

fn read(criterion: &mut Criterion) {
    for input in bodies::OLD.into_iter().chain(bodies::NEW) {
        let input = input();
        let Input { bytes, .. } = &input;
        assert_eq!(scan(bytes), count_samples(bytes), "{}", input.name);
        let mut group = support::group(criterion, "exposition", &input);
        support::floors(&mut group, bytes);
        group.bench_function("scan", |bencher| bencher.iter(|| scan(bytes)));
        group.finish();
    }
}

criterion_group!(benches, read);
criterion_main!(benches);
