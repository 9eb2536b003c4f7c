//! Rewrites datagrams once: a small program for callgrind and perf.
//!
//! ```text
//! cargo run --release --example statsd_once -- old new 0 20000     # Kong 2.8, emit new, a line each
//! cargo run --release --example statsd_once -- old new 1400 20000  # the same, packed
//! ```

#[path = "statsd/lines.rs"]
mod lines;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

use crossfade::mapping::{Emit, StatsdPlan, StatsdSettings, compile_statsd};
use crossfade::packs;
use crossfade::rewrite::statsd::{Outcome, Rewriter, Sender};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [kind, emit, bytes, count] = args[..] else { return usage() };
    let emit = match emit {
        "old" => Emit::Old,
        "new" => Emit::New,
        "both" => Emit::Both,
        _ => return usage(),
    };
    let (Ok(bytes), Ok(count)) = (bytes.parse(), count.parse()) else { return usage() };
    let lines = match kind {
        "new" => renamed(&lines::of_kind("old").expect("a kind")),
        _ => match lines::of_kind(kind) {
            Some(lines) => lines,
            None => return usage(),
        },
    };
    let datagrams = lines::datagrams(lines.iter().cycle().take(count), bytes);
    let written = rewrite(&plan(emit), &datagrams);
    println!("{count} lines in, {written} bytes out");
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: statsd_once old|new|tagged|foreign old|new|both BYTES LINES");
    ExitCode::from(2)
}

fn plan(emit: Emit) -> Arc<StatsdPlan> {
    let plan = compile_statsd(&packs::builtin(), &StatsdSettings::new(emit));
    Arc::new(plan.unwrap_or_else(|errors| panic!("{errors}")))
}

/// What Kong 3.0 sends instead.
fn renamed(lines: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let outcome = Rewriter::new(plan(Emit::New)).rewrite(
        lines.join("\n").as_bytes(),
        &mut Sender::default(),
        &mut out,
    );
    assert_eq!(outcome, Outcome::Rewritten);
    String::from_utf8(out).expect("the lines are text").lines().map(str::to_owned).collect()
}

/// Kept apart, so that a profile can be limited to it.
#[inline(never)]
fn rewrite(plan: &Arc<StatsdPlan>, datagrams: &[(Vec<u8>, u64)]) -> usize {
    let mut rewriter = Rewriter::new(Arc::clone(plan));
    let (mut sender, mut out) = (Sender::default(), Vec::with_capacity(64 * 1024));
    let mut written = 0;
    for (datagram, _) in datagrams {
        out.clear();
        written += match rewriter.rewrite(black_box(datagram), &mut sender, &mut out) {
            Outcome::Untouched => datagram.len(),
            Outcome::Rewritten => black_box(&out).len(),
        };
    }
    written
}
