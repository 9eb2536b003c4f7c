//! What relaying costs: CPU per line of Crossfade beside a relay that does the same system calls
//! and looks at nothing.
//!
//! ```text
//! cargo build --release --bins --examples
//! target/release/examples/statsd measure            # CPU and memory, interleaved, for single and packed datagrams
//! target/release/examples/statsd capacity           # the rate at which each begins to lose lines
//! target/release/examples/statsd null LISTEN SINK   # only the floor, for runs of your own
//! target/release/examples/statsd sink LISTEN        # counts what arrives
//! target/release/examples/statsd load RELAY LINES_PER_SECOND SECONDS BYTES
//! target/release/examples/statsd lines old|tagged|foreign COUNT
//! ```

mod batch;
mod load;
mod measure;
mod null;
mod sink;

use std::io;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["measure"] => measure::run(),
        ["capacity"] => measure::capacity(),
        ["null", listen, sink] => null::run(listen, sink),
        ["sink", listen] => sink::run(listen),
        ["load", relay, rate, seconds, bytes] => run_load(relay, rate, seconds, bytes),
        ["lines", kind, count] => number(count).and_then(|count| load::print(kind, count)),
        _ => {
            eprintln!(
                "statsd measure | capacity | null LISTEN SINK | sink LISTEN | load RELAY RATE SECONDS BYTES \
                 | lines KIND COUNT"
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

fn number<N: FromStr>(text: &str) -> io::Result<N> {
    text.parse().map_err(|_| io::Error::other(format!("expected a number, not {text}")))
}

fn run_load(relay: &str, rate: &str, seconds: &str, bytes: &str) -> io::Result<()> {
    let seconds = Duration::from_secs(number(seconds)?);
    let sent = load::send(relay, number(rate)?, seconds, number(bytes)?)?;
    println!("{sent} lines sent");
    Ok(())
}
