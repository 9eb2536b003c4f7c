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

/// Most datagrams of one system call. More gain little: their cost is the kernel's, per datagram.
pub(super) const BATCH: usize = 64;

/// Room for one datagram. UDP over `IPv6` goes up to 65,527 bytes.
///
/// Slots that lay a power of two apart would all begin in the same few lines of the CPU's caches, and drive each other
/// out. These are an odd number of lines further apart, about as many as a packed datagram has.
const SLOT: usize = 65_536 + 23 * 64;

// Headers hold pointers, so they cannot move to another thread with the task that uses them. They are in use
// for no longer than a system call.
//
// The kernel writes the length of a peer's address into the header that it finds there the next time: sockets of
// different families must not share headers.
thread_local! {
    static FROM_V4: RefCell<MultiHeaders<SockaddrIn>> = headers();
    static FROM_V6: RefCell<MultiHeaders<SockaddrIn6>> = headers();
    static FROM_UNIX: RefCell<MultiHeaders<()>> = headers();
    static TO_PEER: RefCell<MultiHeaders<()>> = headers();
}

fn headers<S: SockaddrLike + Copy>() -> RefCell<MultiHeaders<S>> {
    RefCell::new(MultiHeaders::preallocate(BATCH, None))
}

/// What kind of address the peers of a socket have.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peers {
    V4,
    V6,
    /// None that would tell them apart.
    Unix,
}

/// Receives datagrams.
///
/// The buffer is 4 MiB of address space. Only the pages that datagrams have filled take memory: one or two for each
/// slot where datagrams are of ordinary size.
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
    /// It was longer than any that UDP can carry; what is here is its beginning.
    pub(super) truncated: bool,
    /// Who sent it, where that is known.
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

    /// Takes what has arrived, up to [`BATCH`] datagrams. Does not wait.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when nothing has arrived, or what the operating system says.
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

/// Sends datagrams, up to [`BATCH`], to where a socket is connected, and returns how many the kernel has taken: at least
/// one. Does not wait.
///
/// # Errors
///
/// [`io::ErrorKind::WouldBlock`] when the kernel takes none now, or what was wrong with the first.
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
