//! Datagram sinks: UDP and Unix.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use tokio::io::Interest;
use tokio::net::{UdpSocket, UnixDatagram};

use super::super::resolve::Addresses;
use super::{SinkTask, address, moved};
use crate::relay::mmsg::{BATCH, SendErrorKind, send};
use crate::relay::sink_queue::SinkQueue;

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

/// Why a socket is closed.
enum End {
    /// The queue is closed and empty.
    Done,
    /// The sink's name resolves to other addresses.
    Moved,
    /// No process listens at the address.
    Refused(io::Error),
    /// The socket failed.
    Broken(io::Error),
}

pub(super) async fn udp(mut task: SinkTask, mut addresses: Addresses) {
    let mut turn = 0;
    while task.receiver.ready().await {
        let Some(to) = address(&mut addresses, turn, &task).await else { return };
        let end = match Socket::udp(to) {
            Ok(socket) => {
                tokio::select! {
                    end = send_all(&socket, &mut task) => end,
                    () = moved(&mut addresses) => End::Moved,
                }
            }
            Err(error) => End::Broken(error),
        };
        match end {
            End::Done => return,
            End::Moved => {}
            End::Refused(_) => {
                // Lost like any datagram that UDP loses. Try the next address.
                task.queue().metrics().failed("refused");
                turn += 1;
            }
            End::Broken(error) => {
                turn += 1;
                if !task.fail("send", &error).await {
                    return;
                }
            }
        }
    }
}

pub(super) async fn unix(mut task: SinkTask, path: PathBuf) {
    while task.receiver.ready().await {
        let end = match Socket::unix(&path) {
            Ok(socket) => send_all(&socket, &mut task).await,
            Err(error) => End::Broken(error),
        };
        let (End::Refused(error) | End::Broken(error)) = end else { return };
        if !task.fail("connect", &error).await {
            return;
        }
    }
}

/// Sends queued datagrams until the socket fails. Cancel safe: a datagram is either sent or still
/// queued.
async fn send_all(socket: &Socket, task: &mut SinkTask) -> End {
    while task.receiver.ready().await {
        if let Err(error) = socket.writable().await {
            return End::Broken(error);
        }
        match socket.try_write(|fd| send_batch(fd, task.queue())) {
            Ok(()) => task.succeed(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => match SendErrorKind::of(&error) {
                SendErrorKind::TooLong => {
                    let left = task.queue().with_queue(|queue| queue.pop(1));
                    task.queue().metrics().dropped_too_long(left.lines);
                }
                SendErrorKind::Refused => return End::Refused(error),
                SendErrorKind::Away => return End::Broken(error),
            },
        }
    }
    End::Done
}

fn send_batch(fd: BorrowedFd<'_>, queue: &SinkQueue) -> io::Result<()> {
    let left = queue.with_queue(|queue| {
        let sent = send(fd, queue.datagrams().take(BATCH))?;
        Ok::<_, io::Error>(queue.pop(sent))
    })?;
    queue.metrics().sent(left.datagrams, left.lines, left.bytes);
    Ok(())
}
