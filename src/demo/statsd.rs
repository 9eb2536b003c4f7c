//! A simulated `StatsD` plugin of both versions of Kong, and a simulated `StatsD` server.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{interval, timeout};

/// The lines of Kong 2.8 for a request.
const OLD: [&str; 3] = [
    "kong.catalog.request.count:1|c",
    "kong.catalog.request.status.200:1|c",
    "kong.catalog.request.size:512|ms",
];

/// The lines of Kong 3.9 for the same request.
const NEW: [&str; 3] = [
    "kong.service.catalog.request.count:1|c",
    "kong.service.catalog.status.200:1|c",
    "kong.service.catalog.request.size:512|c",
];

/// Time limit for a datagram on the loopback interface.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lines that were sent, and the lines that the server received.
pub(super) type Exchanged = Vec<(&'static str, Vec<String>)>;

/// A plugin and a server.
#[derive(Debug)]
pub(super) struct Statsd {
    plugin: UdpSocket,
    server: UdpSocket,
}

impl Statsd {
    pub(super) async fn bind() -> io::Result<Statsd> {
        let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        Ok(Statsd { plugin: bind().await?, server: bind().await? })
    }

    /// The address of the server.
    pub(super) fn server(&self) -> io::Result<SocketAddr> {
        self.server.local_addr()
    }

    /// Sends the lines of Kong 3.9 one by one, and returns the lines that arrive.
    pub(super) async fn exchange(&self, gateway: SocketAddr) -> io::Result<Exchanged> {
        let mut exchanged = Vec::new();
        let mut buffer = [0; 2048];
        for line in NEW {
            self.plugin.send_to(line.as_bytes(), gateway).await?;
            let len = timeout(PATIENCE, self.server.recv(&mut buffer)).await??;
            let lines = buffer[..len].split(|byte| *byte == b'\n');
            exchanged.push((line, lines.map(|line| line.escape_ascii().to_string()).collect()));
        }
        Ok(exchanged)
    }

    /// Sends the lines of both versions once a second.
    pub(super) async fn go_on(&self, gateway: SocketAddr) -> io::Result<Infallible> {
        let mut seconds = interval(Duration::from_secs(1));
        let mut buffer = [0; 2048];
        loop {
            tokio::select! {
                _ = seconds.tick() => {
                    for line in OLD.iter().chain(&NEW) {
                        self.plugin.send_to(line.as_bytes(), gateway).await?;
                    }
                }
                received = self.server.recv(&mut buffer) => drop(received?),
            }
        }
    }
}
