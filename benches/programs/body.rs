//! Writes a big body in the shape of Kong 2.8 or 3.9 to stdout.
//!
//! ```text
//! cargo run --release --example body -- old 200 > body.txt      # about 200 MB
//! ```

#[path = "../support/body.rs"]
mod body;

use std::io::{self, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (generation, megabytes) = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [generation @ ("old" | "new"), megabytes] => (generation, megabytes.parse::<usize>().ok()),
        _ => ("", None),
    };
    let Some(bytes) = megabytes.and_then(|megabytes| megabytes.checked_mul(1_000_000)) else {
        eprintln!("usage: body old|new MEGABYTES");
        return ExitCode::from(2);
    };
    let body = if generation == "old" { body::old(bytes) } else { body::new(bytes) };
    match io::stdout().write_all(&body) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write to stdout: {error}");
            ExitCode::FAILURE
        }
    }
}
