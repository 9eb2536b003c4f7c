//! The bodies that are measured: genuine captures, and big generated ones.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::body;

/// A body with a name.
pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// True where each bench runs once, to see that it works: under `cargo test --benches`, and under
/// `cargo bench -- --test`. Cargo passes `--bench` only if benches are to be measured.
pub(crate) fn is_test() -> bool {
    let has = |flag: &str| std::env::args().any(|arg| arg == flag);
    has("--test") || !has("--bench")
}

/// What Kong 2.8 exports for 60,000 requests on 150 routes.
pub(crate) fn medium_old() -> Input {
    let bytes = capture("kong-2.8.5.per_consumer.txt.gz");
    Input { name: "kong 2.8, medium capture", bytes }
}

/// What Kong 3.9 exports for the same requests.
pub(crate) fn medium_new() -> Input {
    let bytes = capture("kong-3.9.1.all_on.per_consumer.txt.gz");
    Input { name: "kong 3.9, medium capture", bytes }
}

/// Bodies of Kong 2.8, small to big. Made one at a time: the big ones are big.
pub(crate) const OLD: [fn() -> Input; 3] = [
    medium_old,
    || generated("kong 2.8, 30 MB", body::old, 30),
    || generated("kong 2.8, 200 MB", body::old, 200),
];

/// Bodies of Kong 3.9.
pub(crate) const NEW: [fn() -> Input; 3] = [
    medium_new,
    || generated("kong 3.9, 30 MB", body::new, 30),
    || generated("kong 3.9, 200 MB", body::new, 200),
];

fn generated(name: &'static str, body: fn(usize) -> Vec<u8>, megabytes: usize) -> Input {
    // A test wants to know that the bench works, not how fast.
    let megabyte = if is_test() { 1_000 } else { 1_000_000 };
    Input { name, bytes: body(megabytes * megabyte) }
}

fn capture(name: &str) -> Vec<u8> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/medium/prometheus").join(name);
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("a whole gzip file");
    bytes
}
