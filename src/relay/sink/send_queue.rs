//! How many bytes of a TCP connection its peer has not acknowledged, from the kernel's socket
//! diagnostics (netlink).
//!
//! `SIOCOUTQ` returns the same number, but has no safe wrapper.

use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;

/// Length of `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;

/// Offset of `idiag_wqueue` in the answer.
const WRITE_QUEUE: usize = HEADER_BYTES + 4 + 48 + 4 + 4;

/// Requests the send queue of one connection.
#[derive(Debug)]
pub(super) struct SendQueue {
    netlink: Socket,
    request: Vec<u8>,
}

impl SendQueue {
    pub(super) fn new(local: SocketAddr, peer: SocketAddr) -> io::Result<SendQueue> {
        let netlink = Socket::new(
            Domain::from(AF_NETLINK),
            Type::DGRAM.cloexec(),
            Some(Protocol::from(NETLINK_SOCK_DIAG)),
        )?;
        netlink.set_nonblocking(true)?;
        Ok(SendQueue { netlink, request: request(local, peer) })
    }

    /// Number of bytes that were written and not acknowledged. Does not wait: the kernel answers at
    /// once.
    ///
    /// # Errors
    ///
    /// The connection does not exist any more, or the kernel does not answer.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        self.netlink.send(&self.request)?;
        let mut answer = [0; 1024];
        let length = (&self.netlink).read(&mut answer)?;
        let answer = &answer[..length];
        let kind = answer.get(4..6).map(|kind| [kind[0], kind[1]]);
        let queue = answer.get(WRITE_QUEUE..).and_then(<[u8]>::first_chunk);
        match (kind.map(u16::from_ne_bytes), queue) {
            (Some(SOCK_DIAG_BY_FAMILY), Some(queue)) => Ok(u32::from_ne_bytes(*queue).into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
fn request(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut request = Vec::new();
    request.extend_from_slice(&[0; 4]);
    request.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    request.extend_from_slice(&[0; 8]);
    request.extend_from_slice(&[family, IPPROTO_TCP, 0, 0]);
    // Any state.
    request.extend_from_slice(&u32::MAX.to_ne_bytes());
    request.extend_from_slice(&local.port().to_be_bytes());
    request.extend_from_slice(&peer.port().to_be_bytes());
    for ip in [local.ip(), peer.ip()] {
        let mut bytes = [0; 16];
        match ip {
            IpAddr::V4(ip) => bytes[..4].copy_from_slice(&ip.octets()),
            IpAddr::V6(ip) => bytes = ip.octets(),
        }
        request.extend_from_slice(&bytes);
    }
    // Any interface, any cookie.
    request.extend_from_slice(&[0; 4]);
    request.extend_from_slice(&[0xff; 8]);
    let length = u32::try_from(request.len()).expect("a few bytes");
    request[..4].copy_from_slice(&length.to_ne_bytes());
    request
}
