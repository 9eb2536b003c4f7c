//! TCP keepalive: the kernel detects peers that no longer exist.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// Number of checks without an answer after which a peer is considered gone.
const RETRIES: u32 = 3;

/// The times that the kernel accepts.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(32_767);

/// Makes the kernel check a peer that has been silent for `time`, and close the connection if three
/// checks in a row, a third of that time apart, have no answer.
pub(super) fn set(socket: &impl AsFd, time: Option<Duration>) -> io::Result<()> {
    let Some(time) = time else { return Ok(()) };
    let keepalive = TcpKeepalive::new()
        .with_time(time.clamp(SHORTEST, LONGEST))
        .with_interval((time / RETRIES).clamp(SHORTEST, LONGEST))
        .with_retries(RETRIES);
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}
