//! Sinks that take datagrams: UDP and Unix.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use tokio::io::Interest;
use tokio::net::{UdpSocket, UnixDatagram};

use super::super::resolve::Addresses;
use super::{Way, address, moved};
use crate::relay::mmsg::{BATCH, SendFault, send};
use crate::relay::sink_queue::Lane;

/// A connected socket.
enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Socket {
    fn udp(to: SocketAddr) -> io::Result<Socket> {
        let any: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = std::net::UdpSocket::bind(any)?;
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        Ok(Socket::Udp(UdpSocket::from_std(socket)?))
    }

    fn unix(to: &Path) -> io::Result<Socket> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(to)?;
        Ok(Socket::Unix(socket))
    }

    async fn writable(&self) -> io::Result<()> {
        match self {
            Socket::Udp(socket) => socket.writable().await,
            Socket::Unix(socket) => socket.writable().await,
        }
    }

    fn try_write<T>(&self, send: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        match self {
            Socket::Udp(socket) => socket.try_io(Interest::WRITABLE, || send(socket.as_fd())),
            Socket::Unix(socket) => socket.try_io(Interest::WRITABLE, || send(socket.as_fd())),
        }
    }
}

/// Why a socket is given up.
enum End {
    /// Everything is sent.
    Done,
    /// The sink has other addresses.
    Moved,
    /// Nobody listens there.
    Refused(io::Error),
    /// It cannot be used any more.
    Broken(io::Error),
}

pub(super) async fn udp(mut way: Way, mut addresses: Addresses) {
    let mut turn = 0;
    while way.outlet.ready().await {
        let Some(to) = address(&mut addresses, turn, &way).await else { return };
        let end = match Socket::udp(to) {
            Ok(socket) => {
                tokio::select! {
                    end = send_all(&socket, &mut way) => end,
                    () = moved(&mut addresses) => End::Moved,
                }
            }
            Err(error) => End::Broken(error),
        };
        match end {
            End::Done => return,
            End::Moved => {}
            End::Refused(_) => {
                // A datagram to nobody is lost like any other that UDP loses. The next address may be better.
                way.lane().metrics().failed("refused");
                turn += 1;
            }
            End::Broken(error) => {
                turn += 1;
                if !way.fail("send", &error).await {
                    return;
                }
            }
        }
    }
}

pub(super) async fn unix(mut way: Way, path: PathBuf) {
    while way.outlet.ready().await {
        let end = match Socket::unix(&path) {
            Ok(socket) => send_all(&socket, &mut way).await,
            Err(error) => End::Broken(error),
        };
        let (End::Refused(error) | End::Broken(error)) = end else { return };
        if !way.fail("connect", &error).await {
            return;
        }
    }
}

/// Sends what comes until the socket cannot any more. Cancel safe: a datagram is sent or still there.
async fn send_all(socket: &Socket, way: &mut Way) -> End {
    while way.outlet.ready().await {
        if let Err(error) = socket.writable().await {
            return End::Broken(error);
        }
        match socket.try_write(|fd| send_batch(fd, way.lane())) {
            Ok(()) => way.succeed(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => match SendFault::of(&error) {
                SendFault::TooLong => {
                    let left = way.lane().with_queue(|queue| queue.pop(1));
                    way.lane().metrics().dropped_too_long(left.lines);
                }
                SendFault::Refused => return End::Refused(error),
                SendFault::Away => return End::Broken(error),
            },
        }
    }
    End::Done
}

fn send_batch(fd: BorrowedFd<'_>, lane: &Lane) -> io::Result<()> {
    let left = lane.with_queue(|queue| {
        let sent = send(fd, queue.datagrams().take(BATCH))?;
        Ok::<_, io::Error>(queue.pop(sent))
    })?;
    lane.metrics().sent(left.datagrams, left.lines, left.bytes);
    Ok(())
}
