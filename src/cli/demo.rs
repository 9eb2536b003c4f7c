//! `crossfade demo`: see it work, with nothing else installed.

use std::io::{IsTerminal as _, Write as _, stdout};

use anyhow::Context as _;
use clap::Args;

use super::signals::StopSignals;
use crate::demo::{Demo, Ports};
use crate::shutdown::Shutdown;
use crate::telemetry::{self, LogFormat, LogLevel, LogSettings};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The gateway's port; the next three are taken too. 0 takes any [default: 9542, or any that is free].
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    // The screen is for what there is to see; only what goes wrong is logged.
    telemetry::start_log(LogSettings { level: LogLevel::Warn, format: LogFormat::Logfmt });
    let ports = match arguments.port {
        None => Ports::Preferred,
        Some(0) => Ports::Free,
        Some(port) => Ports::From(port),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        let stop = StopSignals::install()?;
        let is_terminal = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let show = |screen: &str| {
            // Without anyone to read it the gateway is still there to be scraped.
            drop(stdout().write_all(screen.as_bytes()));
        };
        let demo = Demo::bind(ports).await?;
        tokio::select! {
            ended = demo.run(&shutdown, is_terminal, show) => Ok(ended?),
            () = stop.handle(&shutdown) => Ok(()),
        }
    })
}
