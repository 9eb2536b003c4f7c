//! Many datagrams per system call.

use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::thread::LocalKey;

use nix::errno::Errno;
use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg, sendmmsg,
};

/// Maximum number of datagrams per system call. A larger batch gains little: the remaining cost is
/// per datagram.
pub(super) const BATCH: usize = 64;

/// Room for one datagram. UDP over `IPv6` goes up to 65,527 bytes.
///
/// Slots a power of two apart would all start in the same cache sets and evict each other. The
/// distance therefore has an extra odd number of cache lines, about as many as a packed datagram
/// has.
const SLOT: usize = 65_536 + 23 * 64;

// Headers hold pointers, so they cannot move to another thread with a task. Each use lasts one
// system call.
//
// The kernel stores the length of a peer's address in the header and reads it at the next call, so
// sockets of different families must not share headers.
thread_local! {
    static FROM_V4: RefCell<MultiHeaders<SockaddrIn>> = headers();
    static FROM_V6: RefCell<MultiHeaders<SockaddrIn6>> = headers();
    static FROM_UNIX: RefCell<MultiHeaders<()>> = headers();
    static TO_PEER: RefCell<MultiHeaders<()>> = headers();
}

fn headers<S: SockaddrLike + Copy>() -> RefCell<MultiHeaders<S>> {
    RefCell::new(MultiHeaders::preallocate(BATCH, None))
}

/// The address family of the peers of a socket.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peers {
    V4,
    V6,
    /// Unix: peers have no address.
    Unix,
}

/// Receives datagrams.
///
/// The buffer is 4 MiB of address space. Only pages that datagrams have filled use memory: one or
/// two per slot with datagrams of ordinary size.
#[derive(Debug)]
pub(super) struct Receiver {
    peers: Peers,
    buffer: Vec<u8>,
    received: [Received; BATCH],
    count: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Received {
    len: usize,
    truncated: bool,
    peer: Option<IpAddr>,
}

/// One datagram of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether it was too long for the slot; `bytes` is its beginning.
    pub(super) truncated: bool,
    /// The peer, if known.
    pub(super) peer: Option<IpAddr>,
}

impl Receiver {
    pub(super) fn new(peers: Peers) -> Receiver {
        Receiver {
            peers,
            buffer: vec![0; BATCH * SLOT],
            received: [Received::default(); BATCH],
            count: 0,
        }
    }

    /// Receives up to [`BATCH`] datagrams. Does not wait.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when nothing has arrived, or an error of the operating system.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        match self.peers {
            Peers::V4 => self.receive_from(socket, &FROM_V4, |peer| Some(peer.ip().into())),
            Peers::V6 => self.receive_from(socket, &FROM_V6, |peer| Some(peer.ip().into())),
            Peers::Unix => self.receive_from(socket, &FROM_UNIX, |()| None),
        }
    }

    fn receive_from<S: SockaddrLike + Copy>(
        &mut self,
        socket: BorrowedFd<'_>,
        headers: &'static LocalKey<RefCell<MultiHeaders<S>>>,
        ip: impl Fn(S) -> Option<IpAddr>,
    ) -> io::Result<usize> {
        self.count = 0;
        headers.with_borrow_mut(|headers| {
            let mut slots = self.buffer.chunks_exact_mut(SLOT);
            let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|_| {
                [IoSliceMut::new(slots.next().expect("the buffer has a slot for each"))]
            });
            let flags = MsgFlags::MSG_DONTWAIT;
            let messages = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)?;
            for (received, message) in self.received.iter_mut().zip(messages) {
                *received = Received {
                    len: message.bytes.min(SLOT),
                    truncated: message.flags.contains(MsgFlags::MSG_TRUNC),
                    peer: message.address.and_then(&ip),
                };
                self.count += 1;
            }
            Ok(self.count)
        })
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

/// Sends up to [`BATCH`] datagrams on a connected socket. Returns how many the kernel accepted: at
/// least one. Does not wait.
///
/// # Errors
///
/// [`io::ErrorKind::WouldBlock`] when the kernel accepts none now, or the error of the first
/// datagram.
pub(super) fn send<'a>(
    socket: BorrowedFd<'_>,
    datagrams: impl Iterator<Item = &'a [u8]>,
) -> io::Result<usize> {
    let mut slices = [[IoSlice::new(&[])]; BATCH];
    let mut count = 0;
    for (slice, datagram) in slices.iter_mut().zip(datagrams) {
        *slice = [IoSlice::new(datagram)];
        count += 1;
    }
    let slices = &slices[..count];
    TO_PEER.with_borrow_mut(|headers| {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let sent = sendmmsg(socket.as_raw_fd(), headers, slices, [None; BATCH], [], flags)?;
        Ok(sent.count())
    })
}

/// How to handle an error of a datagram socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendErrorKind {
    /// No process listened when an earlier datagram arrived. The current one was not sent and can
    /// be sent again.
    Refused,
    /// The datagram is longer than the path to the sink allows.
    TooLong,
    /// The sink cannot be reached.
    Away,
}

impl SendErrorKind {
    pub(super) fn of(error: &io::Error) -> SendErrorKind {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ECONNREFUSED) => SendErrorKind::Refused,
            Some(Errno::EMSGSIZE) => SendErrorKind::TooLong,
            _ => SendErrorKind::Away,
        }
    }
}
