//! Listeners that read datagrams: UDP and Unix.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net as unix;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::{UdpSocket, UnixDatagram};
use tokio_util::sync::CancellationToken;

use super::super::pipeline::Pipeline;
use crate::relay::mmsg::{BATCH, Peers, Receiver};
use crate::relay::peers::Senders;

/// How long to wait after an error of the socket. None is known that would need it; trying again at once could burn a
/// CPU.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Most batches that are still read after it was time to stop: what any socket's buffer can hold, but not
/// what a sender that never stops can send.
const LAST_BATCHES: usize = 1024;

/// What a worker reads from.
enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Socket {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Socket::Udp(socket) => socket.readable().await,
            Socket::Unix(socket) => socket.readable().await,
        }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Udp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        }
    }

    fn try_read<T>(&self, read: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        match self {
            Socket::Udp(socket) => socket.try_io(Interest::READABLE, || read(socket.as_fd())),
            Socket::Unix(socket) => socket.try_io(Interest::READABLE, || read(socket.as_fd())),
        }
    }
}

pub(super) async fn udp(socket: std::net::UdpSocket, pipeline: Pipeline, stop: CancellationToken) {
    let is_v6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
    let peers = if is_v6 { Peers::V6 } else { Peers::V4 };
    match UdpSocket::from_std(socket) {
        Ok(socket) => listen(Socket::Udp(socket), peers, pipeline, stop).await,
        Err(error) => tracing::error!(%error, "Cannot take on a StatsD socket."),
    }
}

pub(super) async fn unix(socket: unix::UnixDatagram, pipeline: Pipeline, stop: CancellationToken) {
    match UnixDatagram::from_std(socket) {
        Ok(socket) => listen(Socket::Unix(socket), Peers::Unix, pipeline, stop).await,
        Err(error) => tracing::error!(%error, "Cannot take on a StatsD socket."),
    }
}

async fn listen(socket: Socket, peers: Peers, mut pipeline: Pipeline, stop: CancellationToken) {
    let mut receiver = Receiver::new(peers);
    let mut senders = Senders::default();
    loop {
        let readable = tokio::select! {
            readable = socket.readable() => readable,
            () = pipeline.replaced() => continue,
            () = stop.cancelled() => break,
        };
        let read = match readable {
            Ok(()) => read(&socket, &mut receiver),
            Err(error) => Err(error),
        };
        match read {
            Ok(count) => {
                hand_on(&receiver, &mut senders, &mut pipeline);
                if count == BATCH {
                    // More is there. The sinks of this worker have a turn first.
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "Cannot read StatsD datagrams.");
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
    // What the kernel has accepted for us already. It is asked itself: the runtime may not have heard yet.
    for _ in 0..LAST_BATCHES {
        match receiver.receive(socket.as_fd()) {
            Ok(_) => hand_on(&receiver, &mut senders, &mut pipeline),
            Err(_) => break,
        }
    }
}

/// Reads a batch, 0 when there is none.
fn read(socket: &Socket, receiver: &mut Receiver) -> io::Result<usize> {
    let mut count = 0;
    let read = socket.try_read(|fd| {
        count = receiver.receive(fd)?;
        // A batch that is not full means that nothing is left. Saying so spares the system call that would find out.
        if count < BATCH { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    match read {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(count),
    }
}

fn hand_on(receiver: &Receiver, senders: &mut Senders, pipeline: &mut Pipeline) {
    pipeline.refresh();
    for datagram in receiver.datagrams() {
        if datagram.truncated {
            pipeline.metrics().refused_oversized(1);
        } else {
            pipeline.take(datagram.bytes, senders.get(datagram.peer));
        }
    }
    pipeline.publish();
}
