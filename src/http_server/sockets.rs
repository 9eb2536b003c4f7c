//! The sockets of one listener.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::net::{TcpListener, TcpStream};

/// Sockets that accept in turn, so that one that is always busy does not keep clients of the others
/// waiting.
#[derive(Debug)]
pub(super) struct Sockets {
    sockets: Vec<TcpListener>,
    /// The socket that is asked first.
    first: usize,
}

impl Sockets {
    pub(super) fn new(sockets: Vec<TcpListener>) -> Sockets {
        Sockets { sockets, first: 0 }
    }

    /// The next connection of any socket. Cancel safe.
    pub(super) async fn accept(&mut self) -> io::Result<TcpStream> {
        let count = self.sockets.len();
        let (last, accepted) = poll_fn(|context| {
            for at in (self.first..count).chain(0..self.first) {
                if let Poll::Ready(accepted) = self.sockets[at].poll_accept(context) {
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
