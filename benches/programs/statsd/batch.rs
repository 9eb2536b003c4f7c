//! Datagrams in batches, with blocking sockets: what the load generator, the sink and the null
//! relay are made of.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

/// As many as Crossfade takes.
pub(crate) const BATCH: usize = 64;

/// As far apart as Crossfade's, see `src/relay/batch.rs`.
const SLOT: usize = 65_536 + 23 * 64;

pub(crate) struct Receiver {
    headers: MultiHeaders<SockaddrIn>,
    buffer: Vec<u8>,
    lens: [usize; BATCH],
    count: usize,
}

impl Receiver {
    pub(crate) fn new() -> Receiver {
        Receiver {
            headers: MultiHeaders::preallocate(BATCH, None),
            buffer: vec![0; BATCH * SLOT],
            lens: [0; BATCH],
            count: 0,
        }
    }

    /// Waits for one datagram and takes what else is there; 0 when the socket's read timeout has
    /// passed.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let mut slots = self.buffer.chunks_exact_mut(SLOT);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(slots.next().expect("a slot for each"))]);
        let flags = MsgFlags::MSG_WAITFORONE;
        self.count = 0;
        match recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None) {
            Ok(messages) => {
                for (len, message) in self.lens.iter_mut().zip(messages) {
                    *len = message.bytes;
                    self.count += 1;
                }
                Ok(self.count)
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let slots = self.buffer.chunks_exact(SLOT).zip(&self.lens).take(self.count);
        slots.map(|(slot, len)| &slot[..*len])
    }
}

pub(crate) struct Transmitter {
    headers: MultiHeaders<()>,
}

impl Transmitter {
    pub(crate) fn new() -> Transmitter {
        Transmitter { headers: MultiHeaders::preallocate(BATCH, None) }
    }

    /// Sends all of them, in batches, to where the socket is connected.
    pub(crate) fn send<'a>(
        &mut self,
        socket: &UdpSocket,
        mut datagrams: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        loop {
            let mut slices = [[IoSlice::new(&[])]; BATCH];
            let mut count = 0;
            for (slice, datagram) in slices.iter_mut().zip(&mut datagrams) {
                *slice = [IoSlice::new(datagram)];
                count += 1;
            }
            let mut rest = &slices[..count];
            while !rest.is_empty() {
                let flags = MsgFlags::empty();
                let sent =
                    sendmmsg(socket.as_raw_fd(), &mut self.headers, rest, [None; BATCH], [], flags);
                match sent {
                    Ok(sent) => rest = &rest[sent.count()..],
                    Err(Errno::ECONNREFUSED | Errno::EINTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if count < BATCH {
                return Ok(());
            }
        }
    }
}
