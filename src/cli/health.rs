//! `crossfade health`: for container probes in images that have no curl.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::config::TargetUrl;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What to ask.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9543/-/healthy")]
    url: TargetUrl,
}

/// Orchestrators give a probe a second or so unless told otherwise; longer than this nobody waits.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks, and fails unless the answer is 200. No runtime is started for it: a probe runs every few seconds.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let TargetUrl(url) = &arguments.url;
    let authority = url.authority().context("the URL has no host")?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let addresses = (host, authority.port_u16().unwrap_or(80)).to_socket_addrs()?;
    let address = addresses.into_iter().next().with_context(|| format!("{host} has no address"))?;

    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let path = url.path();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")?;
        // The status line is all that matters, and fits.
        let mut answer = Vec::new();
        stream.take(512).read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().with_context(|| format!("no answer from {url}"))?;
    let status = answer.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if status != b"200" {
        bail!("{url} answered {}", status.escape_ascii());
    }
    Ok(())
}
