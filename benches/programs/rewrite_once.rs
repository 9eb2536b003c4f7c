//! Rewrites a body once: a small program for callgrind and perf.
//!
//! ```text
//! cargo run --release --example rewrite_once -- old new 3         # Kong 2.8 shape, emit new, 3 MB
//! cargo run --release --example rewrite_once -- old new 3 strict  # the same as strict output
//! cargo run --release --example rewrite_once -- old new 3 a.yaml  # with this pack alone
//! cargo run --release --example rewrite_once -- body.txt new      # a body from a file
//! ```

#[path = "../support/body.rs"]
mod body;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

use crossfade::mapping::{self, Emit, Pack};
use crossfade::packs;
use crossfade::rewrite::exposition::{History, Options, Progress, Rewriter};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
    let strict = args.pop_if(|last| *last == "strict").is_some();
    let file = (args.len() > 3).then(|| args.remove(3));
    let megabytes = |size: &str| size.parse().map(|size: usize| size * 1_000_000).ok();
    let (body, emit) = match args[..] {
        ["old", emit, size] => (megabytes(size).map(body::old), emit),
        ["new", emit, size] => (megabytes(size).map(body::new), emit),
        [file, emit] => (Some(std::fs::read(file).expect("a file that can be read")), emit),
        _ => return usage(),
    };
    let emit = match emit {
        "old" => Emit::Old,
        "new" => Emit::New,
        "both" => Emit::Both,
        _ => return usage(),
    };
    let Some(body) = body else { return usage() };
    let packs = match file {
        None => packs::builtin(),
        Some(file) => {
            let text = std::fs::read_to_string(file).expect("a file that can be read");
            vec![Pack::parse(file, &text).unwrap_or_else(|errors| panic!("{errors}"))]
        }
    };
    let plan = mapping::compile(&packs, &mapping::Settings::new(emit));
    let plan = plan.unwrap_or_else(|errors| panic!("{errors}"));
    let (bytes_out, samples_out) = rewrite(plan, &body, strict);
    println!("{} bytes in, {bytes_out} bytes and {samples_out} samples out", body.len());
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: rewrite_once old|new old|new|both MEGABYTES [PACK.yaml] [strict]");
    eprintln!("       rewrite_once FILE old|new|both [strict]");
    ExitCode::from(2)
}

/// Kept apart, so that a profile can be limited to it.
#[inline(never)]
fn rewrite(plan: mapping::Plan, body: &[u8], strict: bool) -> (usize, u64) {
    let options = Options { strict, ..Options::default() };
    let mut rewriter = Rewriter::new(Arc::new(plan), options, History::default());
    let mut out = Vec::new();
    let mut written = 0;
    for chunk in body.chunks(64 * 1024) {
        out.clear();
        rewriter.push(chunk, &mut out).expect("a generated body passes no limit");
        written += black_box(&out).len();
    }
    loop {
        out.clear();
        let progress = rewriter.finish(&mut out).expect("a generated body passes no limit");
        written += black_box(&out).len();
        if progress == Progress::Done {
            return (written, rewriter.report().samples_out);
        }
    }
}
