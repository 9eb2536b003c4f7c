//! A datagram, through the shipped packs in every direction, then packed, and framed as if it had
//! come on a stream.
//!
//! Asserts, besides the absence of panics: each line is rewritten independently of the others, and
//! lines that no rule matches are unchanged and in order; the output can be parsed; rewriting the
//! output again does not change it; packing and framing do not lose, split, reorder or join lines.

use std::sync::{Arc, LazyLock};

use crossfade::mapping::{Emit, StatsdPlan, StatsdSettings, compile_statsd};
use crossfade::packs;
use crossfade::rewrite::statsd::{Outcome, Rewriter, Sender};
use crossfade::statsd::{Confidence, Dialect, Framer, Line, Packer, lines};

static PLANS: LazyLock<Vec<(StatsdSettings, Arc<StatsdPlan>)>> = LazyLock::new(|| {
    let tags = [Dialect::DogStatsd, Dialect::Influx, Dialect::Librato, Dialect::SignalFx];
    let dotted = [Emit::Old, Emit::New, Emit::Both].map(|emit| (emit, None));
    let tagged = tags.map(|dialect| (Emit::New, Some(dialect)));
    let choices = dotted.into_iter().chain(tagged);
    let compiled = choices.map(|(emit, tags)| {
        let settings = StatsdSettings { tags, ..StatsdSettings::new(emit) };
        let plan = compile_statsd(&packs::builtin(), &settings).expect("shipped packs compile");
        (settings, Arc::new(plan))
    });
    compiled.collect()
});

/// Checks one input.
///
/// # Panics
///
/// Where a promise does not hold.
pub(crate) fn check(data: &[u8]) {
    // The first bytes are limits and a cut position.
    let Some((choices, datagram)) = data.split_at_checked(4) else { return };
    let number = |two: &[u8]| usize::from(u16::from_be_bytes([two[0], two[1]]));
    let (limit, cut) = (number(&choices[..2]) % 2048, number(&choices[2..]) % (datagram.len() + 1));

    for (settings, plan) in &*PLANS {
        let left = rewrites(plan, datagram, settings);
        if settings.emit != Emit::Both && settings.tags.is_none() {
            leaves_again(plan, &left, settings.emit);
        }
        packs(datagram, &left, limit);
    }
    frames(datagram, cut, limit.max(1));
}

/// The output for a datagram.
fn rewrites(plan: &Arc<StatsdPlan>, datagram: &[u8], settings: &StatsdSettings) -> Vec<u8> {
    let mut rewriter = Rewriter::new(Arc::clone(plan));
    let mut left = Vec::new();
    match rewriter.rewrite(datagram, &mut Sender::default(), &mut left) {
        Outcome::Untouched => {
            assert!(left.is_empty(), "nothing is written for what is untouched");
            left.extend_from_slice(datagram);
        }
        Outcome::Rewritten => {}
    }
    let report = rewriter.take_report();
    assert_eq!(report.lines_in, lines(datagram).count() as u64);
    assert_eq!(report.lines_out, lines(&left).count() as u64, "{}", left.escape_ascii());

    // Each line alone, its newline with it.
    let (mut alone, mut sender) = (Vec::new(), Sender::default());
    for line in datagram.split_inclusive(|byte| *byte == b'\n') {
        let mut beinput = Vec::new();
        if rewriter.rewrite(line, &mut sender, &mut beinput) == Outcome::Untouched {
            beinput.extend_from_slice(line);
        } else {
            // Tags after the text of a set that contains `|` are read as part of the text: they
            // cannot be separated.
            let bars = line.split(|byte| *byte == b'|').skip(1);
            let text = bars.count() > 1 && line.trim_ascii_end().ends_with(b"|s");
            let inseparable = text && settings.tags == Some(Dialect::DogStatsd);
            for written in lines(&beinput).filter(|it| Some(*it) != lines(line).next()) {
                assert!(
                    reads(written) || inseparable,
                    "{settings:?}: {} beinput {}",
                    line.escape_ascii(),
                    written.escape_ascii()
                );
            }
        }
        alone.extend_from_slice(&beinput);
    }
    assert_eq!(rewriter.take_report(), report);
    let (left_lines, alone): (Vec<_>, Vec<_>) = (lines(&left).collect(), lines(&alone).collect());
    assert_eq!(left_lines, alone, "{settings:?}: as if each had come alone");
    left
}

/// True where one reading of a line has a value and a type.
fn reads(line: &[u8]) -> bool {
    let (line, mut from) = (Line::trimmed(line), 0);
    while let Ok(read) = Line::parse_from(line, from) {
        if read.confidence() != Confidence::Wrong {
            return true;
        }
        from = read.name().len() + 1;
    }
    false
}

/// Lines of the emitted generation, from a sender of that generation, are not changed.
fn leaves_again(plan: &Arc<StatsdPlan>, left: &[u8], emit: Emit) {
    let mut rewriter = Rewriter::new(Arc::clone(plan));
    let (mut sender, mut again) = (Sender::default(), Vec::new());
    let own: &[u8] = match emit {
        Emit::Old => b"kong.a.request.count:1|c",
        _ => b"kong.service.a.request.count:1|c",
    };
    let outcome = rewriter.rewrite(own, &mut sender, &mut again);
    assert_eq!(outcome, Outcome::Untouched, "it has the emitted generation");
    let outcome = rewriter.rewrite(left, &mut sender, &mut again);
    let (left, again) = (left.escape_ascii(), again.escape_ascii());
    assert!(outcome == Outcome::Untouched, "{emit:?} twice\nonce:  {left}\ntwice: {again}");
}

/// Packs a datagram and its rewritten lines.
fn packs(datagram: &[u8], left: &[u8], limit: usize) {
    let mut packer = Packer::new(limit);
    packer.push(datagram);
    packer.push_lines(left);
    packer.push_lines(left);
    packer.push(datagram);
    packer.complete();
    let input = || [datagram, left, left, datagram].into_iter().flat_map(lines);
    assert!(packer.datagrams().flat_map(lines).eq(input()), "none lost, split, joined or moved");
    for packed in packer.datagrams() {
        assert!(!packed.is_empty());
        let whole = packed == datagram || lines(packed).nth(1).is_none();
        assert!(whole || limit == 0 || packed.len() <= limit, "{} bytes", packed.len());
    }
    if limit == 0 && !datagram.is_empty() {
        assert_eq!(packer.datagrams().next(), Some(datagram), "unchanged");
        assert_eq!(packer.datagrams().last(), Some(datagram), "unchanged");
    }
}

/// Cuts a stream in two.
fn frames(stream: &[u8], cut: usize, limit: usize) {
    let (before, after) = stream.split_at(cut);
    let framed = |reads: &[&[u8]]| {
        let mut framer = Framer::new(limit);
        let mut whole = Vec::new();
        for read in reads {
            framer.feed(read, |lines| {
                assert!(lines.ends_with(b"\n"), "only whole lines");
                whole.extend_from_slice(lines);
            });
        }
        framer.finish(|line| whole.extend_from_slice(line));
        (whole, framer.oversized())
    };
    let (whole, oversized) = framed(&[stream]);
    assert_eq!(framed(&[before, after]), (whole.clone(), oversized), "cut at {cut}");
    let fits = |line: &&[u8]| line.len() <= limit;
    assert!(lines(&whole).eq(lines(stream).filter(fits)), "in order");
    let too_long = lines(stream).filter(|line| !fits(line)).count();
    assert_eq!(oversized, too_long as u64);
}
