//! `crossfade demo`: shows how the gateway works, without other software.

use std::io::{IsTerminal as _, Write as _, stdout};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::signals::StopSignals;
use crate::demo::{Demo, MAX_PORT, Ports};
use crate::shutdown::Shutdown;
use crate::telemetry::{self, LogFormat, LogLevel, LogSettings};

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade demo
  crossfade demo --port=19542")]
pub(super) struct Arguments {
    /// The port of the gateway. The next three ports are used too. 0 for free ports [default: 9542,
    /// or free ports if it is in use].
    #[arg(long, value_name = "PORT", value_parser = port)]
    port: Option<u16>,

    /// The time between the scrapes of the table. Tests have no time to wait.
    #[arg(long, value_name = "TIME", value_parser = crate::duration::parse, default_value = "1s", hide = true)]
    interval: Duration,
}

/// A port that leaves room for the other ports of the demo.
fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port <= MAX_PORT);
    port.ok_or_else(|| {
        format!("expected a port from 0 to {MAX_PORT}, because the next three ports are used too")
    })
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    // The terminal shows the demo, so only warnings and errors are logged.
    let log = LogSettings { level: LogLevel::Warn, format: LogFormat::Logfmt };
    let _log = telemetry::start_log(log).context("cannot start the log")?;
    telemetry::log_panics();
    let ports = match arguments.port {
        None => Ports::Preferred,
        Some(0) => Ports::Free,
        Some(port) => Ports::From(port),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(async {
        let shutdown = Shutdown::new();
        let mut stop = StopSignals::install()?;
        let is_terminal = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let show = |screen: &str| {
            // If stdout is closed, the gateway can still be scraped.
            drop(stdout().write_all(screen.as_bytes()).and_then(|()| stdout().flush()));
        };
        let demo = Demo::bind(ports).await?;
        tokio::select! {
            ended = demo.run(&shutdown, is_terminal, arguments.interval, show) => Ok(ended?),
            // There is nothing to finish.
            () = stop.next() => Ok(()),
        }
    });
    runtime.shutdown_background();
    ended
}
