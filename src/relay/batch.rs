//! Many datagrams per system call.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockaddrLike, SockaddrStorage, recvmmsg, sendmmsg,
};

/// Most datagrams of one system call. More gain little: their cost is the kernel's, per datagram.
pub(super) const BATCH: usize = 64;

/// Room for one datagram. UDP over `IPv6` goes up to 65,527 bytes.
const SLOT: usize = 65_536;

/// Receives datagrams.
///
/// The buffer is 4 MiB of address space. Only the pages that datagrams have filled take memory: a page for each slot
/// where datagrams are of ordinary size.
pub(super) struct Receiver {
    headers: MultiHeaders<SockaddrStorage>,
    buffer: Vec<u8>,
    received: [Received; BATCH],
    count: usize,
}

#[derive(Clone, Copy, Default)]
struct Received {
    len: usize,
    truncated: bool,
    peer: Option<IpAddr>,
}

/// One datagram of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) bytes: &'a [u8],
    /// It was longer than any that UDP can carry; what is here is its beginning.
    pub(super) truncated: bool,
    /// Who sent it, where that is known.
    pub(super) peer: Option<IpAddr>,
}

impl Receiver {
    pub(super) fn new() -> Receiver {
        Receiver {
            headers: MultiHeaders::preallocate(BATCH, None),
            buffer: vec![0; BATCH * SLOT],
            received: [Received::default(); BATCH],
            count: 0,
        }
    }

    /// Takes what has arrived, up to [`BATCH`] datagrams. Does not wait.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when nothing has arrived, or what the operating system says.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.count = 0;
        let mut slots = self.buffer.chunks_exact_mut(SLOT);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|_| {
            [IoSliceMut::new(slots.next().expect("the buffer has a slot for each"))]
        });
        let flags = MsgFlags::MSG_DONTWAIT;
        let messages =
            recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None)?;
        for (received, message) in self.received.iter_mut().zip(messages) {
            *received = Received {
                len: message.bytes.min(SLOT),
                truncated: message.flags.contains(MsgFlags::MSG_TRUNC),
                peer: message.address.as_ref().and_then(ip),
            };
            self.count += 1;
        }
        Ok(self.count)
    }

    /// The datagrams that were received last, in order.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let slots = self.buffer.chunks_exact(SLOT).zip(&self.received).take(self.count);
        slots.map(|(slot, received)| Datagram {
            bytes: &slot[..received.len],
            truncated: received.truncated,
            peer: received.peer,
        })
    }
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    // A Unix peer mostly has no address, and then not even a family.
    if address.len() == 0 {
        return None;
    }
    if let Some(address) = address.as_sockaddr_in() {
        return Some(IpAddr::V4(address.ip()));
    }
    address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()))
}

/// Sends datagrams to where a socket is connected.
pub(super) struct Transmitter {
    headers: MultiHeaders<()>,
}

impl Transmitter {
    pub(super) fn new() -> Transmitter {
        Transmitter { headers: MultiHeaders::preallocate(BATCH, None) }
    }

    /// Sends datagrams, up to [`BATCH`], and returns how many the kernel has taken: at least one. Does not wait.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when the kernel takes none now, or what was wrong with the first.
    pub(super) fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        datagrams: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<usize> {
        let mut slices = [[IoSlice::new(&[])]; BATCH];
        let mut count = 0;
        for (slice, datagram) in slices.iter_mut().zip(datagrams) {
            *slice = [IoSlice::new(datagram)];
            count += 1;
        }
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let slices = &slices[..count];
        let sent =
            sendmmsg(socket.as_raw_fd(), &mut self.headers, slices, [None; BATCH], [], flags)?;
        Ok(sent.count())
    }
}

/// What an error of a datagram socket means for what was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendFault {
    /// Nobody listened when an earlier datagram arrived. This one was not sent, and can be.
    Refused,
    /// The datagram is longer than the way to the sink allows.
    TooLong,
    /// The way to the sink is not there, or not now.
    Away,
}

impl SendFault {
    pub(super) fn of(error: &io::Error) -> SendFault {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ECONNREFUSED) => SendFault::Refused,
            Some(Errno::EMSGSIZE) => SendFault::TooLong,
            _ => SendFault::Away,
        }
    }
}
