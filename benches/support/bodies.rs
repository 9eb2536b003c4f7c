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

/// True under `cargo bench -- --test`: each bench runs once, on small bodies.
pub(crate) fn is_test() -> bool {
    std::env::args().any(|arg| arg == "--test")
}

/// What Kong 2.8 prints of 60,000 requests on 150 routes.
pub(crate) fn medium_old() -> Input {
    let bytes = capture("kong-2.8.5.per_consumer.txt.gz");
    Input {
        name: "kong 2.8, medium capture",
        bytes,
    }
}

/// What Kong 3.9 prints of the same requests.
pub(crate) fn medium_new() -> Input {
    let bytes = capture("kong-3.9.1.all_on.per_consumer.txt.gz");
    Input {
        name: "kong 3.9, medium capture",
        bytes,
    }
}

/// Kong 2.8 shape, 30 MB and 200 MB.
pub(crate) fn big_old() -> Vec<Input> {
    sizes(
        [("kong 2.8, 30 MB", 30), ("kong 2.8, 200 MB", 200)],
        body::old,
    )
}

/// Kong 3.9 shape, 30 MB and 200 MB.
pub(crate) fn big_new() -> Vec<Input> {
    sizes(
        [("kong 3.9, 30 MB", 30), ("kong 3.9, 200 MB", 200)],
        body::new,
    )
}

fn sizes(named: [(&'static str, usize); 2], generate: fn(usize) -> Vec<u8>) -> Vec<Input> {
    // A test wants to know that the bench works, not how fast.
    let megabyte = if is_test() { 1_000 } else { 1_000_000 };
    named
        .map(|(name, size)| Input {
            name,
            bytes: generate(size * megabyte),
        })
        .into()
}

fn capture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/captures/medium/prometheus")
        .join(name);
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .expect("a whole gzip file");
    bytes
}
