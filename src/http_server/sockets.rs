//! The sockets of one listener, and the way of a connection to its worker.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::net::{TcpListener, TcpStream};

use super::workers::Place;

/// Sockets that accept in turn, so that one that is always busy does not keep clients of the others
/// waiting.
#[derive(Debug)]
pub(super) struct Sockets {
    /// Not registered with an event loop yet.
    unregistered: Vec<std::net::TcpListener>,
    registered: Vec<TcpListener>,
    /// The socket that is asked first.
    first: usize,
}

impl Sockets {
    /// Sockets that do not block.
    pub(super) fn new(sockets: Vec<std::net::TcpListener>) -> Sockets {
        Sockets { unregistered: sockets, registered: Vec::new(), first: 0 }
    }

    /// The next connection of any socket. The first call registers the sockets with the event loop
    /// of its runtime. Cancel safe.
    pub(super) async fn accept(&mut self) -> io::Result<TcpStream> {
        while let Some(socket) = self.unregistered.last() {
            // A clone, because an error closes it. The caller tries again later.
            self.registered.push(TcpListener::from_std(socket.try_clone()?)?);
            self.unregistered.pop();
        }
        let count = self.registered.len();
        let (last, accepted) = poll_fn(|context| {
            for at in (self.first..count).chain(0..self.first) {
                if let Poll::Ready(accepted) = self.registered[at].poll_accept(context) {
                    return Poll::Ready((at, accepted));
                }
            }
            Poll::Pending
        })
        .await;
        self.first = (last + 1) % count;
        accepted.map(|(stream, _)| stream)
    }
}

/// An accepted connection on its way to its worker.
#[derive(Debug)]
pub(super) enum Accepted {
    /// The worker that accepted it keeps it.
    Kept(TcpStream),
    /// Another worker registers it with its own event loop.
    Moved(std::net::TcpStream),
}

impl Accepted {
    /// A connection that the first worker has accepted.
    pub(super) fn new(stream: TcpStream, place: &Place) -> io::Result<Accepted> {
        if place.is_first {
            return Ok(Accepted::Kept(stream));
        }
        stream.into_std().map(Accepted::Moved)
    }

    /// The connection, on the thread of its worker.
    pub(super) fn stream(self) -> io::Result<TcpStream> {
        match self {
            Accepted::Kept(stream) => Ok(stream),
            Accepted::Moved(stream) => TcpStream::from_std(stream),
        }
    }
}
