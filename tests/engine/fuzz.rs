//! The assertions of the fuzz targets, on the seeds and on random variations of them.
//!
//! This keeps the fuzz targets compiling and passing. Fuzzing itself takes longer and is not part
//! of the tests (`fuzz/README.md`).

#[path = "../../fuzz/src/exposition_stream.rs"]
pub(crate) mod exposition_stream;
#[path = "../../fuzz/src/mapping_file.rs"]
pub(crate) mod mapping_file;
#[path = "../../fuzz/src/statsd_datagram.rs"]
pub(crate) mod statsd_datagram;
use crate::support::statsd::datagrams;
use crate::support::{Seeded, capture, captures, naive, root};

/// Replaces, removes or repeats a few bytes.
fn mutated(bytes: &[u8], dice: &mut Seeded) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = dice.below(bytes.len());
        let end = (at + 1 + dice.below(12)).min(bytes.len());
        match dice.below(4) {
            0 => bytes[at] = *dice.one_of(b"{}\"=,\\\n #1.:|@[]"),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                let to = dice.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes[at] = dice.below(256).to_le_bytes()[0],
        }
    }
    bytes
}

/// What fuzzing has found.
#[test]
fn found_exposition_streams() {
    let found = std::fs::read_dir(root("fuzz/found/exposition_stream")).expect("a folder");
    for file in found {
        let path = file.expect("a readable folder").path();
        exposition_stream::check(&std::fs::read(path).expect("a readable file"));
    }
}

#[test]
fn an_exposition_stream() {
    let mut dice = Seeded::new(7);
    for scale in ["tiny", "quirk"] {
        for name in captures(scale) {
            let body = capture(&name);
            let lines: Vec<&[u8]> = body.split_inclusive(|&b| b == b'\n').collect();
            for _ in 0..60 {
                let start = dice.below(lines.len());
                let end = (start + 1 + dice.below(12)).min(lines.len());
                let cuts: Vec<u8> = (0..4).map(|_| dice.below(256).to_le_bytes()[0]).collect();
                let seed = [cuts, lines[start..end].concat()].concat();
                exposition_stream::check(&seed);
                exposition_stream::check(&mutated(&seed, &mut dice));
            }
        }
    }
}

#[test]
fn a_statsd_datagram() {
    let mut dice = Seeded::new(7);
    for capture in [
        "tiny/statsd/kong-2.8.5.default.jsonl",
        "tiny/statsd/kong-3.9.1.tag_dogstatsd.jsonl",
        "tiny/statsd/kong-3.9.1.tag_signalfx.jsonl",
        "quirk/statsd/kong-2.8.5.username.jsonl",
        "quirk/statsd/kong-3.9.1.default.jsonl",
        "quirk/statsd/kong-3.9.1.tag_dogstatsd.username.jsonl",
    ] {
        let came = datagrams(capture);
        for _ in 0..300 {
            let start = dice.below(came.len());
            let end = (start + 1 + dice.below(6)).min(came.len());
            let choices: Vec<u8> = (0..4).map(|_| dice.below(256).to_le_bytes()[0]).collect();
            let seed = [choices, came[start..end].join(&b'\n')].concat();
            statsd_datagram::check(&seed);
            statsd_datagram::check(&mutated(&seed, &mut dice));
        }
    }
}

#[test]
fn a_pack() {
    let mut dice = Seeded::new(7);
    for folder in ["mappings", "tests/mappings"] {
        for file in std::fs::read_dir(root(folder)).expect("packs exist") {
            let path = file.expect("a readable folder").path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("packs are text");
            mapping_file::check(&text);
            for _ in 0..20 {
                if let Ok(text) = String::from_utf8(mutated(text.as_bytes(), &mut dice)) {
                    mapping_file::check(&text);
                }
            }
        }
    }
}
