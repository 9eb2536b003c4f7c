//! The counting sink.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use super::batch::Receiver;

/// Counts lines until nothing has arrived for a while.
pub(crate) fn count(socket: &UdpSocket, silence: Duration) -> io::Result<u64> {
    socket.set_read_timeout(Some(silence))?;
    let mut receiver = Receiver::new();
    let mut lines = 0;
    while receiver.receive(socket)? > 0 {
        for datagram in receiver.datagrams() {
            lines += memchr::memchr_iter(b'\n', datagram).count() as u64;
            lines += u64::from(datagram.last().is_some_and(|last| *last != b'\n'));
        }
    }
    Ok(lines)
}

/// A socket that can take bursts.
pub(crate) fn bind(address: &str) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20)?;
    Ok(socket)
}

pub(crate) fn run(listen: &str) -> io::Result<()> {
    let socket = bind(listen)?;
    loop {
        let lines = count(&socket, Duration::from_secs(1))?;
        if lines > 0 {
            println!("{lines} lines");
        }
    }
}
