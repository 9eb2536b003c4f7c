//! Many targets in this process, each with an address of its own.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// 127.1.0.0; the targets have the addresses from here on.
const FIRST: u32 = 0x7f01_0000;

/// The address of a target.
pub(crate) fn address(target: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(FIRST + u32::try_from(target).expect("few targets"))
}

/// Serves the body on every address, with a thread for each connection.
pub(crate) fn serve(port: u16, body: Vec<u8>) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    let body: Arc<[u8]> = body.into();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let body = Arc::clone(&body);
            let respond = move || respond(stream, &body);
            thread::Builder::new().stack_size(64 << 10).spawn(respond).expect("a thread");
        }
    });
    Ok(())
}

/// Responds to each request of a connection.
fn respond(mut stream: TcpStream, body: &[u8]) -> io::Result<()> {
    let mut requests = BufReader::new(stream.try_clone()?);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    loop {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
    }
}
