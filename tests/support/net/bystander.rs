//! A server that must not receive any connection.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

/// Accepts connections, so that a forbidden connection succeeds and is detected.
#[derive(Debug)]
pub(crate) struct Bystander(TcpListener);

impl Bystander {
    /// `None` if the machine has no such address.
    pub(crate) fn at(address: impl Into<SocketAddr>) -> Option<Bystander> {
        let listener = match TcpListener::bind(address.into()) {
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => return None,
            bound => bound.expect("its port is free"),
        };
        listener.set_nonblocking(true).expect("a socket can be non-blocking");
        Some(Bystander(listener))
    }

    /// The number of connections since the last call.
    pub(crate) fn connections(&self) -> usize {
        let mut connections = 0;
        loop {
            match self.0.accept() {
                Ok(_) => connections += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return connections,
                Err(error) => panic!("{error}"),
            }
        }
    }
}
