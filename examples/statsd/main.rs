//! What relaying costs: CPU per line of Crossfade beside a relay that does the same system calls and looks at nothing.
//!
//! ```text
//! cargo build --release --bins --examples
//! target/release/examples/statsd measure            # both, interleaved, for single and packed datagrams
//! target/release/examples/statsd null LISTEN SINK   # only the floor, for runs of your own
//! target/release/examples/statsd sink LISTEN        # counts what arrives
//! target/release/examples/statsd load RELAY LINES_PER_SECOND SECONDS BYTES
//! ```

mod batch;
mod load;
mod measure;
mod null;
mod sink;

use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["measure"] => measure::run(),
        ["null", listen, sink] => null::run(listen, sink),
        ["sink", listen] => sink::run(listen),
        ["load", relay, rate, seconds, bytes] => run_load(relay, rate, seconds, bytes),
        _ => {
            eprintln!(
                "statsd measure | null LISTEN SINK | sink LISTEN | load RELAY RATE SECONDS BYTES"
            );
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("statsd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_load(relay: &str, rate: &str, seconds: &str, bytes: &str) -> std::io::Result<()> {
    let number = |text: &str| text.parse().map_err(|_| std::io::Error::other("expected a number"));
    let seconds = Duration::from_secs(number(seconds)?);
    let bytes = usize::try_from(number(bytes)?).unwrap_or(usize::MAX);
    let sent = load::send(relay, number(rate)?, seconds, bytes)?;
    println!("{sent} lines sent");
    Ok(())
}
