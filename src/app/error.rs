//! Why the gateway did not start or reload.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::document::Diagnostics;
use crate::relay;
use crate::scrape::ClientErrors;

/// Why the gateway did not start or reload.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings, a pack or the web configuration file cannot be used.
    #[error(transparent)]
    Files(#[from] Diagnostics),
    /// A target's HTTP client cannot be built.
    #[error("target {name}: {errors}")]
    Target {
        /// The target's name.
        name: String,
        /// What is wrong.
        errors: ClientErrors,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({setting}): {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The setting it came from.
        setting: &'static str,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The sockets that systemd should have passed cannot be used.
    #[error("cannot listen on the sockets of systemd (web.systemd_socket): {0}")]
    SystemdSocket(io::Error),
    /// A `StatsD` address cannot be listened on.
    #[error(transparent)]
    Relay(#[from] relay::BindError),
    /// Files cannot be read or packs compiled in time.
    #[error(
        "reading the files and compiling the packs took more than {} seconds; check the file systems",
        .0.as_secs()
    )]
    TooSlow(Duration),
    /// An earlier reload that took too long has not ended.
    #[error("an earlier reload still waits for its files; check the file systems")]
    StillReading,
    /// A reload ended in a panic.
    #[error("the reload ended in a panic, which is a bug; the log has the details")]
    Panicked,
    /// A reload needs a thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// A setting that needs a restart has changed.
    #[error(
        "{} cannot be changed without a restart; restart, or restore the previous value",
        .0.join(", ")
    )]
    Restart(Vec<&'static str>),
}
