//! Datagrams to measure with.

use std::io::Read;
use std::path::Path;

/// Datagrams one after the other, as a receive buffer holds them.
#[derive(Clone)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    ends: Vec<usize>,
    pub(crate) lines: u64,
}

impl Input {
    fn new(name: &str) -> Input {
        Input { name: name.to_owned(), bytes: Vec::new(), ends: Vec::new(), lines: 0 }
    }

    fn push(&mut self, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.ends.push(self.bytes.len());
        self.lines += datagram.split(|byte| *byte == b'\n').count() as u64;
    }

    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    /// The same under another name.
    pub(crate) fn called(&self, name: &str) -> Input {
        Input { name: name.to_owned(), ..self.clone() }
    }

    /// The same lines, packed.
    fn packed(&self, name: &str, limit: usize) -> Input {
        let mut packed = Input::new(name);
        let mut open: Vec<u8> = Vec::new();
        for line in self.datagrams() {
            if open.len() + 1 + line.len() > limit {
                packed.push(&open);
                open.clear();
            }
            if !open.is_empty() {
                open.push(b'\n');
            }
            open.extend_from_slice(line);
        }
        packed.push(&open);
        packed
    }
}

/// One capture of Kong's, a datagram for each.
fn capture(name: &str, file: &str) -> Input {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(file);
    let mut text = Vec::new();
    let packed = std::fs::read(&path).expect("captures are there");
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut text).expect("captures unpack");
    let mut input = Input::new(name);
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let object: serde_json::Value = serde_json::from_slice(line).expect("captures are JSON");
        input.push(object["datagram"].as_str().expect("a text").as_bytes());
    }
    input
}

/// What Kong 2.8 sends.
pub(crate) fn kong_old() -> Input {
    capture("Kong 2.8", "medium/statsd/kong-2.8.5.default.first_24000.jsonl.gz")
}

/// Lines of other senders, with and without tags.
fn foreign() -> Input {
    let mut input = Input::new("lines of others");
    for number in 0..50_000 {
        let (host, value) = (number % 97, number % 1013);
        input.push(
            match number % 4 {
                0 => format!("web{host}.requests.backend.time:{value}|ms"),
                1 => format!("system.cpu.load:{value}|g|#host:web{host},env:prod"),
                2 => format!("orders.placed:1|c|@0.{}", 1 + host % 9),
                _ => format!("app.sessions.unique.visitors:user{value}|s"),
            }
            .as_bytes(),
        );
    }
    input
}

/// Everything there is to measure with.
pub(crate) fn all() -> Vec<Input> {
    let new = capture("Kong 3.0", "medium/statsd/kong-3.0.2.default.first_24000.jsonl.gz");
    let old = kong_old();
    let tagged = |style: &str| {
        let file = format!("small/statsd/kong-3.9.1.tag_{style}.jsonl.gz");
        capture(&format!("Kong 3.9, tags, {style}"), &file)
    };
    vec![
        foreign(),
        foreign().packed("lines of others, packed", 1400),
        old.clone(),
        old.packed("Kong 2.8, packed", 1400),
        new.clone(),
        new.packed("Kong 3.0, packed", 1400),
        tagged("dogstatsd"),
        tagged("influxdb"),
        tagged("librato"),
        tagged("signalfx"),
    ]
}
