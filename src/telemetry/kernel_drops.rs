//! Datagrams that the kernel drops because a socket is not read fast enough.
//!
//! The kernel's own counter of each UDP socket is read from `/proc/net/udp` at each scrape. It is
//! the number that `SO_RXQ_OVFL` reports, which arrives only with the next datagram, and so never
//! after the last one.

use std::collections::HashMap;
use std::fs;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use super::series::Forget as _;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, Opts};

const TABLES: [&str; 2] = ["/proc/net/udp", "/proc/net/udp6"];

/// Reads the counters of sockets whenever it is collected. Clones share their state.
#[derive(Clone, Debug)]
pub(super) struct KernelDrops {
    counters: IntCounterVec,
    sockets: Arc<Mutex<HashMap<u64, Socket>>>,
}

#[derive(Debug)]
struct Socket {
    listener: Arc<str>,
    /// The values last read. A closed socket keeps its value.
    drops: u64,
}

impl KernelDrops {
    pub(super) fn new() -> prometheus::Result<KernelDrops> {
        let counters = IntCounterVec::new(
            Opts::new(
                "crossfade_statsd_kernel_dropped_datagrams_total",
                "Datagrams that the kernel dropped because the listener's buffer was full.",
            ),
            &["listener"],
        )?;
        Ok(KernelDrops { counters, sockets: Arc::default() })
    }

    /// Reads these sockets from now on.
    pub(super) fn watch(&self, listener: &Arc<str>, sockets: &[UdpSocket]) {
        self.counters.with_label_values(&[listener]);
        let mut watched = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets {
            // Without /proc there is no count.
            if let Ok(link) = fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())) {
                watched.insert(link.ino(), Socket { listener: Arc::clone(listener), drops: 0 });
            }
        }
    }

    /// Forgets a listener and its sockets.
    pub(super) fn forget(&self, listener: &str) {
        let mut watched = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, socket| *socket.listener != *listener);
        self.counters.forget("listener", listener);
    }

    fn read(&self) {
        let mut watched = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.is_empty() {
            return;
        }
        for table in TABLES {
            let Ok(table) = fs::read_to_string(table) else { continue };
            for (inode, drops) in table.lines().filter_map(entry) {
                if let Some(socket) = watched.get_mut(&inode)
                    && let Some(more) = drops.checked_sub(socket.drops)
                {
                    self.counters.with_label_values(&[&*socket.listener]).inc_by(more);
                    socket.drops = drops;
                }
            }
        }
    }
}

/// The inode and the drops of a socket: fields 10 and 13 of its line.
fn entry(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_ascii_whitespace().skip(9);
    let inode = fields.next()?.parse().ok()?;
    Some((inode, fields.nth(2)?.parse().ok()?))
}

impl Collector for KernelDrops {
    fn desc(&self) -> Vec<&Desc> {
        self.counters.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.read();
        self.counters.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";
        assert_eq!(entry(head), None);
        let line = "  510: 00000000:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 48211 2 0000000000000000 37";
        assert_eq!(entry(line), Some((48211, 37)));
        assert_eq!(entry(""), None);
    }

    #[test]
    fn drops_of_a_socket_that_is_not_read() {
        let drops = KernelDrops::new().expect("well-formed");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        drops.watch(&"test".into(), std::slice::from_ref(&socket));
        let value = || {
            drops.read();
            drops.counters.with_label_values(&["test"]).get()
        };
        assert_eq!(value(), 0);
        let peer = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let to = socket.local_addr().expect("bound");
        // More than a buffer of the default size holds.
        let sent = 20_000;
        for _ in 0..sent {
            peer.send_to(&[b'x'; 1400], to).expect("the loopback takes everything");
        }
        socket.set_nonblocking(true).expect("a socket");
        let mut buffer = [0; 2048];
        let read = std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count() as u64;
        assert!(read < sent);
        assert_eq!(value(), sent - read);
    }
}
