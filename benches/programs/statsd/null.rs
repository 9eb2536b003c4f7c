//! The floor: a relay that looks at nothing.

use std::io;
use std::net::UdpSocket;

use super::batch::{Receiver, Transmitter};
use super::sink;

/// Relays until it is killed.
pub(crate) fn run(listen: &str, to: &str) -> io::Result<()> {
    let incoming = sink::bind(listen)?;
    let outgoing = UdpSocket::bind("0.0.0.0:0")?;
    outgoing.connect(to)?;
    let (mut receiver, mut transmitter) = (Receiver::new(), Transmitter::new());
    loop {
        receiver.receive(&incoming)?;
        transmitter.send(&outgoing, receiver.datagrams())?;
    }
}
