//! Rewriting, packing and framing allocate nothing per line. The allocator counts.

use std::sync::Arc;

use allocation_counter::measure;
use crossfade::mapping::{Emit, StatsdSettings};
use crossfade::rewrite::statsd::{Outcome, Rewriter, Sender};
use crossfade::statsd::{DEFAULT_DATAGRAM_BYTES, Dialect, Framer, Packer};

use crate::support::statsd::{datagrams, plan_with};

/// Rewrites datagrams and packs the output, as a relay does.
fn relay(rewriter: &mut Rewriter, packer: &mut Packer, out: &mut Vec<u8>, came: &[Vec<u8>]) -> u64 {
    let (mut sender, mut bytes) = (Sender::default(), 0);
    for (index, datagram) in came.iter().enumerate() {
        out.clear();
        match rewriter.rewrite(datagram, &mut sender, out) {
            Outcome::Untouched => packer.push(datagram),
            Outcome::Rewritten => packer.push_lines(out),
        }
        if index % 64 == 0 {
            bytes += packer.datagrams().map(|it| it.len() as u64).sum::<u64>();
            packer.clear();
        }
    }
    // Every pass starts with empty buffers.
    packer.complete();
    packer.clear();
    bytes
}

#[test]
fn neither_rewriting_nor_packing_allocates() {
    let choices = [
        (Emit::Old, None),
        (Emit::New, None),
        (Emit::Both, None),
        (Emit::New, Some(Dialect::Influx)),
    ];
    for name in [
        "small/statsd/kong-2.8.5.default.jsonl",
        "small/statsd/kong-3.9.1.default.jsonl",
        "small/statsd/kong-3.9.1.tag_dogstatsd.jsonl",
        "small/statsd/kong-3.9.1.tag_signalfx.jsonl",
        "small/statsd/kong-3.9.1.udp_packet_size_1400.jsonl",
        "quirk/statsd/kong-2.8.5.username.jsonl",
        "quirk/statsd/kong-3.9.1.username.jsonl",
    ] {
        let came = datagrams(name);
        for (emit, tags) in choices {
            let plan = plan_with(&StatsdSettings { tags, ..StatsdSettings::new(emit) });
            let mut rewriter = Rewriter::new(Arc::clone(&plan));
            let (mut packer, mut out) = (Packer::new(DEFAULT_DATAGRAM_BYTES), Vec::new());
            // The first pass allocates the buffers; the second reuses them.
            assert!(relay(&mut rewriter, &mut packer, &mut out, &came) > 0);
            let mut bytes = 0;
            let counted = measure(|| bytes = relay(&mut rewriter, &mut packer, &mut out, &came));
            assert!(bytes > 0);
            assert_eq!(counted.count_total, 0, "{name} emitted as {emit:?}, {tags:?}");
        }
    }
}

#[test]
fn framing_allocates_for_the_longest_torn_line_only() {
    let stream = datagrams("small/statsd/kong-3.9.1.tcp.stream.txt").remove(0);
    let mut framer = Framer::new(1000);
    let feed = |framer: &mut Framer| {
        let mut bytes = 0;
        stream.chunks(701).for_each(|read| framer.feed(read, |lines| bytes += lines.len()));
        bytes
    };
    assert!(feed(&mut framer) > 0);
    let mut bytes = 0;
    let counted = measure(|| bytes = feed(&mut framer));
    assert!(bytes > 0);
    assert_eq!(counted.count_total, 0);
}
