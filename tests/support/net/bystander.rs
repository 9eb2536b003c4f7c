//! Somebody whom nobody should ask.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

/// Listens, so that whoever connects to it succeeds, and is found out.
#[derive(Debug)]
pub(crate) struct Bystander(TcpListener);

impl Bystander {
    /// `None` where the machine has no such address.
    pub(crate) fn at(address: impl Into<SocketAddr>) -> Option<Bystander> {
        let listener = match TcpListener::bind(address.into()) {
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => return None,
            bound => bound.expect("its port is free"),
        };
        listener.set_nonblocking(true).expect("a socket can be told not to wait");
        Some(Bystander(listener))
    }

    /// How many have connected since this was last asked.
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
